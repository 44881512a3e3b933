"""An outage longer than Salesforce remembers ends as if there had been none, at the price of one window."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from daemon.to_m3ter import presets
from state import database, rereads, runs
from state.models import SyncStatus
from state.rereads import RereadCause
from tests.acceptance import house as houses
from tests.acceptance.house import House, daemon, until
from tests.acceptance.pictures import picture
from tests.databases import own_database
from tests.sandboxes import local_sandbox

DAY = 24 * 3600
RETAINED = 72 * 3600
GOOD = (SyncStatus.COMPLETED, SyncStatus.PARTIAL_SUCCESS)


@dataclass(slots=True)
class Company:
    """Agreements that were synced before anything went wrong, by what becomes of them."""

    house: House
    changed: str = ""
    lost: str = ""
    restored: str = ""
    ids: list[str] = field(default_factory=list)

    async def win(self) -> None:
        """Three agreements are changed, a day after another one was."""
        fields = "Id, (SELECT Id FROM OpportunityLineItems)"
        found = await self.house.query(f"SELECT {fields} FROM Opportunity WHERE StageName = 'Closed Won'")
        found.sort(key=lambda each: (-each["OpportunityLineItems"]["totalSize"], each["Id"]))
        self.changed, self.lost, self.restored = self.ids = [str(each["Id"]) for each in found]
        early = (await self.house.query("SELECT Id FROM Opportunity WHERE IsWon = false LIMIT 1"))[0]["Id"]
        await self.house.salesforce("PATCH", f"/sobjects/Opportunity/{early}", {"NextStep": "long before"})
        line = (await self._lines(self.changed))[0]
        await self.house.salesforce("PATCH", f"/sobjects/OpportunityLineItem/{line}", {"Description": "new"})
        await until(lambda: _heard(self.house, line))
        await _passes(self.house, DAY)
        for each in self.ids:
            await self.house.salesforce("PATCH", f"/sobjects/Opportunity/{each}", {"NextStep": "bill it"})

    async def go_on(self) -> str:
        """Create, update, delete, delete for good, and restore; gives the agreement that is new."""
        house, control = self.house, self.house.sandbox.salesforce_control
        lines = await self._lines(self.changed)
        await house.salesforce("PATCH", f"/sobjects/OpportunityLineItem/{lines[0]}", {"UnitPrice": 17.5})
        await house.salesforce("DELETE", f"/sobjects/OpportunityLineItem/{lines[1]}")
        gone = [self.lost, *await self._lines(self.lost)]
        await house.salesforce("DELETE", f"/sobjects/Opportunity/{self.lost}")
        await control.call("POST", "org/empty-bin", {"ids": gone})
        await house.salesforce("DELETE", f"/sobjects/Opportunity/{self.restored}")
        await control.call("POST", "org/undelete", {"ids": [self.restored]})
        await house.salesforce("PATCH", f"/sobjects/Opportunity/{self.restored}", {"Name": "Back again"})
        return await self._new()

    async def _new(self) -> str:
        fields = "AccountId, (SELECT PricebookEntryId FROM OpportunityLineItems)"
        like = (await self.house.query(f"SELECT {fields} FROM Opportunity WHERE Id = '{self.changed}'"))[0]
        entry = like["OpportunityLineItems"]["records"][0]["PricebookEntryId"]
        made = {"Name": "Signed meanwhile", "StageName": "Qualification", "CloseDate": "2036-05-01"}
        parent = {**made, "AccountId": like["AccountId"], "Amount": 27, "End_Date__c": "2037-04-30"}
        new = str((await self.house.salesforce("POST", "/sobjects/Opportunity", parent))["id"])
        line = {"OpportunityId": new, "PricebookEntryId": entry, "Quantity": 3, "UnitPrice": 9}
        await self.house.salesforce("POST", "/sobjects/OpportunityLineItem", line)
        await self.house.salesforce("PATCH", f"/sobjects/Opportunity/{new}", {"StageName": "Closed Won"})
        return new

    async def _lines(self, parent: str) -> list[str]:
        soql = f"SELECT Id FROM OpportunityLineItem WHERE OpportunityId = '{parent}' ORDER BY Id"
        return [str(each["Id"]) for each in await self.house.query(soql)]


@asynccontextmanager
async def company(server: str, template: str, place: Path) -> AsyncIterator[Company]:
    async with (
        local_sandbox() as sandbox,
        own_database(server, template) as url,
        database.connect(url) as db,
        houses.built(sandbox, db, url, place, presets.text("opportunity")) as house,
    ):
        await sandbox.salesforce_control.advance_clock(DAY)  # the company was there before it was listened to
        yield Company(house)


async def test_it_ends_as_an_undisturbed_run_and_reads_only_the_window(
    database_server: str, database_template: str, tmp_path: Path
) -> None:
    async with company(database_server, database_template, tmp_path / "undisturbed") as calm:
        async with daemon(calm.house):
            await calm.win()
            await _synced(calm.house, *calm.ids)
            await _synced(calm.house, await calm.go_on())
            await _settled(calm.house)
        expected = picture(calm.house.sandbox)
    async with company(database_server, database_template, tmp_path / "disturbed") as struck:
        house = struck.house
        async with daemon(house):
            await struck.win()
            await _synced(house, *struck.ids)
            await _settled(house)
        await _passes(house, DAY)
        new = await struck.go_on()
        await _passes(house, RETAINED + DAY)
        before = len(await house.ended_runs(struck.lost))
        async with daemon(house):
            await _synced(house, new)
            await _settled(house)
        assert picture(house.sandbox) == expected
        assert len(await house.ended_runs(struck.lost)) > before, "what is gone for good is noticed"
        await _read_only_the_window(house, {*struck.ids, new})


async def _read_only_the_window(house: House, touched: set[str]) -> None:
    """Of thirteen agreements four were touched since shortly before the outage; one of them is gone."""
    stories = await rereads.latest(house.db)
    refused = [each for each in stories if each.cause is RereadCause.REPLAY_REFUSED]
    found = {each.object_name: each for each in refused}
    assert set(found) == {"Opportunity", "OpportunityLineItem"}, stories
    assert all(each.from_at is not None for each in refused)
    assert found["Opportunity"].records_read == len(touched) - 1
    entries = await house.sandbox.salesforce_control.journal("path=*/queryAll")
    asked = [parse_qs(each["query"])["q"][0] for each in entries]
    assert asked
    assert all("SystemModstamp >= " in each or " WHERE Id " in each for each in asked), asked
    ids = [each.reread_id for each in refused]
    read = await house.db.fetch("SELECT record_id FROM runs WHERE reread_id = ANY($1::uuid[])", ids)
    assert {each["record_id"] for each in read} <= touched, "a record outside of the window was synced"


async def _heard(house: House, record_id: str) -> bool:
    return bool(await house.db.fetchval("SELECT count(*) FROM change_events WHERE record_id = $1", record_id))


async def _passes(house: House, seconds: float) -> None:
    """Time passes in both systems, and those who are not m3sync log in again."""
    await house.sandbox.salesforce_control.advance_clock(seconds)
    house._tokens.clear()


async def _synced(house: House, *ids: str) -> None:
    async def are_synced() -> bool:
        found: list[Any] = [await runs.latest(house.db, record_id=each) for each in ids]
        return all(any(run.sync_status in GOOD for run in each) for each in found)

    await until(are_synced, seconds=30)


async def _settled(house: House) -> None:
    """Nothing is left to read or to sync."""

    async def is_settled() -> bool:
        left = await house.db.fetchval("SELECT count(*) FROM inbox WHERE status <> 'SET_ASIDE'")
        return not left and not await rereads.latest(house.db, only_open=True)

    await until(is_settled, seconds=30)
