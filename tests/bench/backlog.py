"""A sandbox that makes a backlog when told to: `python -m tests.bench.backlog EVENTS RECORDS`."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from connectors import wire
from connectors.sandbox import serving
from connectors.sandbox.serving import Running
from tests.sandboxes import REPOSITORY, ControlApi, Sandbox

TRANSACTION = 200  # records written together, as by one call of sObject Collections


@dataclass(frozen=True, slots=True)
class Backlog(Sandbox):
    """A sandbox in a process of its own."""

    process: asyncio.subprocess.Process

    async def change(self) -> str:
        """Let all the changes happen; gives the replay id of the last one."""
        self.process.send_signal(signal.SIGUSR1)
        assert self.process.stdout is not None
        return (await self.process.stdout.readline()).decode().strip()


@asynccontextmanager
async def serving_backlog(events: int, records: int) -> AsyncIterator[Backlog]:
    """To be so many change events of so many Opportunities."""
    command = [sys.executable, "-m", "tests.bench.backlog", str(events), str(records)]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, cwd=REPOSITORY)
    assert process.stdout is not None
    try:
        known = wire.loads(await process.stdout.readline())
        assert isinstance(known, dict)
        async with aiohttp.ClientSession() as session:
            salesforce, m3ter = known["salesforce"], known["m3ter"]
            controls = ControlApi(salesforce["url"], session), ControlApi(m3ter["url"], session)
            yield Backlog(salesforce, m3ter, *controls, process)
    finally:
        if process.returncode is None:
            os.kill(process.pid, signal.SIGTERM)
        await process.wait()


def _change(running: Running, events: int) -> None:
    """Each event tells of another next step of another record, in turn."""
    ids = [row["Id"] for row in running.org.table("Opportunity").live()]
    for first in range(0, events, TRANSACTION):
        with running.org.transaction() as tx:
            for number in range(first, min(first + TRANSACTION, events)):
                tx.update("Opportunity", ids[number % len(ids)], {"NextStep": f"Step {number}"})
    _say(str(running.stream.bus.last_id))


async def serve(events: int, records: int) -> None:
    """Serve until SIGTERM; SIGUSR1 makes the changes."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    async with serving.serve(serving.Options(scale=records)) as running:
        loop.add_signal_handler(signal.SIGUSR1, _change, running, events)
        _say(running.as_json())
        await stop.wait()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2])))
