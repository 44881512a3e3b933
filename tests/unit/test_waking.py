"""Whoever waits for work is woken by each announcement, whoever else has heard it already."""

import asyncio
from collections import Counter
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from daemon.retries import Policy
from daemon.to_m3ter.rereading import Options as Rereading
from daemon.to_m3ter.rereading import Rereader
from daemon.to_m3ter.worker import Options, Worker
from daemon.waiting import Bell
from state import inbox, rereads

HOUR = timedelta(hours=1)


class Claims:
    """Counts who looks for work; there is never any, and the first look of `slow` takes its time."""

    def __init__(self) -> None:
        self.looks: Counter[str] = Counter()
        self.changed = asyncio.Condition()
        self.may_answer = asyncio.Event()

    async def look(self, name: str) -> None:
        async with self.changed:
            self.looks[name] += 1
            self.changed.notify_all()
        if name == "slow" and not self.may_answer.is_set():
            await self.may_answer.wait()

    async def until(self, name: str, looks: int) -> None:
        async with asyncio.timeout(5), self.changed:
            await self.changed.wait_for(lambda: self.looks[name] >= looks)


def a_worker(name: str, bell: Bell) -> Worker:
    place: Any = SimpleNamespace(db=None, mappings={}, policy=Policy())
    return Worker(place, Options(name, poll=HOUR), bell)


def a_rereader(name: str, bell: Bell) -> Rereader:
    async def org_id() -> str:
        return name

    org: Any = SimpleNamespace(org_id=org_id)
    pages: Any = SimpleNamespace(integration_id=None)
    db: Any = None
    return Rereader(db, org, pages, Rereading(poll=HOUR), bell)


@pytest.mark.parametrize("make", [a_worker, a_rereader])
async def test_what_is_announced_while_one_looks_is_not_taken_from_it_by_another(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims, bell, stop = Claims(), Bell(), asyncio.Event()

    async def from_inbox(_db: Any, *, worker: str, **_: Any) -> None:
        await claims.look(worker)

    async def from_windows(_db: Any, _integration_id: Any, org_id: str, _lease: timedelta) -> None:
        await claims.look(org_id)

    monkeypatch.setattr(inbox, "claim", from_inbox)
    monkeypatch.setattr(rereads, "claim", from_windows)
    async with asyncio.TaskGroup() as group:
        group.create_task(make("slow", bell).run(stop))
        await claims.until("slow", 1)
        bell.ring()
        group.create_task(make("other", bell).run(stop))
        await claims.until("other", 1)
        claims.may_answer.set()
        await claims.until("slow", 2)
        bell.ring()
        await claims.until("slow", 3)
        await claims.until("other", 2)
        stop.set()
