"""How long the embedded PostgreSQL takes from nothing, and from a directory that it was in before."""

import time
from pathlib import Path

from state import database, embedded
from tests.bench import stage
from tests.bench.rows import Row, percentile

ROUNDS = 5


async def measure() -> list[Row]:
    """Until a first query is answered."""
    fresh, again = [], []
    for _ in range(ROUNDS):
        with stage.directory() as place:
            fresh.append(await _until_it_answers(place))
            again.append(await _until_it_answers(place))
    note = f"to the first answer, median of {ROUNDS}"
    return [
        Row("embedded PostgreSQL, first start ever", percentile(fresh, 50), "s", None, note),
        Row("embedded PostgreSQL, cold start", percentile(again, 50), "s", None, note),
    ]


async def _until_it_answers(place: Path) -> float:
    began = time.perf_counter()
    async with embedded.server(place) as url, database.connect(url, min_size=1, max_size=1) as db:
        await database.fetch_value(db, "SELECT 1")
        return time.perf_counter() - began
