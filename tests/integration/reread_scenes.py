"""Windows in every state that people see: being read, failing, read with something left, read and in step."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from state import database, rereads
from state.database import Pool
from state.rereads import Phase, RereadCause, Window
from tests.integration.state_rows import LEASE, ORG, record_id

FROM = datetime(2026, 11, 18, 10, tzinfo=UTC)
UNTIL = datetime(2026, 11, 21, 9, tzinfo=UTC)
WORDS = "INSUFFICIENT_ACCESS: no access to OpportunityLineItem <b>at all</b>"


async def window(db: Pool, integration_id: UUID, each: Window, *, total: int | None = None) -> rereads.Reread:
    """Opened, taken and begun."""
    async with database.transaction(db) as tx:
        await rereads.open_windows(tx, integration_id, ORG, [each])
    found = await rereads.claim(db, integration_id, ORG, LEASE)
    assert found is not None
    async with database.transaction(db) as tx:
        return await rereads.begin(tx, found, until_at=each.until_at or UNTIL, total=total)


async def page(db: Pool, reread: rereads.Reread, *numbers: int, read: int = 0) -> rereads.Reread:
    records = [("Opportunity", record_id(number)) for number in numbers]
    async with database.transaction(db) as tx:
        return await rereads.keep_page(
            tx, reread, records, read=read or len(records), cursor=(FROM, record_id(0)), phase=Phase.CHANGES
        )


async def failing(db: Pool, integration_id: UUID, times: int = 3) -> UUID:
    """A window of the lines that Salesforce refuses to be read."""
    lines = Window("OpportunityLineItem", RereadCause.OVERFLOW, "Too much.", "/data/X", FROM, UNTIL)
    found = await window(db, integration_id, lines)
    for _ in range(times):
        async with database.transaction(db) as tx:
            await rereads.postpone(tx, found, timedelta(0), WORDS, "Grant the user read access.")
        again = await rereads.claim(db, integration_id, ORG, LEASE)
        assert again is not None
        found = again
    async with database.transaction(db) as tx:
        await rereads.postpone(tx, found, timedelta(minutes=5), WORDS, "Grant the user read access.")
    return found.reread_id


async def all_of_them(db: Pool, integration_id: UUID) -> None:
    """Read and in step; refused and partly synced; failing; an initial one under way."""
    silent = Window("Opportunity", RereadCause.SILENT, "Nothing was heard of 006X.", "/data/X", FROM, UNTIL)
    done = await page(db, await window(db, integration_id, silent), read=12)
    refused = Window("Opportunity", RereadCause.REPLAY_REFUSED, "Refused.", "/data/X", FROM, UNTIL, True)
    partly = await page(db, await window(db, integration_id, refused), *range(101, 118), read=1204)
    async with database.transaction(db) as tx:
        await rereads.finish(tx, done)
        await rereads.finish(tx, partly)
        for number in (1, 2, 3):
            await rereads.add_difference(tx, partly.reread_id, integration_id, record_id(number))
    await failing(db, integration_id)
    initial = await window(db, integration_id, Window("Opportunity", RereadCause.INITIAL), total=52_310)
    await page(db, initial, 201, 202, read=8_000)
