"""Follows windows that the daemon reads again, until all is read and synced."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from daemon.cli.headway import Headway
from daemon.cli.watching import Ended, Watcher
from state import reread_progress
from state.reread_progress import Progress


@dataclass(frozen=True, slots=True)
class Totals:
    """All windows together. `total` None: it is not known yet how many records there are to read."""

    read: int
    total: int | None
    put: int
    synced: int
    waiting: int
    postponed: int
    set_aside: int
    differences: int
    is_read: bool

    @property
    def is_over(self) -> bool:
        """All is read, and what is not synced waits for longer than anybody wants to watch."""
        return self.is_read and self.waiting <= self.postponed


def totals(windows: Sequence[Progress]) -> Totals:
    known = [each.total for each in windows if each.total is not None]
    read = sum(each.records_read for each in windows)
    return Totals(
        read=read,
        # What is changed while it is read is met twice.
        total=max(sum(known), read) if len(known) == len(windows) else None,
        put=sum(each.records_put for each in windows),
        synced=sum(each.synced for each in windows),
        waiting=sum(each.waiting for each in windows),
        postponed=sum(each.postponed for each in windows),
        set_aside=sum(each.set_aside for each in windows),
        differences=sum(each.differences for each in windows),
        is_read=all(each.is_read for each in windows),
    )


async def follow(watcher: Watcher, ids: Sequence[UUID]) -> tuple[Ended, list[Progress]]:
    """Why it ended, and how far the windows are. What ails one is told once."""
    windows, told = list[Progress](), ""

    async def look() -> Headway:
        nonlocal windows, told
        windows = await reread_progress.of(watcher.db, ids)
        trouble = _trouble(windows)
        if trouble not in ("", told):
            watcher.view.tell(trouble)
        told = trouble
        return headway(totals(windows))

    return await watcher.watch(look), windows


def _trouble(windows: Sequence[Progress]) -> str:
    ailing = next((each for each in windows if each.error and not each.is_read), None)
    return "" if ailing is None else f"{ailing.object_name}: {ailing.error} {ailing.instruction}".rstrip()


def headway(now: Totals) -> Headway:
    """Until all is read nobody knows how many there are to sync."""
    return Headway(
        read=now.read,
        to_read=now.read if now.is_read else now.total,
        done=now.synced + now.set_aside,
        to_do=now.put if now.is_read else None,
        text=f"{reading(now)}; {syncing(now)}",
        is_over=now.is_over,
    )


def reading(now: Totals) -> str:
    if now.is_read:
        return f"read {now.read:,}"
    return f"read {now.read:,} of {now.total:,}" if now.total is not None else f"read {now.read:,}"


def syncing(now: Totals) -> str:
    return f"synced {now.synced:,} of {now.put:,}"
