"""Faults of one sandbox server: what is to go wrong, with which requests, how often."""

import asyncio
import itertools
import re
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Kind(StrEnum):
    """What a fault does to a request that it matches."""

    LATENCY = "latency"  # wait `seconds`, then go on
    STATUS = "status"  # answer `status` with `body`; nothing happens
    STATUS_AFTER = "status_after"  # it happens, and the answer is `status` with `body`
    REFUSE = "refuse"  # reset the connection before the body is read
    RESET_BEFORE = "reset_before"  # read the request, reset the connection; nothing happens
    RESET_AFTER = "reset_after"  # it happens, the connection is reset instead of an answer
    HANG_BEFORE = "hang_before"  # hold for `seconds` or until cleared, then go on if the client still waits
    HANG_AFTER = "hang_after"  # it happens, the answer is held for `seconds` or until cleared
    BLACK_HOLE = "black_hole"  # never answer; nothing happens
    TRUNCATE = "truncate"  # it happens, the body is cut short of its Content-Length
    SLOW = "slow"  # it happens, the body dribbles over `seconds`
    EXPIRED_SESSION = "expired_session"  # the bearer token is withdrawn, the answer says so
    RATE_LIMITED = "rate_limited"  # the system's own answer to too many requests


@dataclass(frozen=True, slots=True)
class Asked:
    """What a fault sees of a request; `query` is decoded, `body` only there when a fault looks at it."""

    method: str
    path: str
    query: str = ""
    body: str = ""


class Match(BaseModel):
    """Which requests: globs over each part; a path that starts with ^ is a regular expression."""

    model_config = ConfigDict(extra="forbid")
    method: str = "*"
    path: str = "*"
    query: str = "*"
    body: str = "*"

    def fits(self, asked: Asked) -> bool:
        """Whether a request is one of these."""
        if not fnmatchcase(asked.method.upper(), self.method.upper()):
            return False
        if not (fnmatchcase(asked.query, self.query) and fnmatchcase(asked.body, self.body)):
            return False
        if self.path.startswith("^"):
            return re.search(self.path, asked.path) is not None
        return fnmatchcase(asked.path, self.path)


class FaultRequest(BaseModel):
    """A fault as it is posted. `times` null: until cleared. `skip`: so many go free first."""

    model_config = ConfigDict(extra="forbid")
    kind: Kind
    match: Match = Match()
    times: int | None = Field(default=None, ge=1)
    skip: int = Field(default=0, ge=0)
    seconds: float | None = Field(default=None, ge=0)
    status: int = Field(default=500, ge=200, le=599)
    body: dict[str, Any] | list[Any] | str | None = None
    headers: dict[str, str] = Field(default_factory=dict)


class Fault:
    """A fault at work; `hits` counts the requests it met, `holding` those that it holds right now."""

    def __init__(self, number: int, request: FaultRequest) -> None:
        self.number = number
        self.request = request
        self.hits = 0
        self.holding = 0
        self.released = asyncio.Event()
        self._to_skip = request.skip

    @property
    def is_spent(self) -> bool:
        """Whether it met as many requests as it was posted for."""
        return self.request.times is not None and self.hits >= self.request.times

    def takes(self, asked: Asked) -> bool:
        """Whether this request meets the fault; counts it if so."""
        if self.is_spent or not self.request.match.fits(asked):
            return False
        if self._to_skip:
            self._to_skip -= 1
            return False
        self.hits += 1
        return True

    async def hold(self, seconds: float | None) -> None:
        """Wait until the fault is cleared, at most `seconds`."""
        self.holding += 1
        try:
            async with asyncio.timeout(seconds):
                await self.released.wait()
        except TimeoutError:
            return
        finally:
            self.holding -= 1

    def as_json(self) -> dict[str, Any]:
        """The fault as the control API shows it."""
        shown = self.request.model_dump(mode="json")
        return {
            "id": self.number,
            **shown,
            "hits": self.hits,
            "holding": self.holding,
            "spent": self.is_spent,
        }


class Faults:
    """The faults of one server, in the order in which they were posted."""

    def __init__(self) -> None:
        self._faults: dict[int, Fault] = {}
        self._numbers = itertools.count(1)

    def add(self, request: FaultRequest) -> Fault:
        """Let a fault begin; raises re.error when its path is no regular expression."""
        if request.match.path.startswith("^"):
            re.compile(request.match.path)
        fault = Fault(next(self._numbers), request)
        self._faults[fault.number] = fault
        return fault

    @property
    def look_into_bodies(self) -> bool:
        """Whether it must be known what a request says, to tell which faults it meets."""
        return any(fault.request.match.body != "*" for fault in self._faults.values() if not fault.is_spent)

    def meeting(self, asked: Asked) -> list[Fault]:
        """The faults that this request meets."""
        return [fault for fault in self._faults.values() if fault.takes(asked)]

    def listed(self) -> list[Fault]:
        """Every fault not cleared, spent ones included."""
        return list(self._faults.values())

    def clear(self, number: int | None = None) -> int:
        """Clear one or all, releasing what they hold; returns how many there were."""
        numbers = list(self._faults) if number is None else [n for n in self._faults if n == number]
        for cleared in numbers:
            self._faults.pop(cleared).released.set()
        return len(numbers)
