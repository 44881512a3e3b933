"""`m3sync` that also notes each outside call to the microsecond: `python -m tests.bench.tapped FILE ...`.

A run's log keeps whole milliseconds, and a call on the loopback takes half a one.
"""

import sys
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path

from connectors import calls
from connectors.calls import Call
from daemon import cli

Span = tuple[datetime, datetime]


def spans(file: Path, path: str = "*") -> list[Span]:
    """When each call noted so far was under way whose path fits the glob."""
    noted = (line.split(" ", 2) for line in file.read_text().splitlines())
    return [
        _span(datetime.fromisoformat(began), float(seconds))
        for began, seconds, asked in noted
        if fnmatchcase(asked, path)
    ]


def _span(began: datetime, seconds: float) -> Span:
    return began, began + timedelta(seconds=seconds)


def main(file: str, arguments: list[str]) -> None:
    """Run `m3sync` with these arguments in this process."""
    keep = calls.record
    with Path(file).open("a", buffering=1) as notes:

        def record(call: Call) -> None:
            if not call.path.startswith("/cometd/"):  # a long poll is a wait, not a call of the sync
                notes.write(f"{call.started_at.isoformat()} {call.duration.total_seconds()} {call.path}\n")
            keep(call)

        calls.record = record
        sys.argv = ["m3sync", *arguments]
        cli.main()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
