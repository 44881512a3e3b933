"""How far each channel is durable, and from where it must be replayed after a session was lost."""

from collections.abc import Iterable, Mapping

from connectors.salesforce.bayeux import NEW_ONLY
from connectors.salesforce.models import Event


class Places:
    """Channel -> replay id. A channel without one starts with new events only, in every session.

    It has no place to return to until its first event is durable: what happens between two sessions is not
    replayed then, and whoever reads the stream must look for it elsewhere.
    """

    def __init__(self, positions: Mapping[str, str | None]) -> None:
        self._durable = {channel: replay_id or NEW_ONLY for channel, replay_id in positions.items()}

    def to_subscribe(self) -> dict[str, str]:
        """What to ask for in the next session."""
        return dict(self._durable)

    def advance(self, events: Iterable[Event]) -> None:
        """These events are durable."""
        for event in events:
            if event.replay_id:
                self._durable[event.channel] = event.replay_id
