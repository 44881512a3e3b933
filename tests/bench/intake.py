"""A backlog replayed into the durable inbox, beside aiosfstream merely iterating the same stream."""

import asyncio
import importlib
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import uuid4

from daemon.clients import Links
from daemon.tasks import Task
from daemon.to_m3ter.tasks import Manner, Tasks
from state import vault
from tests.acceptance import house as houses
from tests.acceptance.house import House
from tests.bench import stage
from tests.bench.backlog import Backlog, serving_backlog
from tests.bench.rows import Reach, Row, percentile
from tests.peers import test_aiosfstream as peer

# Only after the peer's own test has given the library the fork that it runs on.
aiosfstream = importlib.import_module("aiosfstream")

EVENTS, RECORDS = 50_000, 10_000
ROUNDS = 3


async def measure() -> list[Row]:
    """Both in turn, in this process, from the log-in to the last event."""
    ours, theirs = [], []
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(stage.server())
        sandbox = await stack.enter_async_context(serving_backlog(EVENTS, RECORDS))
        waiting = [await stack.enter_async_context(_waiting(sandbox, server)) for _ in range(ROUNDS)]
        last = await sandbox.change()
        for house in waiting:
            theirs.append(EVENTS / await _iterated(sandbox, last))
            ours.append(EVENTS / await _taken_in(house, last))
    rate, other = percentile(ours, 50), percentile(theirs, 50)
    made_of = f"{EVENTS:,} events of {RECORDS:,} records, median of {ROUNDS}"
    return [
        Row("intake into the inbox", rate, "events/s", Reach(2_000, is_least=True), made_of),
        Row("  aiosfstream merely iterating", other, "events/s"),
        Row("  intake : iterating", rate / other, "ratio", Reach(1, is_least=True)),
    ]


async def _iterated(sandbox: Backlog, last: str) -> float:
    # A connect that is cancelled when the client is closed is an exception to its own loop callback.
    asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
    began, count = time.perf_counter(), 0
    client = aiosfstream.Client(
        peer.Login(sandbox.salesforce), connection_timeout=20, replay=aiosfstream.ReplayOption.ALL_EVENTS
    )
    async with client:
        await client.subscribe(peer.CHANNEL)
        async for message in client:
            count += 1
            if str(message["data"]["event"]["replayId"]) == last:
                break
        took = time.perf_counter() - began
    assert count == EVENTS + ROUNDS  # and the change that gave each house its place
    return took


@asynccontextmanager
async def _waiting(sandbox: Backlog, server: str) -> AsyncIterator[House]:
    """A house whose daemon has listened once: what happens from now on is its backlog."""
    async with stage.staged(sandbox, server) as staged:
        async with stage.running(staged.m3sync) as daemon:
            await daemon.until_listening()
            await _place(staged.house)
        await staged.house.db.execute("DELETE FROM inbox; DELETE FROM change_events")
        yield staged.house


async def _place(house: House) -> None:
    """One change is heard: the stream has a place from which the backlog is replayed."""
    found = await house.query("SELECT Id FROM Opportunity LIMIT 1")
    await house.salesforce("PATCH", f"/sobjects/Opportunity/{found[0]['Id']}", {"NextStep": str(uuid4())})
    heard = "SELECT EXISTS (SELECT FROM change_events)"
    await houses.until(lambda: house.db.fetchval(heard), seconds=60)


async def _taken_in(house: House, last: str) -> float:
    """The daemon's own subscriber alone, until the last event is durable."""
    began, stop = time.perf_counter(), asyncio.Event()
    async with Links(house.db, vault.load_or_create_key(house.settings.vault_key_path)) as links:
        listening = asyncio.create_task(
            _subscriber(await Tasks(house.db, links, Manner()).wanted()).run(stop)
        )
        await houses.until(lambda: stage.is_durable(house, last), seconds=120)
        took = time.perf_counter() - began
        stop.set()
        await listening
    heard = await house.db.fetchval("SELECT count(*) FROM change_events")
    assert EVENTS <= heard < EVENTS + ROUNDS, "and the changes that gave later houses their places"
    assert await house.db.fetchval("SELECT count(*) FROM inbox") == RECORDS
    return took


def _subscriber(tasks: list[Task]) -> Task:
    [found] = [each for each in tasks if each.name.startswith("stream:")]
    return found
