"""Forgets what is old, in batches: change events, runs and their logs, re-reads, intents, own writes."""

from dataclasses import dataclass
from datetime import timedelta

from state import database, sql
from state.database import Db

_SQL = sql.load("retention")
_BATCH = 5_000


@dataclass(frozen=True, slots=True)
class Keep:
    """How many days each is kept; the last run of each record is always kept, its log is not."""

    change_events: int = 30
    runs: int = 90
    run_log: int = 30
    rereads: int = 90


async def prune(db: Db, keep: Keep | None = None) -> dict[str, int]:
    """Forget what is older; gives how many rows of each were forgotten (a run's objects are not counted)."""
    days = keep or Keep()
    limits = {
        "change_events": days.change_events,
        "run_log": days.run_log,
        "runs": days.runs,
        "rereads": days.rereads,
        "intents": days.runs,
        "entity_runs": days.runs,
    }
    forgotten = {}
    for name, kept in limits.items():
        forgotten[name] = await _forget(db, name, timedelta(days=kept))
    forgotten["own_writes"] = await _forget(db, "own_writes", timedelta(days=1))
    forgotten["brakes"] = await database.execute(db, _SQL["brakes"])
    forgotten["leases"] = await database.execute(db, _SQL["leases"])
    return forgotten


async def _forget(db: Db, name: str, age: timedelta) -> int:
    total = 0
    while True:
        gone = await database.execute(db, _SQL[name], age, _BATCH)
        total += gone
        if not gone:
            return total
