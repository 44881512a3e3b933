"""The channels that one stream subscribes without a place: what they may have missed is in windows."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from daemon.to_m3ter import coverage, windows
from daemon.to_m3ter.intake import Watch
from daemon.to_m3ter.windows import Measure
from state import checkpoints, rereads
from state.checkpoints import NO_PLACE, Position, Reader
from state.database import Connection, Db, transaction

# A look-up asks for every known record. Of a channel that stays quiet, one a day is enough: what was deleted
# for good between two sessions is found by the next one, and at the latest when the channel gets a place.
LOOK_UP_AGAIN = timedelta(days=1)


@dataclass(slots=True)
class Placeless:
    """`channels`: those without a place in this stream, whatever the database knows by now: another process
    that hears them too may have got a place, which says nothing of what this one did not hear. `owed`: the
    objects of each that were not looked up when it was last subscribed."""

    watched: Watch
    channels: set[str]
    owed: dict[str, set[str]] = field(default_factory=dict)

    async def subscribed(
        self,
        db: Db,
        reader: Reader,
        positions: Mapping[str, Position],
        lost: Mapping[str, str],
        measure: Measure,
    ) -> None:
        """Once this returns, all they missed until their subscription is in a window (README, promise 4).

        `positions`: of all channels; `lost`: what was said of those that had a place.
        """
        known = {channel: positions[channel] for channel in self.channels}
        recently = await rereads.looked_up(db, reader.integration_id, reader.org_id, LOOK_UP_AGAIN)
        opened = windows.without_place(self.watched, known, lost, measure, recently)
        async with transaction(db) as tx:
            await windows.record(tx, reader, opened)
            await checkpoints.complete(tx, reader, known, measure.now)
            names, unsure_from = self.watched.objects_on(known), measure.now - measure.overlap
            await checkpoints.read_objects(tx, reader, names, measure.now, unsure_from)
        left_out = {each.object_name for each in opened if not each.checks_missing}
        self.owed = {each: left_out.intersection(self.watched.objects[each]) for each in known}

    async def look_up(
        self, tx: Connection, reader: Reader, placed: Collection[str], overlap: timedelta
    ) -> None:
        """Record the look-ups that are owed to these channels, in the transaction that gives them a place:
        they are not subscribed without one again."""
        owing = {each for each in placed if self.owed.get(each)}
        if owing:
            known = await coverage.kept(tx, reader, owing)
            opened = windows.owed({each: (known[each], self.owed[each]) for each in owing}, overlap)
            await windows.record(tx, reader, opened)

    def have_places(self, placed: Iterable[str]) -> None:
        """Events of these channels are durable."""
        for channel in placed:
            self.channels.discard(channel)
            self.owed.pop(channel, None)


def among(watched: Watch, wanted: dict[str, str]) -> Placeless:
    """Of channel -> replay id."""
    return Placeless(watched, {channel for channel, place in wanted.items() if place == NO_PLACE})
