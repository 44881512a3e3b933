"""How far each channel is durable, and from where it must be replayed after a session was lost."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from connectors.salesforce.bayeux import ALL_RETAINED, NEW_ONLY
from connectors.salesforce.models import ChangeEvent, UndecodableEvent

# How far the clocks of Salesforce and of this machine may be apart.
_CLOCKS_APART = timedelta(minutes=5)


class Places:
    """Channel -> replay id. A channel without one starts with new events only.

    Such a channel has no place to return to when its session breaks before its first event, and events of the
    meantime would be lost. It is then replayed from the oldest retained event, and what was committed before
    the first subscription is left out.
    """

    def __init__(self, positions: Mapping[str, str | None]) -> None:
        self._durable = {channel: replay_id or NEW_ONLY for channel, replay_id in positions.items()}
        self._since: dict[str, datetime] = {}

    def to_subscribe(self) -> dict[str, str]:
        """What to ask for in the next session."""
        return {
            channel: ALL_RETAINED if replay_id == NEW_ONLY and channel in self._since else replay_id
            for channel, replay_id in self._durable.items()
        }

    def subscribed(self, now: datetime | None = None) -> None:
        """All channels are subscribed: from here on nothing new may be missed."""
        for channel, replay_id in self._durable.items():
            if replay_id == NEW_ONLY:
                self._since.setdefault(channel, now or datetime.now(UTC))

    def wanted(
        self, events: Iterable[ChangeEvent | UndecodableEvent]
    ) -> tuple[ChangeEvent | UndecodableEvent, ...]:
        """The events without those from before the first subscription."""
        return tuple(event for event in events if not self._is_older(event))

    def advance(self, events: Iterable[ChangeEvent | UndecodableEvent]) -> None:
        """These events are durable."""
        for event in events:
            if event.replay_id:
                self._durable[event.channel] = event.replay_id

    def _is_older(self, event: ChangeEvent | UndecodableEvent) -> bool:
        if not isinstance(event, ChangeEvent) or event.committed_at is None:
            return False
        since = self._since.get(event.channel)
        return (
            since is not None
            and self._durable.get(event.channel) == NEW_ONLY
            and event.committed_at < since - _CLOCKS_APART
        )
