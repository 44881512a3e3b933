"""m3ter's token: ahead of its end, one at a time, and which 403 is which."""

import asyncio
import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from connectors.errors import AuthenticationError, RejectedError, TransientError
from connectors.exchange import Limits
from connectors.m3ter import auth, rest
from connectors.m3ter.models import EntityKind, M3terCredential
from tests.integration import fake_server
from tests.integration.fake_server import FakeServer
from tests.sandboxes import LocalSandbox

ACCOUNTS = "/organizations/org-1/accounts"
PAGE: dict[str, Any] = {"data": []}
UNAUTHORIZED = fake_server.json({"message": "Unauthorized"}, status=403)
FIREWALL = fake_server.text("<html><title>403 Forbidden</title></html>", status=403)


def token(name: str, expires_in: int = 18_000) -> fake_server.Handler:
    return fake_server.json({"access_token": name, "token_type": "Bearer", "expires_in": expires_in})


def credential(fake: FakeServer) -> M3terCredential:
    values = {"url": fake.url, "org_id": "org-1", "api_key": "key", "api_secret": "hush"}
    return M3terCredential.model_validate(values)


async def test_the_key_signs_in_by_basic_authentication() -> None:
    async with fake_server.serving() as fake, rest.open(credential(fake)) as m3ter:
        fake.on("POST", "/oauth/token", token("t1"))
        fake.on("GET", ACCOUNTS, fake_server.json(PAGE))
        await m3ter.authenticate()
        asked, listed = fake.seen
    assert base64.b64decode(asked.headers["Authorization"].removeprefix("Basic ")) == b"key:hush"
    assert asked.body == b"grant_type=client_credentials"
    assert listed.headers["Authorization"] == "Bearer t1"


@pytest.mark.parametrize("status", [401, 403])
async def test_an_expired_token_is_renewed_once_for_all_who_met_it(status: int) -> None:
    async with fake_server.serving() as fake, rest.open(credential(fake)) as m3ter:
        fake.on("POST", "/oauth/token", token("t1"), token("t2"), token("t3"))

        async def only_t2(request: web.Request) -> web.StreamResponse:
            if request.headers["Authorization"] == "Bearer t2":
                return await fake_server.json(PAGE)(request)
            return await fake_server.json({"message": "Unauthorized"}, status=status)(request)

        fake.on("GET", ACCOUNTS, only_t2)
        async with asyncio.TaskGroup() as group:
            for _ in range(5):
                group.create_task(m3ter.authenticate())
        assert len(fake.calls("/oauth/token")) == 2


async def test_a_token_near_its_end_is_renewed_before_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async with fake_server.serving() as fake, rest.open(credential(fake)) as m3ter:
        fake.on("POST", "/oauth/token", token("t1"), token("t2"))
        fake.on("GET", ACCOUNTS, fake_server.json(PAGE))
        await m3ter.authenticate()
        monkeypatch.setattr(auth, "datetime", _Later)
        await m3ter.authenticate()
        assert [call.headers["Authorization"] for call in fake.calls(ACCOUNTS)] == ["Bearer t1", "Bearer t2"]


class _Later(datetime):
    """Shortly before the end of a token's five hours."""

    @classmethod
    def now(cls, _zone: Any = None) -> datetime:  # type: ignore[override]  # the clock of one test
        return datetime.now(UTC) + timedelta(hours=4, minutes=55)


async def test_an_expired_token_of_the_sandbox_is_renewed(empty_sandbox: LocalSandbox) -> None:
    async with rest.open(M3terCredential(**empty_sandbox.m3ter)) as m3ter:
        await m3ter.authenticate()
        await empty_sandbox.m3ter_control.fault("expired_session", times=1)
        await m3ter.authenticate()
        await empty_sandbox.m3ter_control.advance_clock(6 * 3600)
        await m3ter.authenticate()


@pytest.mark.parametrize(
    ("key", "value"), [("api_secret", "wrong"), ("api_key", "wrong"), ("org_id", "another-org")]
)
async def test_the_sandbox_refuses_a_wrong(key: str, value: str, empty_sandbox: LocalSandbox) -> None:
    async with rest.open(M3terCredential(**{**empty_sandbox.m3ter, key: value})) as m3ter:
        with pytest.raises(AuthenticationError) as caught:
            await m3ter.authenticate()
    assert caught.value.instruction
    assert "wrong" not in caught.value.message


async def test_a_body_over_the_firewalls_limit_is_told_from_a_bad_token() -> None:
    async with fake_server.serving() as fake, rest.open(credential(fake)) as m3ter:
        fake.on("POST", "/oauth/token", token("t"))
        fake.on("POST", ACCOUNTS, FIREWALL)
        with pytest.raises(RejectedError, match="firewall refuses a request body of 600,"):
            await m3ter.create(EntityKind.ACCOUNT, {"name": "x" * 600_000})


async def test_a_write_refused_while_reading_works_is_no_bad_token() -> None:
    async with fake_server.serving() as fake, rest.open(credential(fake)) as m3ter:
        fake.on("POST", "/oauth/token", token("t"))
        fake.on("POST", ACCOUNTS, FIREWALL)
        fake.on("GET", ACCOUNTS, fake_server.json(PAGE))
        with pytest.raises(RejectedError, match="although the token is good") as caught:
            await m3ter.create(EntityKind.ACCOUNT, {"name": "DROP TABLE accounts"})
    assert "firewall" in caught.value.instruction
    assert "DROP TABLE" not in str(caught.value)


async def test_a_write_refused_as_is_all_else_is_a_bad_token() -> None:
    async with fake_server.serving() as fake, rest.open(credential(fake)) as m3ter:
        fake.on("POST", "/oauth/token", token("t"))
        fake.on("POST", ACCOUNTS, UNAUTHORIZED)
        fake.on("GET", ACCOUNTS, UNAUTHORIZED)
        with pytest.raises(AuthenticationError):
            await m3ter.create(EntityKind.ACCOUNT, {"name": "Acme"})


PRICINGS = "/organizations/org-1/pricings"


async def test_a_read_refused_while_another_works_names_the_missing_permission() -> None:
    async with fake_server.serving() as fake, rest.open(credential(fake)) as m3ter:
        fake.on("POST", "/oauth/token", token("t1"), token("t2"))
        fake.on("GET", PRICINGS, UNAUTHORIZED)
        fake.on("GET", ACCOUNTS, fake_server.json(PAGE))
        with pytest.raises(RejectedError, match="Unauthorized") as caught:
            [page async for page in m3ter.pages(EntityKind.PRICING)]
        assert len(fake.calls("/oauth/token")) >= 2, "a fresh token was tried first"
    assert "permission for pricings" in caught.value.instruction


PAGES = {
    "a firewall's 403": fake_server.text("<h1>Access denied</h1> by policy", status=403),
    "a gateway's 404": fake_server.text("<h1>404 Not Found</h1> nginx", status=404),
    "a redirect": fake_server.text("<h1>Found</h1>", status=302),
    "a proxy's 407": fake_server.text("", status=407),
    "a 405": fake_server.text("Method Not Allowed", status=405, content_type="text/plain"),
    "a 410": fake_server.text("<p>Gone</p>", status=410),
}


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES.keys())
async def test_a_page_in_m3ters_place_is_an_outage_and_no_refusal(page: fake_server.Handler) -> None:
    quick = Limits(attempts=1)
    async with fake_server.serving() as fake, rest.open(credential(fake), limits=quick) as m3ter:
        fake.on("POST", "/oauth/token", token("t"))
        for method, path in (("GET", ACCOUNTS), ("GET", f"{ACCOUNTS}/id"), ("POST", ACCOUNTS)):
            fake.on(method, path, page)
        for call in (m3ter.authenticate(), m3ter.get(EntityKind.ACCOUNT, "id")):
            with pytest.raises(TransientError) as caught:
                await call
            assert caught.value.unreachable
        with pytest.raises(TransientError) as caught:
            await m3ter.create(EntityKind.ACCOUNT, {"name": "Acme"})
        assert caught.value.unreachable
        fake.on("POST", "/oauth/token", page)
        async with rest.open(credential(fake), limits=quick) as stranger:
            with pytest.raises(TransientError) as caught:
                await stranger.authenticate()
        assert caught.value.unreachable


async def test_a_page_in_the_way_of_one_address_is_no_outage() -> None:
    quick = Limits(attempts=1)
    async with fake_server.serving() as fake, rest.open(credential(fake), limits=quick) as m3ter:
        fake.on("POST", "/oauth/token", token("t"))
        fake.on("GET", PRICINGS, FIREWALL)
        fake.on("GET", ACCOUNTS, fake_server.json(PAGE))
        with pytest.raises(TransientError, match="403 Forbidden") as caught:
            [page async for page in m3ter.pages(EntityKind.PRICING)]
    assert not caught.value.unreachable


async def test_a_token_endpoint_in_trouble_is_no_bad_credential() -> None:
    async with fake_server.serving() as fake, rest.open(credential(fake)) as m3ter:
        fake.on("POST", "/oauth/token", fake_server.text("<html>Bad gateway</html>", status=502))
        with pytest.raises(TransientError) as caught:
            await m3ter.create(EntityKind.ACCOUNT, {"name": "Acme"})
        assert not caught.value.may_have_happened
