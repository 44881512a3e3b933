"""m3ter's API against the sandbox and against scripted answers: pages, writes, lost answers."""

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from connectors.errors import NotFoundError, RateLimited, RejectedError, TransientError
from connectors.exchange import Limits
from connectors.m3ter import rest
from connectors.m3ter.models import EntityKind, M3terCredential
from connectors.m3ter.rest import Entity, M3ter
from tests.integration import fake_server
from tests.integration.fake_server import FakeServer
from tests.sandboxes import LocalSandbox

ACCOUNT: Entity = {"name": "Acme", "code": "acme", "emailAddress": "billing@acme.example"}
ACCOUNTS = "/organizations/org-1/accounts"
QUICK = Limits(attempts=3, first_wait=timedelta(milliseconds=1), answer=timedelta(seconds=1))


@pytest.fixture
async def m3ter(empty_sandbox: LocalSandbox) -> AsyncIterator[M3ter]:
    async with rest.open(M3terCredential(**empty_sandbox.m3ter)) as opened:
        yield opened


def scripted(fake: FakeServer) -> Any:
    fake.on("POST", "/oauth/token", fake_server.json({"access_token": "t", "expires_in": 18_000}))
    values = {"url": fake.url, "org_id": "org-1", "api_key": "key", "api_secret": "s"}
    return rest.open(M3terCredential.model_validate(values), limits=QUICK)


async def listed(pages: AsyncIterator[list[Entity]]) -> list[Entity]:
    return [entity async for page in pages for entity in page]


async def test_an_account_is_created_read_changed_listed_and_deleted(m3ter: M3ter) -> None:
    made = await m3ter.create(EntityKind.ACCOUNT, ACCOUNT)
    read = await m3ter.get(EntityKind.ACCOUNT, made["id"])
    assert read["code"] == "acme"
    changed = await m3ter.update(
        EntityKind.ACCOUNT, made["id"], {**ACCOUNT, "name": "New", "version": read["version"]}
    )
    assert (changed["name"], changed["version"]) == ("New", read["version"] + 1)
    assert [each["id"] for each in await listed(m3ter.pages(EntityKind.ACCOUNT, codes=["acme"]))] == [
        made["id"]
    ]
    await m3ter.delete(EntityKind.ACCOUNT, made["id"])
    with pytest.raises(NotFoundError):
        await m3ter.get(EntityKind.ACCOUNT, made["id"])


async def test_a_stale_version_is_refused_not_retried(m3ter: M3ter, empty_sandbox: LocalSandbox) -> None:
    made = await m3ter.create(EntityKind.ACCOUNT, ACCOUNT)
    await m3ter.update(EntityKind.ACCOUNT, made["id"], {**ACCOUNT, "name": "A", "version": made["version"]})
    with pytest.raises(RejectedError):
        await m3ter.update(
            EntityKind.ACCOUNT, made["id"], {**ACCOUNT, "name": "B", "version": made["version"]}
        )
    assert len(await empty_sandbox.m3ter_control.journal("method=PUT")) == 2
    with pytest.raises(ValueError, match="version"):
        await m3ter.update(EntityKind.ACCOUNT, made["id"], ACCOUNT)


async def test_money_stays_exact(m3ter: M3ter) -> None:
    account = await m3ter.create(EntityKind.ACCOUNT, ACCOUNT)
    body = {
        "accountId": account["id"],
        "startDate": "2026-01-01",
        "endDate": "2027-01-01",
        "currency": "USD",
        "amount": Decimal("120000.10"),
    }
    made = await m3ter.create(EntityKind.COMMITMENT, body)
    read = await m3ter.get(EntityKind.COMMITMENT, made["id"])
    assert read["amount"] == Decimal("120000.10")
    assert isinstance(read["amount"], Decimal)


async def test_external_mappings_are_found_from_both_sides(m3ter: M3ter) -> None:
    account = await m3ter.create(EntityKind.ACCOUNT, ACCOUNT)
    mapping = {
        "m3terEntity": "Account",
        "m3terId": account["id"],
        "externalSystem": "Salesforce",
        "externalTable": "Account",
        "externalId": "001S90000010001IAA",
    }
    made = await m3ter.create(EntityKind.EXTERNAL_MAPPING, mapping)
    assert [each["id"] for each in await m3ter.external_mappings_of("Account", "001S90000010001IAA")] == [
        made["id"]
    ]
    assert [each["id"] for each in await m3ter.external_mappings_for("Account", account["id"])] == [
        made["id"]
    ]
    assert await m3ter.external_mappings_of("Account", "001S90000010002IAA") == []
    assert (await m3ter.external_mapping_configuration())["m3terEntities"]


async def test_all_pages_are_read_over_empty_ones_at_the_largest_size() -> None:
    async with fake_server.serving() as fake, scripted(fake) as m3ter:
        fake.on(
            "GET",
            ACCOUNTS,
            fake_server.json({"data": [{"id": "1"}], "nextToken": "a b&c"}),
            fake_server.json({"data": [], "nextToken": "d"}),
            fake_server.json({"data": [{"id": "2"}]}),
        )
        pages = [page async for page in m3ter.pages(EntityKind.ACCOUNT, ids=["x", "y"], codes=None)]
        assert pages == [[{"id": "1"}], [{"id": "2"}]]
        first, second, _ = fake.calls(ACCOUNTS)
    assert first.query == [("ids", "x"), ("ids", "y"), ("pageSize", "100")]
    assert ("nextToken", "a b&c") in second.query


async def test_an_empty_filter_asks_for_nothing() -> None:
    async with fake_server.serving() as fake, scripted(fake) as m3ter:
        assert await listed(m3ter.pages(EntityKind.ACCOUNT, ids=[])) == []
        assert fake.seen == []


async def test_filters_are_spelt_as_m3ter_wants() -> None:
    async with fake_server.serving() as fake, scripted(fake) as m3ter:
        path = "/organizations/org-1/accountplans"
        fake.on("GET", path, fake_server.json({"data": []}))
        await listed(m3ter.pages(EntityKind.ACCOUNT_PLAN, account="a", includeall=True))
        assert fake.calls(path)[0].query == [("account", "a"), ("includeall", "true"), ("pageSize", "100")]


async def test_a_list_that_leads_round_is_left() -> None:
    async with fake_server.serving() as fake, scripted(fake) as m3ter:
        fake.on("GET", ACCOUNTS, fake_server.json({"data": [], "nextToken": "again"}))
        with pytest.raises(RejectedError, match="circle"):
            await listed(m3ter.pages(EntityKind.ACCOUNT))


async def test_a_list_without_data_is_a_failure_not_an_empty_list() -> None:
    async with fake_server.serving() as fake, scripted(fake) as m3ter:
        fake.on("GET", ACCOUNTS, fake_server.json({"message": "odd"}))
        with pytest.raises(TransientError, match="without its data"):
            await listed(m3ter.pages(EntityKind.ACCOUNT))


FAULTS = [
    ("status", 500),
    ("status_after", 502),
    ("reset_before", 500),
    ("reset_after", 500),
    ("truncate", 500),
]


@pytest.mark.parametrize(("kind", "status"), FAULTS)
async def test_a_create_without_an_answer_is_sent_once(
    kind: str, status: int, m3ter: M3ter, empty_sandbox: LocalSandbox
) -> None:
    control = empty_sandbox.m3ter_control
    await m3ter.authenticate()
    await control.fault(kind, match={"method": "POST", "path": "*/accounts"}, status=status)
    with pytest.raises(TransientError) as caught:
        await m3ter.create(EntityKind.ACCOUNT, ACCOUNT)
    assert caught.value.may_have_happened
    assert len(await control.journal("method=POST&path=*/accounts")) == 1
    await control.clear_faults()
    happened = kind in ("status_after", "reset_after", "truncate")
    assert len(await listed(m3ter.pages(EntityKind.ACCOUNT))) == happened


@pytest.mark.parametrize("kind", ["reset_after", "truncate", "status_after"])
async def test_an_update_without_an_answer_is_not_sent_again(
    kind: str, m3ter: M3ter, empty_sandbox: LocalSandbox
) -> None:
    made = await m3ter.create(EntityKind.ACCOUNT, ACCOUNT)
    await empty_sandbox.m3ter_control.fault(kind, match={"method": "PUT"})
    with pytest.raises(TransientError) as caught:
        await m3ter.update(
            EntityKind.ACCOUNT, made["id"], {**ACCOUNT, "name": "New", "version": made["version"]}
        )
    assert caught.value.may_have_happened
    assert len(await empty_sandbox.m3ter_control.journal("method=PUT")) == 1
    assert (await m3ter.get(EntityKind.ACCOUNT, made["id"]))["version"] == made["version"] + 1


async def test_too_many_requests_are_waited_out_except_for_a_create(
    m3ter: M3ter, empty_sandbox: LocalSandbox
) -> None:
    made = await m3ter.create(EntityKind.ACCOUNT, ACCOUNT)
    await empty_sandbox.m3ter_control.fault("rate_limited", times=1)
    assert (await m3ter.get(EntityKind.ACCOUNT, made["id"]))["code"] == "acme"
    await empty_sandbox.m3ter_control.fault("rate_limited", times=1)
    with pytest.raises(RateLimited) as caught:
        await m3ter.create(EntityKind.ACCOUNT, {**ACCOUNT, "code": "other"})
    assert not caught.value.may_have_happened
    assert caught.value.retry_after == timedelta(seconds=1)


async def test_a_refusal_is_in_m3ters_own_words(m3ter: M3ter) -> None:
    with pytest.raises(RejectedError) as caught:
        await m3ter.create(EntityKind.ACCOUNT, {"name": "Acme"})
    assert caught.value.status == 400
    assert not caught.value.message.startswith("HTTP")
