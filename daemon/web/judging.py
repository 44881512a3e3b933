"""Whether the daemon is ready, and what is wrong when it is not: one judgement for every page that asks."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from daemon.web.sources import Sources
from state import health, integrations
from state.database import Db
from state.errors import DatabaseUnavailable, StateError
from state.models import Health, Integration

PATIENCE = timedelta(seconds=3)
Result = TypeVar("Result")
_left_behind: set[asyncio.Task[Any]] = set()  # the event loop itself holds tasks only weakly


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason not to be ready: what is wrong where, and what to do."""

    subject: str
    message: str
    instruction: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Ready when there is no cause against it."""

    causes: tuple[Cause, ...] = ()

    @property
    def is_ready(self) -> bool:
        return not self.causes


async def judge(sources: Sources) -> Verdict:
    """Database reached, parts running, both systems well, every enabled integration listening."""
    if not sources.is_running():
        return Verdict((Cause("daemon", sources.trouble() or "It is starting or stopping."),))
    try:
        reports, wanted = await patiently(_read(sources))
    except StateError as error:
        return Verdict((Cause("database", error.reason, error.instruction),))
    return Verdict((*_unwell(reports, wanted), *_not_listening(reports, wanted, sources)))


async def _read(sources: Sources) -> tuple[list[Health], list[Integration]]:
    db = reached(sources)
    return await health.all(db), await integrations.enabled(db)


async def patiently(work: Coroutine[Any, Any, Result]) -> Result:
    """What `work` gives; raises DatabaseUnavailable when it takes longer than PATIENCE.

    What is late is left behind, not waited for: a connection is given back to a database that hangs only as
    fast as the database allows.
    """
    task = asyncio.create_task(work, name="web answer")
    try:
        done, _ = await asyncio.wait({task}, timeout=PATIENCE.total_seconds())
    finally:
        if not task.done():
            task.cancel()
            _left_behind.add(task)
            task.add_done_callback(_forget)
    if done:
        return task.result()
    raise DatabaseUnavailable(
        f"The database did not answer in {PATIENCE.total_seconds():.0f} s.", "Look at the database server."
    )


def _forget(task: asyncio.Task[Any]) -> None:
    _left_behind.discard(task)
    if not task.cancelled():
        task.exception()  # read, so that it is not reported as never read


def reached(sources: Sources) -> Db:
    """The database; raises DatabaseUnavailable while it has not been reached."""
    db = sources.db()
    if db is None:
        raise DatabaseUnavailable(
            sources.trouble() or "The database has not been reached yet.", "m3sync keeps trying."
        )
    return db


def _unwell(reports: list[Health], wanted: list[Integration]) -> list[Cause]:
    """What the parts say of themselves; what no enabled integration uses makes nobody wait."""
    used: dict[str, set[str | None]] = {
        "salesforce": {each.salesforce_credential_name for each in wanted},
        "m3ter": {each.m3ter_credential_name for each in wanted},
        "stream": {each.name for each in wanted},
        "entity budget": {each.name for each in wanted},
    }
    return [
        Cause(each.subject, each.message, each.instruction)
        for each in reports
        if not each.is_well and _is_used(each.subject, used)
    ]


def _is_used(subject: str, used: dict[str, set[str | None]]) -> bool:
    kind, colon, name = subject.partition(":")
    if kind == "window":
        return False  # what may have been missed is an issue; the daemon goes on listening all the same
    return not colon or kind not in used or name in used[kind]


def _not_listening(reports: list[Health], wanted: list[Integration], sources: Sources) -> list[Cause]:
    """A stream counts only when this very process has reported it: an earlier one's word is old."""
    heard = {each.subject for each in reports if each.reported_at >= sources.started_at}
    return [
        Cause(f"stream:{each.name}", "It is not listening to Salesforce's change events yet.")
        for each in wanted
        if each.is_to_m3ter and each.salesforce_credential_name and f"stream:{each.name}" not in heard
    ]
