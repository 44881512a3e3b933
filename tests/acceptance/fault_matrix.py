"""The fault matrix: plays one story, lets one call of a kind go wrong, and judges what came of it."""

import asyncio
import itertools
import re
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs

from connectors import wire
from tests.acceptance import acts, hurried, scenes
from tests.acceptance.house import until
from tests.acceptance.scenes import Act, Ground, Scene
from tests.sandboxes import ControlApi

AT_ONCE = 4
MISSED = "MISSED"
HTML = "<html><head><title>Down for Maintenance</title></head><body>Be right back</body></html>"
EXPIRED = [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]
IMPATIENT = "connect_seconds = 1\ntotal_seconds = 1\nattempts = 2\nprobe_seconds = 3600\n"
SETTINGS = f"[salesforce]\n{IMPATIENT}[m3ter]\n{IMPATIENT}per_second = 1000\n"
# What may go wrong with any call. The answers of some are lost after the effect.
FAULTS: dict[str, dict[str, Any]] = {
    "refuse": {"kind": "refuse"},
    "reset before the effect": {"kind": "reset_before"},
    "reset after the effect": {"kind": "reset_after"},
    "black hole": {"kind": "black_hole"},
    "time-out after the effect": {"kind": "hang_after"},
    "slow": {"kind": "slow", "seconds": 0.6},
    "too slow": {"kind": "slow", "seconds": 3},
    "truncated body": {"kind": "truncate"},
    "HTML": {"kind": "status", "status": 503, "body": HTML},
    "HTML as if all were well": {"kind": "status", "status": 200, "body": HTML},
    "401": {"kind": "status", "status": 401, "body": EXPIRED},
    "401 in HTML": {"kind": "status", "status": 401, "body": HTML},
    "expired session": {"kind": "expired_session"},
    "403": {"kind": "rate_limited"},
    "403 in HTML": {"kind": "status", "status": 403, "body": HTML},
    "429": {"kind": "status", "status": 429, "body": {"message": "Too many requests"}},
    "500": {"kind": "status", "status": 500, "body": {"message": "Internal"}},
    "500 after the effect": {"kind": "status_after", "status": 500},
    "503": {"kind": "status", "status": 503, "body": {"message": "Unavailable"}},
}
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|\b(?=[A-Za-z]*[0-9])[0-9A-Za-z]{15,18}\b")
_VALUE = re.compile(r"'[^']*'|\d{4}-\d\d-\d\dT[^ )]*")
_LIST = re.compile(r"\(\*(?:, ?\*)*\)")


@dataclass(frozen=True, slots=True, order=True)
class Kind:
    """A kind of call, as globs that fit every call of it."""

    system: str
    method: str
    path: str
    query: str = "*"
    body: str = "*"

    def __str__(self) -> str:
        said = " ".join(part for part in (self.query, self.body) if part != "*")
        return f"{self.system} {self.method} {self.path} {said}".strip()

    @property
    def match(self) -> dict[str, str]:
        """For POST /sandbox/faults."""
        return {"method": self.method, "path": self.path, "query": self.query, "body": self.body}


@dataclass(frozen=True, slots=True)
class Step:
    """One act of the story; `away`: while no daemon listens, and one is started after it."""

    act: Act
    away: bool = False


STORY = (
    Step(acts.win, away=True),
    Step(acts.reprice),
    Step(acts.overflow),
    Step(acts.delete_and_purge, away=True),
)


@dataclass(frozen=True, slots=True)
class Case:
    """This fault at the nth call of this kind from the beginning of a step on."""

    step: int
    kind: Kind
    fault: str
    skip: int = 0

    def __str__(self) -> str:
        return f"{self.fault} at call {self.skip + 1} of {self.kind} in step {self.step + 1}"


def kind_of(system: str, entry: dict[str, Any]) -> Kind:
    """The kind of a journalled call: ids and values taken out."""
    path, query, body = _ID.sub("*", entry["path"]), "*", "*"
    if "/cometd/" in path and isinstance(entry["request"], list):
        body = f'*"{entry["request"][0].get("channel")}"*'
    elif asked := parse_qs(entry["query"]).get("q"):
        text = _LIST.sub("(*)", _VALUE.sub("*", asked[0]))
        query = f"*{text[text.rindex(' FROM ') :]}*"
    return Kind(system, entry["method"], path, query, body)


async def recorded(ground: Ground) -> list[dict[Kind, int]]:
    """How often each kind of call is made in each step of an undisturbed story."""
    found: list[dict[Kind, int]] = []
    seen = {"salesforce": 0, "m3ter": 0}
    async with staged(ground, "recorded") as stage:
        async for _ in story(stage):
            counts: dict[Kind, int] = {}
            for system, control in controls(stage).items():
                for entry in await control.journal(f"bodies=1&since={seen[system]}"):
                    seen[system] = entry["number"]
                    if not (_is_goodbye(entry) or _is_held(entry)):
                        kind = kind_of(system, entry)
                        counts[kind] = counts.get(kind, 0) + 1
            found.append(counts)
        wrongs = await stage.wrongs()
        assert not wrongs, wrongs
    return found


def _is_goodbye(entry: dict[str, Any]) -> bool:
    """Of the daemon of the step before."""
    return "/meta/disconnect" in wire.dumps(entry["request"]).decode()


def _is_held(entry: dict[str, Any]) -> bool:
    """A long poll that waits for events: it was journalled, and what it says is not kept yet."""
    return "/cometd/" in entry["path"] and entry["request"] is None


async def disturbed(ground: Ground, name: str, case: Case) -> list[str]:
    """What is wrong at the end of a story in which one call went wrong."""
    async with staged(ground, name) as stage:
        control = controls(stage)[case.kind.system]
        async for _ in story(stage, before={case.step: (control, case)}):
            pass
        hit = any(fault["hits"] for fault in await control.faults())
        await control.clear_faults()
        await until(lambda: _all_said(stage))
        missed = [] if hit else [f"{MISSED}: {case}"]
        return missed or await stage.wrongs()


async def _all_said(stage: Scene) -> bool:
    """What was held is let go, and it is known what each write to m3ter said."""
    entries = await stage.sandbox.m3ter_control.journal("bodies=1&path=*/organizations/*")
    return all(
        entry["request"]
        for entry in entries
        if entry["method"] in ("POST", "PUT") and "hang" in str(entry["fault"])
    )


@asynccontextmanager
async def staged(ground: Ground, name: str) -> AsyncIterator[Scene]:
    """A scene whose daemon has little patience."""
    async with scenes.scene(ground, name, settings=SETTINGS) as stage:
        stage.program = hurried.main
        yield stage


def controls(stage: Scene) -> dict[str, ControlApi]:
    """The control API of each system."""
    return {"salesforce": stage.sandbox.salesforce_control, "m3ter": stage.sandbox.m3ter_control}


async def story(stage: Scene, before: dict[int, tuple[ControlApi, Case]] | None = None) -> AsyncIterator[int]:
    """Plays the steps; gives each one's number when it is seen through."""
    numbers = itertools.count()
    for run in _runs():
        opening = run[0]
        number = next(numbers)
        await _disturb(number, before)
        await opening.act(stage)
        async with stage.daemon():
            await stage.settle(seconds=150)
            yield number
            for step in run[1:]:
                number = next(numbers)
                await _disturb(number, before)
                await step.act(stage)
                await stage.settle(seconds=150)
                yield number


async def _disturb(number: int, before: dict[int, tuple[ControlApi, Case]] | None) -> None:
    if before and number in before:
        control, case = before[number]
        fault = {"match": case.kind.match, "times": 1, "skip": case.skip, **FAULTS[case.fault]}
        await control.call("POST", "faults", fault)


def _runs() -> list[list[Step]]:
    """The steps by daemon: each begins with one that happens while none listens."""
    runs: list[list[Step]] = []
    for step in STORY:
        if step.away:
            runs.append([])
        runs[-1].append(step)
    return runs


async def met(case: Case, play: Callable[[Case], Awaitable[list[str]]]) -> tuple[Case, list[str]]:
    """How a case ends. An act takes a call more or less from time to time: one that is not met is played anew
    at an earlier call."""
    while (found := await _in_time(case, play)) and found[0].startswith(MISSED) and case.skip:
        case = replace(case, skip=case.skip // 2)
    return case, found


async def _in_time(case: Case, play: Callable[[Case], Awaitable[list[str]]]) -> list[str]:
    try:
        return await play(case)
    except TimeoutError:
        return [f"something did not come in time: {traceback.format_exc(limit=-4)}"]


async def matrix(ground: Ground, cases: Iterable[Case]) -> dict[str, list[str]]:
    """What is wrong after each of them, some at a time."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(number: int, case: Case) -> tuple[str, list[str]]:
        async with turn:
            case, found = await met(case, lambda each: disturbed(ground, f"{number:04}-{each.skip}", each))
            return str(case), found

    return dict(await asyncio.gather(*(one(number, case) for number, case in enumerate(cases))))


def judge(ends: dict[str, list[str]]) -> None:
    """Fail with each case after which something was wrong, or whose call was never made."""
    wrong = {case: found for case, found in ends.items() if found}
    missed = [case for case, found in wrong.items() if found[0].startswith(MISSED)]
    really = {case: found for case, found in wrong.items() if case not in missed}
    assert not really, "\n".join(f"{case}: {found}" for case, found in really.items())
    assert len(missed) <= len(ends) / 10, f"never met: {missed}"
