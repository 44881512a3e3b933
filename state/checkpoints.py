"""How far each Salesforce channel has durably got for each integration; replay ids are opaque."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from state import database, sql
from state.database import Connection, Db

_SQL = sql.load("checkpoints")

NO_PLACE = "-1"  # new events only: what was missed is read again


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads a channel, and how: a replay id means nothing to another integration, org or transport.

    What one integration has heard is no promise to another, which may have been switched off meanwhile.
    """

    integration_id: UUID
    org_id: str
    transport: str = "cometd"


@dataclass(frozen=True, slots=True)
class Known:
    """Every change of an object that was stamped before `complete_until` is in the inbox or inside a recorded
    window. Once it was found silent, what is stamped from `unsure_from` on may have been committed unheard
    after that window was read; None when it was heard of since."""

    complete_until: datetime
    unsure_from: datetime | None = None

    @property
    def sure_until(self) -> datetime:
        return self.unsure_from or self.complete_until


@dataclass(frozen=True, slots=True)
class Position:
    """Where a channel goes on, all times by Salesforce's clock.

    What was committed before `since` is not the integration's. What was told on the channel before
    `complete_until` is in the inbox, or inside a recorded window. Of each of `objects` it is known by itself
    up to when all was told: one may be silent while others on the channel are not.
    """

    replay_id: str
    since: datetime
    complete_until: datetime
    objects: Mapping[str, Known] = field(default_factory=dict)

    def sure_until(self, *names: str) -> datetime:
        """Up to when every change of these objects is known."""
        apart = [known.sure_until for name in names if (known := self.objects.get(name))]
        return min([self.complete_until, *apart])


@dataclass(frozen=True, slots=True)
class Step:
    """The last event of a channel in a batch, and its commit time."""

    replay_id: str
    event_at: datetime | None = None


async def get(db: Db, reader: Reader, channels: Collection[str]) -> dict[str, Position]:
    """The position of each channel that was ever wanted."""
    apart = await objects(db, reader)
    rows = await database.fetch(db, _SQL["get"], *_key(reader), list(channels))
    return {
        row["channel"]: Position(row["replay_id"], row["since"], row["complete_until"], apart) for row in rows
    }


async def objects(db: Db, reader: Reader) -> dict[str, Known]:
    """Up to when each object is known that some channel owes every change of."""
    rows = await database.fetch(db, _SQL["objects"], *_key(reader))
    return {row["object_name"]: Known(row["complete_until"], row["unsure_from"]) for row in rows}


async def begin(db: Db, reader: Reader, channels: Collection[str], ahead: timedelta = timedelta(0)) -> None:
    """Give channels that were never wanted before a position: no place, complete until they could be wanted.

    To be committed before anything is subscribed, so that no trouble on the way moves the beginning. `ahead`:
    how far Salesforce's clock is ahead of the database's.
    """
    await database.execute(db, _SQL["begin"], *_key(reader), list(channels), ahead)


async def follow(tx: Connection, reader: Reader, channels: Collection[str], new: Collection[str]) -> None:
    """Of all the channels wanted some are `new`, and others may be wanted no more.

    New ones take over from those: what they had not told yet is not lost when one takes the place of another.
    Then their places are forgotten, so that one that is wanted again much later does not begin there.
    """
    if new:
        await database.execute(tx, _SQL["take_over"], *_key(reader), list(channels), list(new))
    await database.execute(tx, _SQL["forget"], *_key(reader), list(channels))


async def follow_objects(
    tx: Connection, reader: Reader, tellers: Mapping[str, Collection[str]], ahead: timedelta = timedelta(0)
) -> dict[str, datetime]:
    """All the objects wanted, each with the channels that tell of it; gives those that are new.

    They begin where these channels are complete. These may have been heard already, for other objects that
    were watched before: then no later than they are owed. `ahead`: as in `begin`.
    """
    pairs = [(name, channel) for name, told_on in tellers.items() for channel in told_on]
    values = ([name for name, _ in pairs], [channel for _, channel in pairs])
    rows = await database.fetch(tx, _SQL["begin_objects"], *_key(reader), *values, ahead)
    await database.execute(tx, _SQL["forget_objects"], *_key(reader), list(tellers))
    return {row["object_name"]: row["complete_until"] for row in rows}


async def followed(tx: Connection, reader: Reader, revision: int | None) -> None:
    """All that this revision of the field mapping wants has begun; a later one may want more."""
    await database.execute(tx, _SQL["followed"], reader.integration_id, revision)


async def now(db: Db) -> datetime:
    """By the clock of the database."""
    moment: datetime = await database.fetch_value(db, _SQL["now"])
    return moment


async def advance(tx: Connection, reader: Reader, steps: Mapping[str, Step]) -> None:
    """Move channels, in the transaction that keeps the events before these positions (README, promise 1)."""
    if steps:
        taken = steps.values()
        await database.execute(
            *(tx, _SQL["advance"], *_key(reader), list(steps)),
            *([step.replay_id for step in taken], [step.event_at for step in taken]),
        )


async def lose(tx: Connection, reader: Reader, channel: str) -> None:
    """Salesforce lost the place: none until the next event, and a window is due (README, promise 4)."""
    await advance(tx, reader, {channel: Step(NO_PLACE)})


async def complete(tx: Connection, reader: Reader, channels: Collection[str], until: datetime) -> None:
    """Every change of these channels that was committed before `until` is in the inbox, or in a window."""
    await database.execute(tx, _SQL["complete"], *_key(reader), list(channels), until)


async def complete_objects(
    tx: Connection, reader: Reader, until: Mapping[str, datetime], unsure_from: datetime | None = None
) -> None:
    """The same of every change of these objects, `until` of each; after the channels, lest two wait for each
    other. `unsure_from`: as in `Known`."""
    if until:
        times = list(until.values())
        await database.execute(tx, _SQL["complete_objects"], *_key(reader), list(until), times, unsure_from)


async def read_objects(
    tx: Connection, reader: Reader, names: Collection[str], until: datetime, unsure_from: datetime
) -> None:
    """The same of objects of which windows are recorded until then, and nothing was heard: one that was found
    silent stays so, `unsure_from` then at the earliest."""
    await database.execute(tx, _SQL["read_objects"], *_key(reader), list(names), until, unsure_from)


def _key(reader: Reader) -> tuple[UUID, str, str]:
    return (reader.integration_id, reader.org_id, reader.transport)
