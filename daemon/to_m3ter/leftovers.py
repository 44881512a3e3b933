"""What is in m3ter of lines that are gone, or of a record that is not to be synced; read, never changed."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from connectors.errors import NotFoundError, RejectedError
from connectors.m3ter.models import EntityKind
from connectors.m3ter.rest import Entity
from daemon.outcomes import Action, ObjectResult
from daemon.to_m3ter import finding
from daemon.to_m3ter.ledger import Target
from daemon.to_m3ter.mapping import conversions, document
from daemon.to_m3ter.wanted import Desk, Wanted
from state.models import ExternalMapping

# What a line's AccountPlan puts on the account: it bills nothing once the AccountPlan has ended.
BY_ACCOUNT_PLAN = frozenset({EntityKind.PLAN.value, EntityKind.PRICING.value})


@dataclass(frozen=True, slots=True)
class Remains:
    """What is still in force in m3ter, and what could not be found out."""

    mappings: tuple[ExternalMapping, ...] = ()
    unclear: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.mappings or self.unclear)

    def __str__(self) -> str:
        named = ", ".join(f"{each.m3ter_entity} {each.m3ter_id}" for each in self.mappings)
        listed = f"In force in m3ter: {named}." if named else ""
        return " ".join([*([listed] if listed else []), *self.unclear])


async def remains(desk: Desk, record_ids: Collection[str], accounts: Collection[str] = ()) -> Remains:
    """Of these Salesforce records: open creates are settled first, by reading alone.

    Of `accounts`, which other records may share, only what such a create turns out to have made. Raises
    TransientError, AuthenticationError.
    """
    made, unclear = await _settle(desk, [*record_ids, *accounts])
    known = [
        *(each for each in made if each.external_id in accounts),
        *await desk.ledger.known_of(record_ids),
    ]
    return Remains(tuple(await _in_force(desk, known)), tuple(unclear))


async def _settle(desk: Desk, record_ids: Collection[str]) -> tuple[list[ExternalMapping], list[str]]:
    """Close each open create of these records by what m3ter shows: what was made, and what is unclear."""
    made: list[ExternalMapping] = []
    unclear: list[str] = []
    for target, intent in await desk.ledger.open_intents(record_ids):
        await desk.ledger.fence()
        try:
            entity = await finding.existing(desk, Wanted(target, intent.bodies[0]), intent)
        except RejectedError as error:
            unclear.append(f"Whether {target} was created is not clear: {error.message}")
            continue
        if entity is None:
            desk.note(f"Creating {target} was begun, and m3ter has none: it was not created.")
            await desk.ledger.withdraw(intent)
        else:
            desk.note(f"Creating {target} was begun, and m3ter has it: {entity['id']}.")
            made.append(await desk.ledger.keep(target, str(entity["id"]), intent))
    return made, unclear


async def of_lines(
    desk: Desk, line_objects: Collection[str], line_ids: Collection[str]
) -> list[ExternalMapping]:
    """The entities that are in force although their lines, `line_ids`, are gone.

    Raises TransientError, AuthenticationError.
    """
    if not line_ids:
        return []
    _, unclear = await _settle(desk, line_ids)
    for text in unclear:
        desk.note(text)
    known = [each for each in await desk.ledger.known_of(line_ids) if each.external_table in line_objects]
    return await _in_force(desk, known)


def orphan(parent: str, known: ExternalMapping) -> ObjectResult:
    """The failure that such an entity is, while nobody ends it."""
    line = f"{known.external_table} {known.external_id}"
    return ObjectResult(
        known.m3ter_entity,
        known.external_id,
        Action.FAILED,
        f"The {line} is gone from the {parent}, and its {known.m3ter_entity} {known.m3ter_id} is in force in "
        "m3ter.",
        known.m3ter_id,
        f"Give the AccountPlan of the {line} an end date in m3ter, or delete it there, or restore the line "
        "in Salesforce. This is told until the end date is past.",
    )


async def _in_force(desk: Desk, known: Sequence[ExternalMapping]) -> list[ExternalMapping]:
    """Those that are in m3ter without having ended, in the order in which they are written."""
    over: set[str] = set()  # the records whose AccountPlan is over
    lasting: list[ExternalMapping] = []
    for each in sorted(known, key=lambda one: one.m3ter_entity != EntityKind.ACCOUNT_PLAN.value):
        if each.m3ter_entity in BY_ACCOUNT_PLAN and each.external_id in over:
            continue
        if not await _is_over(desk, each):
            lasting.append(each)
        elif each.m3ter_entity == EntityKind.ACCOUNT_PLAN.value:
            over.add(each.external_id)
    return sorted(lasting, key=lambda one: (document.ORDER.index(one.m3ter_entity), one.external_id))


async def _is_over(desk: Desk, known: ExternalMapping) -> bool:
    target = Target(known.m3ter_entity, known.external_table, known.external_id)
    try:
        entity = await desk.m3ter.get(EntityKind(known.m3ter_entity), known.m3ter_id)
    except NotFoundError:
        # What was made a moment ago may not be shown yet.
        return await desk.ledger.is_settled(known)
    except RejectedError as error:
        desk.note(f"Whether {target} is in force: {error.message}")
        return False
    return _has_ended(entity)


def _has_ended(entity: Entity) -> bool:
    """m3ter's end dates are exclusive."""
    end = entity.get("endDate")
    try:
        return bool(end) and conversions.as_moment(end) <= datetime.now(UTC)
    except ValueError:
        return False
