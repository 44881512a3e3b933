"""The client-side rate limit: at most so many calls in any second, shared by all users of one client."""

import asyncio
from collections import deque
from datetime import timedelta

# A far side counts arrivals, not departures: a little slack keeps network jitter from pushing one call too
# many into its second.
_WINDOW = 1.02


class Pacer:
    """Lets `per_second` calls through in any second, in the order they came; None lets everything through."""

    def __init__(self, per_second: int | None) -> None:
        self._per_second = per_second
        self._departures: deque[float] = deque(maxlen=per_second or 0)
        self._held_until = 0.0
        self._turn = asyncio.Lock()

    async def turn(self) -> None:
        """Returns when the next call may leave."""
        async with self._turn:
            clock = asyncio.get_running_loop().time
            while (delay := self.delay(clock())) > 0:  # noqa: ASYNC110 - what is waited for is time itself
                await asyncio.sleep(delay)
            self._departures.append(clock())

    def hold(self, duration: timedelta) -> None:
        """Nobody leaves for so long: the far side said that it is too much for everybody."""
        until = asyncio.get_running_loop().time() + duration.total_seconds()
        self._held_until = max(self._held_until, until)

    def delay(self, now: float) -> float:
        """Seconds that the next call must still wait at `now`."""
        window = 0.0
        if self._per_second is not None and len(self._departures) == self._per_second:
            window = self._departures[0] + _WINDOW - now
        return max(window, self._held_until - now, 0.0)
