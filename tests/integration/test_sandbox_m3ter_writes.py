"""How writes to the emulated m3ter behave: versions, full replacement, exact money, events."""

from datetime import timedelta
from decimal import Decimal

import pytest

from tests import m3ter_examples
from tests.m3ter_calls import Caller, Later, every

ACCOUNT = m3ter_examples.EXAMPLES["Account"]({})


async def test_an_update_replaces_the_whole_entity(caller: Caller) -> None:
    made = await caller.post("accounts", ACCOUNT)
    bare = {"name": "New", "code": "new", "emailAddress": "n@b.example", "version": 1}

    updated = await caller.put(f"accounts/{made['id']}", bare)

    assert updated["version"] == 2
    assert "customFields" not in updated
    assert "address" not in updated
    assert updated["dtCreated"] == made["dtCreated"]
    assert updated["createdBy"] == caller.organization.identity.service_user_id


@pytest.mark.parametrize("version", [None, 0, 2, "1", True])
async def test_an_update_needs_the_version_that_is_kept(caller: Caller, version: object) -> None:
    made = await caller.post("accounts", ACCOUNT)
    await caller.put(f"accounts/{made['id']}", {**ACCOUNT, "version": version})
    assert caller.status == 400
    assert caller.organization.get("Account", made["id"])["version"] == 1


async def test_the_status_of_a_stale_version_can_be_chosen(caller: Caller) -> None:
    caller.organization.behaviour.stale_version_status = 409
    made = await caller.post("accounts", ACCOUNT)
    await caller.put(f"accounts/{made['id']}", {**ACCOUNT, "version": 5})
    assert caller.status == 409


async def test_money_is_exact_from_the_wire_to_the_wire(caller: Caller) -> None:
    ids = m3ter_examples.create_all(caller.organization)
    amount = Decimal("12345678901234567890.123456789")
    body = m3ter_examples.EXAMPLES["Commitment"](ids) | {"amount": amount, "startDate": "2030-01-01"}
    made = await caller.post("commitments", body | {"endDate": "2031-01-01"})
    read = await caller.get(f"commitments/{made['id']}")
    assert read["amount"] == amount
    assert read["amountSpent"] == 0


async def test_a_refused_write_changes_nothing_and_tells_no_event(caller: Caller) -> None:
    await caller.post("accounts", ACCOUNT)
    told = len(caller.organization.events)
    await caller.post("accounts", ACCOUNT)
    assert caller.status == 400
    assert caller.organization.counts() == {"Account": 1}
    assert len(caller.organization.events) == told


async def test_replacing_an_account_plan_ends_the_old_one_or_does_nothing(caller: Caller) -> None:
    ids = m3ter_examples.create_all(caller.organization)
    path = f"accountplans/{ids['AccountPlan']}/replace"
    body = {"accountId": ids["Account"], "planId": ids["Plan"], "startDate": "2027-06-01T00:00:00Z"}
    before, told = caller.organization.get("AccountPlan", ids["AccountPlan"]), len(caller.organization.events)

    await caller.post(path, body | {"code": before["code"]})
    assert caller.status == 400
    assert caller.organization.get("AccountPlan", ids["AccountPlan"]) == before
    assert len(caller.organization.events) == told

    answer = await caller.post(path, body | {"code": "second"})
    assert (
        answer["originalAccountPlan"]["endDate"] == answer["newAccountPlan"]["startDate"] == body["startDate"]
    )


async def test_events_are_deleted_after_28_days(caller: Caller, clock: Later) -> None:
    await caller.post("accounts", ACCOUNT)
    clock.ahead = timedelta(days=27)
    caller.renew_token()
    await caller.post("accounts", ACCOUNT | {"code": "other"})
    assert len(await every(caller, "events")) == 2
    clock.ahead = timedelta(days=28, minutes=1)
    caller.renew_token()
    [left] = await every(caller, "events")
    assert left["m3terEvent"]["eventData"]["newDto"]["code"] == "other"


async def test_events_are_listed_newest_first_and_filtered(caller: Caller) -> None:
    ids = m3ter_examples.create_all(caller.organization)
    of_account = await every(caller, "events", accountId=ids["Account"], pageSize=2)
    names = [event["eventName"] for event in of_account]
    assert names == [
        "billing.balance.created",
        "configuration.accountplan.created",
        "configuration.plan.created",
        "configuration.commitment.created",
        "configuration.contract.created",
        "configuration.account.created",
    ]
    assert len(await every(caller, "events", ids=of_account[0]["id"])) == 1
    assert await every(caller, "events", eventType="IntegrationEvent") == []
    await caller.get("events", ids="a", accountId="b")
    assert caller.status == 400


async def test_a_loaded_entity_is_kept_as_it_is_without_an_event(caller: Caller) -> None:
    row = ACCOUNT | {"id": "fixed", "version": 9, "dtCreated": "2020-01-01T00:00:00.000Z"}
    caller.organization.load("Account", [row])
    read = await caller.get("accounts/fixed")
    assert (read["version"], read["dtCreated"]) == (9, "2020-01-01T00:00:00.000Z")
    assert len(caller.organization.events) == 0
