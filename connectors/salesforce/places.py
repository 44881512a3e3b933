"""How far each channel is durable, and from where it must be replayed after a session was lost."""

from collections.abc import Iterable, Mapping

from connectors.salesforce.bayeux import ALL_RETAINED, NEW_ONLY
from connectors.salesforce.models import ChangeEvent, UndecodableEvent


class Places:
    """Channel -> replay id. A channel without one starts with new events only.

    Such a channel has no place to return to when its session breaks before its first event, and events of the
    meantime would be lost: it is then replayed from the oldest retained event.
    """

    def __init__(self, positions: Mapping[str, str | None]) -> None:
        self._durable = {channel: replay_id or NEW_ONLY for channel, replay_id in positions.items()}

    def to_subscribe(self) -> dict[str, str]:
        """What to ask for in the next session."""
        return dict(self._durable)

    def subscribed(self) -> None:
        """All channels are subscribed: from here on nothing may be missed."""
        for channel, replay_id in self._durable.items():
            if replay_id == NEW_ONLY:
                self._durable[channel] = ALL_RETAINED

    def advance(self, events: Iterable[ChangeEvent | UndecodableEvent]) -> None:
        """These events are durable."""
        for event in events:
            if event.replay_id:
                self._durable[event.channel] = event.replay_id
