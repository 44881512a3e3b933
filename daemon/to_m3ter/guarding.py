"""The echo guard: marks what was heard as our own echo, a near miss or somebody else's change."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

import structlog

from connectors.salesforce import rest
from connectors.salesforce.models import ChangeEvent
from daemon import echoes
from daemon.clients import Org
from daemon.echoes import Ours, Seen
from daemon.to_m3ter.intake import Heard
from state import own_writes, rereads
from state.database import Connection
from state.own_writes import Verdict

log = structlog.get_logger(__name__)

_UNKNOWABLE: Mapping[str, str | None] = {"": None}  # content that equals nothing that we wrote


async def ours(org: Org) -> Ours:
    """Who we are in this org's change events. Raises AuthenticationError, TransientError."""
    return Ours(await org.user_id(), rest.CLIENT_NAME)


async def mark(
    tx: Connection, org_id: str, integration_id: UUID, us: Ours, heard: Sequence[Heard]
) -> list[Heard]:
    """The same, each with its verdict in `change.own_write`; expectations are used up and verdicts counted in
    the transaction that makes what was heard durable."""
    seen = {
        index: _seen(each.event, each.change.record_id, us)
        for index, each in enumerate(heard)
        if each.event is not None
    }
    verdicts = dict(zip(seen, await _verdicts(tx, org_id, integration_id, [*seen.values()]), strict=True))
    await own_writes.count(tx, integration_id, Counter(verdicts.values()))
    return [
        each
        if verdicts.get(index, Verdict.FOREIGN) is Verdict.FOREIGN
        else replace(each, change=replace(each.change, own_write=verdicts[index].value))
        for index, each in enumerate(heard)
    ]


def _seen(event: ChangeEvent, record_id: str, us: Ours) -> Seen:
    try:
        return echoes.seen(event, record_id, us)
    except Exception:
        # One event must stop only itself, even when the fault is ours: it counts as somebody else's change.
        log.exception("unexpected failure", record_id=record_id, replay_id=event.replay_id)
        return Seen(event.object_name, record_id, event.change_type, _UNKNOWABLE, event.transaction_key)


async def _verdicts(tx: Connection, org_id: str, integration_id: UUID, seen: Sequence[Seen]) -> list[Verdict]:
    expected = await own_writes.meeting(
        tx,
        org_id,
        record_ids=(each.record_id for each in seen),
        keys=(value for each in seen for value in _keys(each)),
        transaction_keys=(each.transaction_key for each in seen),
    )
    found = echoes.sift(seen, expected)
    await own_writes.spend(tx, found.spent)
    held = [each for each, verdict in zip(seen, found.verdicts, strict=True) if verdict is Verdict.ECHO]
    # A sync that is under way may have read the record before we wrote it: it is synced once more.
    in_hand = await own_writes.in_hand(tx, integration_id, {each.record_id for each in held})
    # A change of it that was missed may be in a window that is not read yet, out of which our write moves it.
    # Asked while the expectations are locked, which the end of a window forgets first: one of both is seen.
    unread = await rereads.unread(tx, integration_id, org_id, {each.object_name for each in held})

    def is_due(each: Seen) -> bool:
        return each.record_id in in_hand or each.object_name.lower() in unread

    return [
        Verdict.NEAR_MISS if verdict is Verdict.ECHO and is_due(each) else verdict
        for each, verdict in zip(seen, found.verdicts, strict=True)
    ]


def _keys(each: Seen) -> list[str]:
    is_new = each.change_type == own_writes.WriteKind.CREATE
    return [value for value in each.fields.values() if value is not None] if is_new else []


def parted(heard: Sequence[Heard]) -> tuple[list[Heard], list[Heard]]:
    """What is to be synced, and the echoes that are only remembered."""
    echo = Verdict.ECHO.value
    return (
        [each for each in heard if each.change.own_write != echo],
        [each for each in heard if each.change.own_write == echo],
    )
