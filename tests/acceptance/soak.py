"""A backlog of change events, streamed into the inbox and worked off by a daemon whose memory is watched."""

from dataclasses import dataclass

from tests.acceptance import house as houses
from tests.acceptance.house import House
from tests.bench import stage
from tests.bench.backlog import serving_backlog

WON = "SELECT Id FROM Opportunity WHERE StageName = 'Closed Won' LIMIT 2000"
HEARD = "SELECT count(*) FROM change_events"
SYNCED = "SELECT count(*) FROM record_states WHERE sync_status = 'Completed'"
WINDOWS = "SELECT count(*) FROM rereads WHERE object_name = 'Opportunity'"
WAITING = "SELECT EXISTS (SELECT FROM inbox) OR EXISTS (SELECT FROM rereads WHERE status <> 'READ')"


@dataclass(frozen=True, slots=True)
class Soaked:
    """What came of it; `peak` is the most resident memory of the daemon that had the backlog, in MiB."""

    peak: float
    heard: int
    synced: int
    won: int
    places: set[str]


async def drained(server: str, events: int, records: int) -> Soaked:
    """Stream so many events of so many agreements, and sync those that are won."""
    async with serving_backlog(events, records) as sandbox, stage.staged(sandbox, server) as staged:
        house = staged.house
        async with stage.running(staged.m3sync) as daemon:
            await daemon.until_listening()
            await _hear_one(house)
        windows = await house.db.fetchval(WINDOWS)
        last = await sandbox.change()
        async with stage.running(staged.m3sync) as daemon:
            await daemon.until_listening()
            await houses.until(lambda: stage.is_durable(house, last), seconds=600)
            await houses.until(lambda: _is_over(house), seconds=600)
            peak = daemon.peak
        assert await house.db.fetchval(WINDOWS) == windows, "some of it was read again, not streamed"
        rows = await house.db.fetch(
            "SELECT replay_id FROM checkpoints WHERE channel LIKE '%/OpportunityChange%'"
        )
        return Soaked(
            peak,
            await house.db.fetchval(HEARD),
            await house.db.fetchval(SYNCED),
            len(await house.query(WON)),
            {row["replay_id"] for row in rows} ^ {last},
        )


async def _hear_one(house: House) -> None:
    """What has been heard once has a place, from which the backlog is streamed."""
    found = await house.query("SELECT Id FROM Opportunity LIMIT 1")
    await house.salesforce("PATCH", f"/sobjects/Opportunity/{found[0]['Id']}", {"NextStep": "Call them"})

    async def is_heard() -> bool:
        return bool(await house.db.fetchval(HEARD)) and await _is_over(house)

    await houses.until(is_heard)


async def _is_over(house: House) -> bool:
    return not await house.db.fetchval(WAITING)
