"""How whoever started a long command asks it to end."""

import asyncio
import signal

_SAME_WISH_SECONDS = 2


def stop_on_signals(stop: asyncio.Event) -> None:
    """SIGTERM, SIGINT or a closed terminal ask for an orderly stop; one more, later, does not wait for it."""
    loop, main = asyncio.get_running_loop(), asyncio.current_task()
    asked_at: list[float] = []

    def ask() -> None:
        asked_at.append(loop.time())
        # A terminal, make and a service manager may each pass on the same wish.
        if main is not None and asked_at[-1] - asked_at[0] > _SAME_WISH_SECONDS:
            main.cancel()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ask)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup has it
        loop.add_signal_handler(signal.SIGHUP, ask)
