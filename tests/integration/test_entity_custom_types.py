"""Custom fields feed Salesforce fields of other types than m3ter has; each refused alone, by name."""

from decimal import Decimal

import pytest

from state import entity_copies
from state.entity_models import EntityType
from tests.acceptance import entity_customers as customers
from tests.acceptance.house import House
from tests.integration import copying
from tests.integration.dry_running import told

ACCOUNT = EntityType.ACCOUNT
FIELDS = {
    "Seats__c": {"type": "string", "length": 40},
    "Rate__c": {"type": "double", "precision": 10, "scale": 2},
    "Is_Gold__c": {"type": "boolean"},
    "Since__c": {"type": "date"},
}
NAMES = {"seats": "Seats__c", "rate": "Rate__c", "gold": "Is_Gold__c", "since": "Since__c"}
HELD = {"seats": 12, "rate": "12.5", "gold": "true", "since": "2026-02-28"}


@pytest.fixture
async def house(house: House) -> House:
    """The one of every module here, whose objects have these fields too."""
    objects = {f"m3ter_{kind}__c": {"fields": FIELDS} for kind in ("Account", "Balance")}
    await house.sandbox.salesforce_control.call("POST", "org/declare", objects)
    return house


async def fed(house: House, kind: str = "Account") -> list[tuple[object, ...]]:
    names = ", ".join(FIELDS)
    found = await house.query(f"SELECT {names} FROM m3ter_{kind}__c ORDER BY Name")
    return [tuple(each[name] for name in FIELDS) for each in found]


async def test_each_takes_the_form_of_its_field_and_an_unchanged_run_asks_nothing(house: House) -> None:
    rows = copying.rows(3)
    rows[0]["customFields"] = HELD
    rows[1]["customFields"] = HELD | {"rate": "gold"}
    ids = await copying.load(house, "Account", rows)
    sync = await copying.added(house, ACCOUNT, custom_fields=NAMES)
    assert (await copying.once(house, sync)).written == 2
    assert await fed(house) == [("12", Decimal("12.5"), True, "2026-02-28"), (None, None, False, None)]
    (issue,) = await entity_copies.issues(house.db, sync.integration.integration_id)
    assert (issue.m3ter_id, issue.code, issue.fields) == (ids[1], "M3SYNC_UNFIT", ("Rate__c",))
    assert "custom field rate" in issue.message
    await house.sandbox.salesforce_control.clear_journal()
    assert (await copying.once(house, sync)).written == 0
    assert not await copying.calls(house)


async def test_what_is_mapped_with_every_scan_asks_nothing_either(house: House) -> None:
    (customer,) = await customers.made(house, "ASH")
    organization = customers.organization(house)
    balance = organization.store.get("Balance", customer[EntityType.BALANCE])
    organization.change("Balance", balance, {"customFields": HELD})
    sync = await copying.added(house, EntityType.BALANCE, custom_fields=NAMES)
    assert (await copying.once(house, sync)).written == 1
    assert await fed(house, "Balance") == [("12", Decimal("12.5"), True, "2026-02-28")]
    await house.sandbox.salesforce_control.clear_journal()
    assert (await copying.once(house, sync)).written == 0
    assert not await copying.calls(house)
    edited = await copying.edited(house, sync, custom_fields={"rate": "Seats__c"})
    assert (await copying.once(house, edited)).written == 1
    assert (await fed(house, "Balance"))[0][0] == "12.5"


async def test_a_dry_run_says_what_would_be_there(house: House) -> None:
    await copying.load(house, "Account", [copying.rows(1)[0] | {"customFields": HELD}])
    sync = await copying.added(house, ACCOUNT, custom_fields=NAMES)
    (difference,), _ = await told(house, sync)
    assert {name: difference.fields[name][1] for name in FIELDS} == {
        "Seats__c": "12",
        "Rate__c": Decimal("12.5"),
        "Is_Gold__c": True,
        "Since__c": "2026-02-28",
    }
    await copying.once(house, sync)
    assert (await told(house, sync))[0] == []
