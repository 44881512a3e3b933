"""How far each Salesforce channel has durably got for each integration; replay ids are opaque."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
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
class Position:
    """Where a channel goes on, both times by Salesforce's clock.

    What was committed before `since` is not the integration's. What was committed before `complete_until` is
    in the inbox, or inside a recorded window.
    """

    replay_id: str
    since: datetime
    complete_until: datetime


@dataclass(frozen=True, slots=True)
class Step:
    """The last event of a channel in a batch, and its commit time."""

    replay_id: str
    event_at: datetime | None = None


async def get(db: Db, reader: Reader, channels: Collection[str]) -> dict[str, Position]:
    """The position of each channel that was ever wanted."""
    rows = await database.fetch(db, _SQL["get"], *_key(reader), list(channels))
    return {row["channel"]: Position(row["replay_id"], row["since"], row["complete_until"]) for row in rows}


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


def _key(reader: Reader) -> tuple[UUID, str, str]:
    return (reader.integration_id, reader.org_id, reader.transport)
