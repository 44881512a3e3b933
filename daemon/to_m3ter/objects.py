"""Bring one object into step in m3ter: found, created once, updated, or left as it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.errors import NotFoundError, RejectedError, SyncError, TransientError
from connectors.m3ter.models import SALESFORCE, EntityKind
from connectors.m3ter.rest import Entity
from connectors.m3ter.shapes import REQUEST_FIELDS
from daemon.outcomes import Action
from daemon.to_m3ter import finding
from daemon.to_m3ter.ledger import OpenIntent
from daemon.to_m3ter.mapping import merge
from daemon.to_m3ter.wanted import Desk, Wanted, differences
from state.models import ExternalMapping

# How often an update starts anew from the entity as it is by then.
ROUNDS = 3
# m3ter documents no status for a stale version; these have been seen for such refusals elsewhere.
MAYBE_STALE = frozenset({400, 409, 412})


@dataclass(frozen=True, slots=True)
class Brought:
    """What was done, and the m3ter id that dependents take."""

    action: Action
    m3ter_id: str
    changes: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Located:
    """The entity as m3ter has it, and what the ledger knows of it."""

    entity: Entity
    known: ExternalMapping
    is_adopted: bool


@dataclass(frozen=True, slots=True)
class Absent:
    """It is not in m3ter; `intent` is what is left of a create whose answer was lost."""

    intent: OpenIntent | None


async def bring(desk: Desk, wanted: Wanted) -> Brought:
    """Raises RejectedError when m3ter does not allow it, TransientError and AuthenticationError for later."""
    found = await locate(desk, wanted)
    located = await _create(desk, wanted, found.intent) if isinstance(found, Absent) else found
    if isinstance(located, ExternalMapping):
        await _tie(desk, wanted, located)
        return Brought(Action.CREATED, located.m3ter_id)
    changes = await update(desk, wanted, located.entity)
    await _tie(desk, wanted, located.known)
    action = Action.UPDATED if changes else Action.ADOPTED if located.is_adopted else Action.UNCHANGED
    return Brought(action, located.known.m3ter_id, changes)


async def locate(desk: Desk, wanted: Wanted) -> Located | Absent:
    """The entity that belongs to the record; remembered in the ledger when it was not yet."""
    target = wanted.target
    known = await desk.ledger.known(target)
    if known is not None:
        try:
            return Located(await desk.m3ter.get(wanted.kind, known.m3ter_id), known, is_adopted=False)
        except NotFoundError:
            await _prove_gone(desk, wanted, known)
    intent = await desk.ledger.open_intent(target)
    entity = await finding.existing(desk, wanted, intent)
    return Absent(intent) if entity is None else await _adopt(desk, wanted, entity, intent)


async def _prove_gone(desk: Desk, wanted: Wanted, known: ExternalMapping) -> None:
    """One 404 is no proof: what is forgotten by mistake is created a second time.

    What is known stays in the ledger until another entity takes its place. Raises TransientError while it may
    be there after all.
    """
    named = f"The {wanted.kind.value} {known.m3ter_id}"
    if await finding.is_listed(desk, wanted, known.m3ter_id):
        raise TransientError(
            f"{named} is not found in m3ter, and yet in its list.", instruction="It is tried again."
        )
    if not await desk.ledger.is_settled(known):
        raise TransientError(
            f"{named} was just created and is not visible in m3ter yet.",
            instruction="It is tried again. If you have deleted it, it is made anew in some minutes.",
        )
    desk.note(f"{named} of {wanted.target} is gone from m3ter: another is to take its place.")


async def _adopt(desk: Desk, wanted: Wanted, entity: Entity, intent: OpenIntent | None) -> Located:
    desk.note(f"The {wanted.kind.value} {entity['id']} is in m3ter already and is taken for {wanted.target}.")
    return Located(entity, await desk.ledger.keep(wanted.target, entity["id"], intent), is_adopted=True)


async def _create(desk: Desk, wanted: Wanted, earlier: OpenIntent | None) -> ExternalMapping | Located:
    """The new entity, or the one that an `earlier` lost create turns out to have made."""
    body = wanted.creation
    intent = await desk.ledger.intend(wanted.target, body)
    try:
        entity = await desk.m3ter.create(wanted.kind, body, send_before=intent.send_before)
    except TransientError as error:
        # A lost answer leaves the intent open: the next attempt reads before it creates.
        if not error.may_have_happened and earlier is None:
            await desk.ledger.withdraw(intent)
        raise
    except SyncError as error:
        if earlier is None:
            await desk.ledger.withdraw(intent)
        elif isinstance(error, RejectedError):
            # "Would overlap", "code is taken": perhaps by what the lost create made after we looked.
            late = await finding.existing(desk, wanted, intent)
            if late is not None:
                return await _adopt(desk, wanted, late, intent)
        raise  # what is refused now tells nothing of an earlier one: it may be there, and not be listed yet
    return await desk.ledger.keep(wanted.target, entity["id"], intent)


async def update(desk: Desk, wanted: Wanted, entity: Entity) -> dict[str, tuple[Any, Any]]:
    """The changes made to the entity as read; starts anew from it when another writer came between."""
    kind, m3ter_id = wanted.kind, entity["id"]
    made: dict[str, tuple[Any, Any]] = {}
    for turn in range(1, ROUNDS + 1):
        merged = merge.merge(entity, wanted.desired, REQUEST_FIELDS[kind])
        made = made or merged.changes
        if not merged.changes:
            return made
        send_before = await desk.ledger.fence()
        try:
            entity = await desk.m3ter.update(kind, m3ter_id, merged.body, send_before=send_before)
        except NotFoundError as error:
            raise _gone(kind, m3ter_id) from error
        except (RejectedError, TransientError) as error:
            current = await _after_failed_update(desk, wanted, entity, error)
            if turn == ROUNDS and differences(kind, current, wanted.desired):
                raise _never_still(kind, m3ter_id) from error
            entity = current
        else:
            return made
    return made


async def _after_failed_update(
    desk: Desk, wanted: Wanted, before: Entity, error: RejectedError | TransientError
) -> Entity:
    """The entity as it is now, if another writer or a lost answer may explain the failure; else raises."""
    if isinstance(error, TransientError):
        if not error.may_have_happened:
            raise error
    elif error.status not in MAYBE_STALE:
        raise error
    try:
        current = await desk.m3ter.get(wanted.kind, before["id"])
    except NotFoundError:
        raise _gone(wanted.kind, before["id"]) from error
    is_untouched = current.get("version") == before.get("version")
    if is_untouched:
        raise error  # m3ter means what it says; or the update did not arrive, or not yet: try later
    desk.note(f"The {wanted.kind.value} {before['id']} changed meanwhile in m3ter; compared again.")
    return current


def _gone(kind: EntityKind, m3ter_id: str) -> TransientError:
    return TransientError(
        f"The {kind.value} {m3ter_id} was deleted in m3ter while it was being updated.",
        instruction="It is tried again.",
        status=404,
    )


def _never_still(kind: EntityKind, m3ter_id: str) -> TransientError:
    return TransientError(
        f"The {kind.value} {m3ter_id} was changed by somebody else each time it was to be updated.",
        instruction="It is tried again; see who else writes to it in m3ter.",
    )


async def _tie(desk: Desk, wanted: Wanted, known: ExternalMapping) -> None:
    """Keep m3ter's own external mapping of the entity; read before it is created, and remembered."""
    target = wanted.target
    if known.external_mapping_id is not None:
        return
    if not await desk.catalogue.may_map(target.m3ter_entity, target.external_table):
        return
    body = {
        "m3terEntity": target.m3ter_entity,
        "m3terId": known.m3ter_id,
        "externalSystem": SALESFORCE,
        "externalTable": target.external_table,
        "externalId": target.external_id,
    }
    own = await desk.mappings_of(target)
    row = next((row for row in own if row.get("m3terId") == known.m3ter_id), None)
    try:
        if row is None:
            row = await _write_mapping(desk, body, own, await desk.ledger.fence())
    except RejectedError as error:
        # The entity itself is as it should be; the mapping is tried again with the next sync.
        desk.note(f"m3ter refuses the external mapping of {target}: {error.message}")
        return
    await desk.ledger.tied(target, known.m3ter_id, str(row["id"]))


async def _write_mapping(desk: Desk, body: Entity, outdated: list[Entity], send_before: float) -> Entity:
    """Point the record's mapping to an entity that is gone at the new one, or make the first."""
    kind = EntityKind.EXTERNAL_MAPPING
    if outdated:
        version = outdated[0].get("version")
        entity_id, versioned = outdated[0]["id"], {**body, "version": version}
        return await desk.m3ter.update(kind, entity_id, versioned, send_before=send_before)
    return await desk.m3ter.create(kind, body, send_before=send_before)
