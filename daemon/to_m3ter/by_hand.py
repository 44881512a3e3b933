"""One record synced because a person asked for it, by this process or by the daemon that holds it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from connectors.errors import RejectedError, SyncError
from connectors.salesforce.models import to_id18
from connectors.salesforce.rest import Salesforce
from daemon import outcomes, waiting
from daemon.clients import Links
from daemon.configuration import ConfigurationError
from daemon.outcomes import SyncResult
from daemon.tasks import here
from daemon.to_m3ter import tasks
from daemon.to_m3ter.graph import Named
from daemon.to_m3ter.tasks import Connected, Manner
from daemon.to_m3ter.worker import Options, Worker
from daemon.to_m3ter.workplace import Workplace
from state import inbox, integrations, record_parents, runs, systems
from state.database import Db
from state.models import Cause, RunStatus
from state.run_models import Run

PRIORITY = 100
LOOK_AGAIN = timedelta(milliseconds=200)
PATIENCE = timedelta(minutes=2)
# Objects whose ids begin alike in every org (Salesforce's list of key prefixes); custom objects' differ.
PREFIXES = {
    "Account": "001",
    "Contact": "003",
    "Opportunity": "006",
    "OpportunityLineItem": "00k",
    "Lead": "00Q",
    "Product2": "01t",
    "Contract": "800",
    "Order": "801",
    "OrderItem": "802",
}


@dataclass(frozen=True, slots=True)
class Wish:
    """The record (18 characters), and the integration where one was named."""

    record_id: str
    integration: str | None = None


def one_id(ids: list[str]) -> str | SyncResult:
    """The one id in its 18 characters, or the Failed result: like m3ter's own action, it takes exactly one
    record."""
    if len(ids) > 1:
        return outcomes.too_many_records(len(ids))
    if not ids or not (ids[0] or "").strip():
        return outcomes.no_record()
    try:
        return to_id18(ids[0])
    except RejectedError as error:
        return outcomes.failed(error.message, error.instruction)


async def choose(db: Db, links: Links, wish: Wish) -> Connected | SyncResult:
    """The integration that syncs this kind of record, or why there is none.

    Raises NotFound for an unknown name, ConfigurationError when nothing is connected, MappingInvalid and
    VaultError.
    """
    if wish.integration is not None:
        named = await tasks.connect(db, links, await integrations.get(db, wish.integration))
        if named is None:
            raise unconnected(await lacking(db, wish.integration))
        return named
    found = [await tasks.connect(db, links, each) for each in await integrations.to_m3ter(db)]
    connected = [each for each in found if each is not None]
    if not connected:
        raise unconnected(await lacking(db))
    kinds: list[tuple[Connected, str | None]] = []
    unasked: list[SyncError] = []
    for each in connected:
        try:
            kinds.append((each, await _kind(each, wish.record_id)))
        except SyncError as error:  # it may have nothing to do with this record
            unasked.append(error)
    own = [each for each, kind in kinds if kind == each.mapping.parent]
    fitting = own or [each for each, kind in kinds if kind is not None]
    if unasked and not fitting:
        return outcomes.failed(unasked[0].message, unasked[0].instruction)
    preferred = [each for each in fitting if each.integration.enabled] or fitting
    return preferred[0] if len(preferred) == 1 else _unclear(wish.record_id, preferred, connected)


async def sync(db: Db, manner: Manner, chosen: Connected, record_id: str) -> SyncResult:
    """Put the record, or the one that it is a line of, into the inbox before all others and see it through.

    Raises LeaseLost when the record was taken over while it was being synced, DatabaseUnavailable.
    """
    try:
        kind = await _kind(chosen, record_id)
    except SyncError as error:
        if chosen.mapping.parent in PREFIXES:  # it is none of these, and may be a line
            return outcomes.failed(error.message, error.instruction)
        kind = await _presumed_kind(db, chosen, record_id)
    if kind is None:
        return _unfit(record_id, chosen)
    result = await _seen_through(db, manner, chosen, Named(kind, record_id))
    if result is not None:
        return result
    parents = await record_parents.parents_of(db, chosen.integration.integration_id, [record_id])
    if record_id not in parents:
        return outcomes.failed(
            f"The {kind} {record_id} belongs to no {chosen.mapping.parent}, or it is there no more.",
            "Give the id of the record that it belonged to.",
        )
    return await sync(db, manner, chosen, parents[record_id])


async def _seen_through(db: Db, manner: Manner, chosen: Connected, named: Named) -> SyncResult | None:
    """What its sync came to; None for a line once its record has taken its place in the inbox."""
    integration_id, is_line = chosen.integration.integration_id, named.object_name != chosen.mapping.parent
    place = Workplace(
        db, chosen.org.client, chosen.organization.client, {integration_id: chosen.mapping}, manner.policy
    )
    worker = Worker(place, Options(f"{here()}/by hand", manner.lease, manner.poll))
    before = {run.run_id for run in await _ended_runs(db, chosen, named.record_id)}
    wish = (integration_id, named.object_name, named.record_id)
    inbox_id = await inbox.put(db, *wish, cause=Cause.MANUAL, priority=PRIORITY)
    give_up_at = datetime.now(UTC) + PATIENCE + manner.lease
    while datetime.now(UTC) < give_up_at:
        claim = await inbox.claim(
            db,
            worker=worker.options.name,
            lease=manner.lease,
            integration_ids=[integration_id],
            inbox_id=inbox_id,
        )
        if claim is not None:
            result = (await worker.take(claim)).result
            if result is not None:
                return result
        elif ended := await _new_run(db, chosen, named.record_id, before):
            return await _result(db, ended)
        if is_line and not await inbox.find(db, inbox_id=inbox_id):
            return None
        await waiting.pause(waiting.never(), LOOK_AGAIN)
    return outcomes.failed(
        f"The {named} is being synced by another process that has not finished.",
        f"It stays in the inbox. See `m3sync explain {named.record_id}`.",
    )


async def _kind(connected: Connected, record_id: str) -> str | None:
    """What the record is to the integration: the object that it syncs, a line of that, or nothing (None)."""
    mapping = connected.mapping
    for name in dict.fromkeys([mapping.parent, *mapping.objects_watched]):
        prefix = PREFIXES.get(name) or await _described_prefix(connected.org.client.salesforce, name)
        if record_id.startswith(prefix):
            return name
    return None


async def _presumed_kind(db: Db, connected: Connected, record_id: str) -> str:
    """What the record is taken for while Salesforce does not say, so that the wish is kept in the inbox."""
    rows = await inbox.find(db, record_id=record_id)
    own = [row.object_name for row in rows if row.integration_id == connected.integration.integration_id]
    return own[0] if own else connected.mapping.parent


async def _described_prefix(salesforce: Salesforce, object_name: str) -> str:
    return str((await salesforce.describe(object_name)).get("keyPrefix") or "???")


def _unclear(record_id: str, fitting: list[Connected], connected: list[Connected]) -> SyncResult:
    if fitting:
        names = ", ".join(each.integration.name for each in fitting)
        return outcomes.failed(
            f"Several integrations sync the record {record_id}: {names}.", "Name one with --integration."
        )
    parents = ", ".join(sorted({each.mapping.parent for each in connected}))
    return outcomes.failed(
        f"The record {record_id} is of a kind that no integration syncs (they sync: {parents}).",
        "Give the id of such a record, or of a line of one.",
    )


def _unfit(record_id: str, named: Connected) -> SyncResult:
    return outcomes.failed(
        f"The record {record_id} is of a kind that the integration {named.integration.name} does not sync "
        f"(it syncs: {named.mapping.parent}).",
        "Give the id of such a record or of a line of one, or name another integration.",
    )


async def lacking(db: Db, name: str | None = None) -> str:
    """Which credential an integration, or each of them, lacks."""
    some = await integrations.to_m3ter(db) if name is None else [await integrations.get(db, name)]
    told = [
        f"The integration {each.name} has {systems.no_credential(systems.lacking(each))}." for each in some
    ]
    first = [] if name else ["No integration is connected to both Salesforce and m3ter."]
    return " ".join([*first, *told])


def unconnected(reason: str) -> ConfigurationError:
    return ConfigurationError(
        reason,
        "Add credentials with `m3sync credentials add` and connect them: `m3sync integrations --help`.",
    )


async def _ended_runs(db: Db, chosen: Connected, record_id: str) -> list[Run]:
    found = await runs.latest(db, integration=chosen.integration.integration_id, record_id=record_id, limit=5)
    return [run for run in found if run.status is not RunStatus.STARTED and run.record_id == record_id]


async def _new_run(db: Db, chosen: Connected, record_id: str, before: set[UUID]) -> Run | None:
    """The run that another process made of our wish."""
    found = [run for run in await _ended_runs(db, chosen, record_id) if run.run_id not in before]
    return next((run for run in found if run.cause == Cause.MANUAL.value), None)


async def _result(db: Db, run: Run) -> SyncResult:
    objects = (await runs.objects(db, [run.run_id]))[run.run_id]
    return outcomes.of_run(run, objects)
