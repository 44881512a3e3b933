"""`make bench`: measures what m3sync is to reach and prints one table. Names of quantities choose some."""

import argparse
import asyncio
import logging
import signal
import sys
import time
from collections.abc import Awaitable, Callable

import structlog
from rich.console import Console
from rich.table import Table

from tests.bench import cold_start, copies, intake, latency, memory, restart, resync
from tests.bench.rows import Row, number

QUANTITIES: dict[str, Callable[[], Awaitable[list[Row]]]] = {
    "latency": latency.measure,
    "intake": intake.measure,
    "resync": resync.measure,
    "memory": memory.measure,
    "copies": copies.measure,
    "restart": restart.measure,
    "cold_start": cold_start.measure,
}


def main() -> None:
    """Measure one quantity after another; a figure that misses its reach is shown, and is no failure."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("quantities", nargs="*", metavar="QUANTITY", help=", ".join(QUANTITIES))
    wanted = parser.parse_args().quantities or list(QUANTITIES)
    if unknown := set(wanted) - QUANTITIES.keys():
        parser.error(f"no such quantity: {', '.join(sorted(unknown))}; there are {', '.join(QUANTITIES)}")
    # Told to end, it ends as by Ctrl-C: with its servers stopped.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    console, rows = Console(width=None if sys.stdout.isatty() else 140), list[Row]()
    for name in wanted:
        began = time.perf_counter()
        rows += asyncio.run(measured(name))
        console.print(f"measured {name} in {time.perf_counter() - began:.0f} s", style="dim")
    console.print(table(rows))


async def measured(name: str) -> list[Row]:
    """The rows of one quantity."""
    return await QUANTITIES[name]()


def table(rows: list[Row]) -> Table:
    """Measured and reach side by side; the ratio is measured : reach."""
    shown = Table(title="m3sync, against the sandbox on this machine")
    shown.add_column("quantity")
    for name in ("measured", "reach", "measured : reach"):
        shown.add_column(name, justify="right", no_wrap=True)
    shown.add_column("made of")
    for row in rows:
        reach = "" if row.reach is None else f"{row.reach} {row.unit}"
        shown.add_row(row.quantity, f"{number(row.measured)} {row.unit}", reach, _against(row), row.note)
    return shown


def _against(row: Row) -> str:
    if row.reach is None:
        return ""
    word = "" if row.reach.is_met(row.measured) else "missed"
    return f"{word} {row.measured / row.reach.bound:.2f}" if row.reach.bound else word or "met"


if __name__ == "__main__":
    main()
