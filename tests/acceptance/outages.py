"""What befalls the stream and the database as a whole: each under a daemon at work, judged by the oracle."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from state import embedded, migrations, postmaster
from tests import databases
from tests.acceptance import acts, fault_matrix
from tests.acceptance.house import until
from tests.acceptance.scenes import Ground, Scene

AT_ONCE = 4
COMETD = {"path": "/cometd/*"}
TOKEN = {"path": "/services/oauth2/token"}
Told = list[dict[str, Any]]


def _refused(**kinds: Any) -> Told:
    return [{"kind": kind, **more} for kind, more in kinds.items()]


def _subscription(error: str, times: int = 1) -> Told:
    """The session is lost, and the next subscriptions are refused."""
    return [{"kind": "refuse_subscription", "error": error, "times": times}, {"kind": "drop_session"}]


def _denied(reason: str) -> Told:
    return [{"kind": "deny_handshake", "error": reason, "times": 2}, {"kind": "drop_session"}]


def _connect(**reply: Any) -> Told:
    """The next connect is answered so; the held one returns because its session is dropped."""
    body = [{"channel": "/meta/connect", "id": "1", **reply}]
    match = {**COMETD, "body": '*"/meta/connect"*'}
    fault = {"kind": "status", "status": 200, "body": body, "match": match, "times": 1}
    return [fault, {"kind": "drop_session"}]


# What facts of the Streaming API and its clients' known defects name. Each is told the sandbox in this order.
STREAM: dict[str, Told] = {
    "the token endpoint is away while the token expires": [
        {"kind": "status", "status": 503, "match": TOKEN, "times": 4},
        {"kind": "unauthorized", "times": 2},
        {"kind": "drop_session"},
    ],
    "the token endpoint answers HTML for a while": [
        {"kind": "status", "status": 500, "body": fault_matrix.HTML, "match": TOKEN, "times": 4},
        {"kind": "expired_session", "match": COMETD, "times": 1},
        {"kind": "drop_session"},
    ],
    "a place is refused when subscribing again": [{"kind": "refuse_replay"}, {"kind": "drop_session"}],
    "the places are refused for a while": [{"kind": "refuse_replay", "times": 3}, {"kind": "drop_session"}],
    "unknown client": _refused(drop_session={}),
    "authentication invalid": _refused(unauthorized={}),
    "too busy, said as a refused token": _refused(too_busy={}),
    "too busy at the handshake": [{"kind": "too_busy", "on": "handshake"}, {"kind": "drop_session"}],
    "handshake denied: token": _denied("401::Authentication invalid"),
    "handshake denied: no token": _denied("401::Request requires authentication"),
    "handshake denied: concurrency": _denied("403::Concurrency limit exceeded"),
    "handshake denied: DoS": _denied("403::DoS limit exceeded"),
    "concurrent user limit": _subscription("403::Organization concurrent user limit exceeded"),
    "daily limit": _subscription("403::Organization total events daily limit exceeded", 3),
    "no View All Data": _subscription(
        "403::User not allowed to subscribe CDC without View All Data permissions"
    ),
    "topic limit": _subscription("403::Subscription limit exceeded for this topic"),
    "no such channel": _subscription("400::The channel you requested to subscribe to doesn't exist {x}"),
    "an interval in milliseconds": _connect(
        successful=True, advice={"reconnect": "retry", "interval": 900, "timeout": 110000}
    ),
    "the cookie is missing": _connect(successful=False, error="400::Client x no sfdc-stream cookie present"),
    "daily limit at connect": _connect(
        successful=False,
        error="403::Organization total events daily limit exceeded",
        advice={"reconnect": "none", "interval": 0},
    ),
}


async def weathered(ground: Ground, name: str, told: Told) -> list[str]:
    """What is wrong after this befell the stream between two changes."""
    async with fault_matrix.staged(ground, name) as stage, stage.daemon():
        await acts.win(stage)
        await stage.settle()
        for fault in told:
            if fault["kind"] != "drop_session":
                await stage.sandbox.salesforce_control.call("POST", "faults", fault)
        if {"kind": "drop_session"} in told:
            stage.sandbox.running.stream.own_kinds()["drop_session"]({})
        await acts.reprice(stage)  # in the same moment: nobody can have subscribed again
        lost = await stage.settle(seconds=40)
        await acts.reprice_often(stage)  # which would bring what was lost before
        await stage.settle(seconds=40)
        return [*lost, *await stage.wrongs()]


@asynccontextmanager
async def own_ground(directory: Path) -> AsyncIterator[tuple[Ground, Path]]:
    """A database server of its own, started again when it dies, and the directory of its data."""
    async with embedded.server(directory) as url:
        await databases._statements(url, "CREATE DATABASE laid_out")
        await migrations.migrate(databases.in_database(url, "laid_out"))
        yield Ground(url, "laid_out", directory), directory / "postgres" / "data"


Blow = Callable[[Path], Awaitable[None]]
_TO_M3TER = "*/organizations/*"


async def shut_down(data: Path) -> None:
    """As an administrator restarts it."""
    _strike(data, signal.SIGINT)


async def kill(data: Path) -> None:
    """As when memory runs out: nothing is said to anybody, what was not committed is gone."""
    _strike(data, signal.SIGKILL)


def _strike(data: Path, how: signal.Signals) -> None:
    running = postmaster.process_id(data)
    assert running is not None, "no database runs"
    os.kill(running[0], how)


async def count_calls(ground: Ground) -> int:
    """How many calls to m3ter the first sync of an agreement with two lines makes when nothing befalls it."""
    async with fault_matrix.staged(ground, "undisturbed") as stage, stage.daemon():
        await stage.sandbox.m3ter_control.clear_journal()
        await acts.win(stage)
        await stage.settle()
        return len(await stage.sandbox.m3ter_control.journal(f"path={_TO_M3TER}"))


async def struck(ground: Ground, data: Path, blow: Blow, call: int) -> list[str]:
    """What is wrong after the database was struck while the nth call to m3ter was under way."""
    async with fault_matrix.staged(ground, f"{blow.__name__}-{call}") as stage, stage.daemon():
        held = {"kind": "latency", "seconds": 0.4, "skip": call, "times": 1}
        match = {"path": _TO_M3TER}
        await stage.sandbox.m3ter_control.call("POST", "faults", {**held, "match": match})
        await acts.win(stage)
        try:
            await until(lambda: _is_held(stage))
        except TimeoutError:  # one sync makes a call less than another
            return [f"{fault_matrix.MISSED}: call {call}"]
        await blow(data)
        await acts.reprice(stage)
        await stage.settle(seconds=90)
        return await stage.wrongs()


async def _is_held(stage: Scene) -> bool:
    return any(fault["hits"] for fault in await stage.sandbox.m3ter_control.faults())


async def all_weathered(ground: Ground) -> dict[str, list[str]]:
    """What is wrong after each of STREAM."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(number: int, name: str) -> tuple[str, list[str]]:
        async with turn:
            return name, await weathered(ground, f"weather-{number}", STREAM[name])

    ends = await asyncio.gather(*(one(number, name) for number, name in enumerate(STREAM)))
    return {name: wrongs for name, wrongs in ends if wrongs}
