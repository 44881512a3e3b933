"""What the command line prints: tables of plain text for people, one JSON document for machines."""

import contextlib
import os
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import simplejson
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from daemon import logs
from daemon.web import wording

GOOD, BAD, PALE = "green", "red", "dim"
_STYLES = {
    "Completed": GOOD,
    "COMPLETE": GOOD,
    "Partial Success": "yellow",
    "Failed": BAD,
    "ERROR": BAD,
    "AUTH_FAILED": BAD,
    "AWAITING_RETRY": "yellow",
    "RATE_LIMIT_RETRY": "yellow",
    "created": GOOD,
    "updated": GOOD,
    "adopted": GOOD,
    "flagged": "yellow",
    "not attempted": "yellow",
    "failed": BAD,
    "CONNECTED": GOOD,
    "not connected": BAD,
    "yes": GOOD,
    "no": BAD,
}


class OutputClosedError(Exception):
    """Nobody reads standard output any more (`| head -1`): the command may end."""


class _Piped(Console):
    """Leaves the end to the command: rich itself would make it a failure."""

    def on_broken_pipe(self) -> None:
        _closed()


def console() -> Console:
    """A console for standard output as it is now (tests and pipes change it)."""
    return _Piped(file=sys.stdout, highlight=False, emoji=False, markup=False, soft_wrap=False)


def safe(value: object) -> str:
    """Text for one line of a terminal: from outside nothing moves the cursor or begins a line of its own."""
    return logs.printable(wording.shown(value)).replace("\n", "\\n")


def style_of(word: str) -> str:
    """The colour of a status."""
    return _STYLES.get(word, "")


def line(text: object = "", style: str = "") -> None:
    """One line of text; long ones are wrapped by the terminal, so that ids can be copied."""
    console().print(Text(safe(text) if text != "" else "", style=style), soft_wrap=True)


def heading(text: str) -> None:
    line(text, "bold")


def _put(grid: Table) -> None:
    """Without the spaces that fill up the last column, which only get in the way of pipes and copies."""
    out = console()
    with out.capture() as captured:
        out.print(grid)
    raw("".join(f"{row.rstrip()}\n" for row in captured.get().splitlines()))


def facts(pairs: Mapping[str, object] | Iterable[tuple[str, object]], indent: int = 2) -> None:
    """Names and values under one another."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style=PALE, no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in pairs.items() if isinstance(pairs, Mapping) else pairs:
        text = safe(value)
        grid.add_row(Text(" " * indent + safe(name)), Text(text, style=style_of(text)))
    _put(grid)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, keep: Sequence[str] = ()) -> None:
    """A table; cells wrap, but those of the columns in `keep` (ids to copy) stay whole."""
    grid = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold", padding=(0, 1, 0, 0)
    )
    for column in columns:
        grid.add_column(column, overflow="fold", no_wrap=column in keep)
    for row in rows:
        cells = [safe(cell) for cell in row]
        grid.add_row(*(Text(cell, style=style_of(cell)) for cell in cells))
    _put(grid)


def document(value: object) -> None:
    """One JSON document on standard output."""
    raw(simplejson.dumps(wording.plain(value), use_decimal=True, indent=2, ensure_ascii=False) + "\n")


def raw(text: str) -> None:
    """The text as it is, at once."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _closed()


def _closed() -> NoReturn:
    with contextlib.suppress(OSError, ValueError):  # where it is a file: what Python writes at its end, too
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise OutputClosedError


def problem(reason: str, instruction: str = "") -> None:
    """What happened, and what to do, on standard error."""
    err = Console(file=sys.stderr, highlight=False, emoji=False, markup=False)
    err.print(Text.assemble(("error: ", "bold red"), safe(reason)), soft_wrap=True)
    if instruction:
        err.print(Text(safe(instruction)), soft_wrap=True)


def program() -> str:
    """How this very m3sync is called from the present directory."""
    called = Path(sys.argv[0])
    beside = Path(sys.executable).with_name("m3sync")
    return short(beside if beside.exists() else called)


def short(path: Path) -> str:
    """The path from the present directory where that is shorter, quoted for a shell."""
    with contextlib.suppress(ValueError):
        path = path.relative_to(Path.cwd())
    return shlex.quote(str(path))
