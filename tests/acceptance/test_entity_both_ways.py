"""Both directions at once on the same accounts: rounds of edits settle with few calls, then all is quiet."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from daemon.settings import EntityDataSyncSettings
from daemon.to_m3ter import presets
from state import inbox, integrations
from state.database import Pool
from state.entity_models import EntitySync, EntityType
from tests.acceptance import house as houses
from tests.acceptance.house import House, Record
from tests.integration import copying
from tests.sandboxes import LocalSandbox

ROUNDS = 10
STAMPS = ("id", "dtCreated", "dtLastModified", "createdBy", "lastModifiedBy")
# The copies themselves are listened to: what a person edits in them goes to m3ter.
COPIES = """
name = "copies"
flow = "Account Sync"
parent = "m3ter_Account__c"

[objects.Account]
source = ""

[objects.Account.fields]
name = "Full_Name__c"
code = "Code__c"
emailAddress = "Email__c"
"address.locality" = "Locality__c"
"""


@dataclass(slots=True)
class Scene:
    """The house with an entity data sync of accounts, beside an account sync."""

    house: House
    sync: EntitySync

    async def account(self, code: str) -> Record | None:
        found = await self.house.all("accounts", f"&codes={code}")
        return found[0] if found else None

    async def copy(self, code: str) -> Record | None:
        copies = (await copying.copies(self.house, EntityType.ACCOUNT)).values()
        return next((each for each in copies if each["Code__c"] == code), None)

    async def edit_m3ter(self, code: str, **fields: Any) -> None:
        """As a person does: read, and put with the version that was read, again if somebody was faster."""
        for _ in range(20):
            account = await self.account(code)
            assert account is not None
            body = {name: value for name, value in account.items() if name not in STAMPS} | fields
            try:
                await self.house.m3ter("PUT", f"/accounts/{account['id']}", body)
            except AssertionError as error:
                if "version" not in str(error):
                    raise
            else:
                return

    async def agree(self, code: str) -> bool:
        """Whether the copy has what m3ter has, and nothing is under way."""
        account, copy = await self.account(code), await self.copy(code)
        if account is None or copy is None or await inbox.find(self.house.db):
            return False
        said = (account["name"], account["emailAddress"], account["version"])
        return said == (copy["Full_Name__c"], copy["Email__c"], int(copy["m3ter_Version__c"]))

    async def quiet(self, seconds_of_feed: int = 3) -> None:
        """Several readings of the feed and a whole scan, and nobody writes anything."""
        await self.clear()

        async def has_looked() -> bool:
            read = await self.house.sandbox.m3ter_control.journal("path=*/events")
            return len(read) >= 3 * seconds_of_feed

        await houses.until(has_looked)
        run = await copying.again(self.house, self.sync)
        assert (run.differing, run.written) == (0, 0)
        assert not await inbox.find(self.house.db)
        assert await self.house.writes() == []
        assert await self.salesforce_writes() == 0

    async def begin(self) -> None:
        """The first run, once all before it was listened to and read again: what it writes is heard."""
        over = "SELECT bool_and(status = 'READ') FROM rereads"
        await houses.until(lambda: self.house.db.fetchval(over))
        await integrations.enable(self.house.db, self.sync.integration.name)
        await copying.ended(self.house, self.sync)

    async def clear(self) -> None:
        await self.house.sandbox.salesforce_control.clear_journal()
        await self.house.sandbox.m3ter_control.clear_journal()

    async def salesforce_writes(self) -> int:
        """By m3sync, which writes by collections here."""
        calls = await copying.calls(self.house)
        return sum(number for call, number in calls.items() if "/composite/" in call)


@asynccontextmanager
async def _scene(
    sandbox: LocalSandbox, db: Pool, url: str, place: Path, mapping: str
) -> AsyncIterator[Scene]:
    async with houses.built(sandbox, db, url, place, mapping) as house:
        fed = EntityDataSyncSettings(feed_seconds=0.2)
        house.settings = house.settings.model_copy(update={"entity_data_sync": fed})
        await copying.declare(house)
        document = {"Account": {"fields": {"Billing_Email__c": {"type": "email"}}}}
        await sandbox.salesforce_control.call("POST", "org/declare", document)
        sync = await copying.added(house, EntityType.ACCOUNT)
        await integrations.disable(db, sync.integration.name)
        yield Scene(house, sync)


@pytest.fixture
async def copied(
    empty_sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path
) -> AsyncIterator[Scene]:
    async with _scene(empty_sandbox, db, database_url, tmp_path, COPIES) as scene:
        for code in ("ASH", "BIRCH"):
            body = {"name": f"Company {code}", "code": code, "emailAddress": f"{code.lower()}@example.com"}
            await scene.house.m3ter("POST", "/accounts", body)
        yield scene


@pytest.fixture
async def standard(
    empty_sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path
) -> AsyncIterator[Scene]:
    async with _scene(empty_sandbox, db, database_url, tmp_path, presets.text("account")) as scene:
        yield scene


def agreed(scene: Scene, *codes: str) -> Callable[[], Awaitable[bool]]:
    async def do() -> bool:
        return all([await scene.agree(code) for code in codes])

    return do


async def _edit_copy(scene: Scene, code: str, **fields: Any) -> None:
    copy = await scene.copy(code)
    assert copy is not None
    await scene.house.salesforce("PATCH", f"/sobjects/m3ter_Account__c/{copy['Id']}", fields)


async def test_copies_that_are_written_start_no_sync(copied: Scene) -> None:
    async with houses.daemon(copied.house):
        await copied.begin()
        await copied.quiet()
        await copied.edit_m3ter("ASH", name="Renamed in m3ter")
        await houses.until(agreed(copied, "ASH", "BIRCH"))
        await copied.quiet()
    totals = await copied.house.db.fetch("SELECT label, total FROM totals WHERE kind = 'echo'")
    assert {row["label"]: row["total"] for row in totals} == {"echo": 3}
    assert await copied.house.all("externalmappings") == []


@pytest.mark.parametrize("field", ["same", "another"])
async def test_ten_rounds_of_edits_of_copies_on_both_sides_settle(copied: Scene, field: str) -> None:
    """Of one field edited on both sides in the same moment either side's value may stand, on both."""
    async with houses.daemon(copied.house):
        await copied.begin()
        await copied.quiet()
        await copied.clear()
        for number in range(ROUNDS):
            other = {"name": f"m3ter {number}"} if field == "same" else {"purchaseOrderNumber": str(number)}
            await _edit_copy(copied, "ASH", Full_Name__c=f"Salesforce {number}")
            await copied.edit_m3ter("ASH", **other)
            if number % 3 == 2:
                await houses.until(agreed(copied, "ASH", "BIRCH"))
        await houses.until(agreed(copied, "ASH", "BIRCH"))
        puts = [each for each in await copied.house.writes() if each.startswith("PUT")]
        account = await copied.account("ASH")
        assert account is not None
        # One by each person's edit, and at most one write of ours for each.
        assert ROUNDS < len(puts) <= 2 * ROUNDS + 2
        assert await copied.salesforce_writes() <= account["version"]
        await copied.quiet()

        await _edit_copy(copied, "ASH", Full_Name__c="Said in Salesforce", Locality__c="Leeds")
        await houses.until(lambda: _has(copied, name="Said in Salesforce"))
        await houses.until(agreed(copied, "ASH"))
        await copied.edit_m3ter("ASH", name="Said in m3ter")
        await houses.until(agreed(copied, "ASH"))
        await copied.quiet()
    account = await copied.account("ASH")
    assert account is not None
    assert (account["name"], account["address"]["locality"]) == ("Said in m3ter", "Leeds")


async def _has(scene: Scene, **fields: Any) -> bool:
    account = await scene.account("ASH")
    return account is not None and fields.items() <= account.items()


async def test_ten_rounds_with_the_standard_account_settle_and_the_copy_links_to_it(standard: Scene) -> None:
    house = standard.house
    async with houses.daemon(house):
        await standard.begin()
        body = {"Name": "Ash", "Billing_Email__c": "ash@example.com"}
        record_id = (await house.salesforce("POST", "/sobjects/Account", body))["id"]
        await houses.until(agreed(standard, record_id))
        await standard.clear()
        for number in range(ROUNDS):
            await house.salesforce("PATCH", f"/sobjects/Account/{record_id}", {"Name": f"Ash {number}"})
            await standard.edit_m3ter(record_id, purchaseOrderNumber=f"PO-{number}")
            if number % 3 == 2:
                await houses.until(agreed(standard, record_id))

        async def settled() -> bool:
            account = await standard.account(record_id)
            wanted = {"name": f"Ash {ROUNDS - 1}", "purchaseOrderNumber": f"PO-{ROUNDS - 1}"}
            return account is not None and wanted.items() <= account.items()

        await houses.until(settled)
        await houses.until(agreed(standard, record_id))
        puts = [each for each in await house.writes() if each.startswith("PUT")]
        assert ROUNDS < len(puts) <= 2 * ROUNDS + 2
        account = await standard.account(record_id)
        assert account is not None
        assert await standard.salesforce_writes() <= account["version"]
        await copying.again(house, standard.sync)
        await standard.quiet()
    copy = await standard.copy(record_id)
    assert copy is not None
    assert (copy["Salesforce_Account__c"], copy["Purchase_Order_Number__c"]) == (
        record_id,
        f"PO-{ROUNDS - 1}",
    )
