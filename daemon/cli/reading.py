"""What a command is given to read: a file or standard input, and no further than makes sense."""

import sys
from contextlib import nullcontext
from pathlib import Path

from daemon.cli.session import CommandFailed

STANDARD_INPUT = Path("-")
LONGEST = 1_000_000  # bytes; neither a credential, a key nor a field mapping comes near


def whole(path: Path) -> bytes:
    """All of it; `-` is standard input. A device never ends, so there is a limit.

    Raises OSError, and CommandFailed beyond the limit.
    """
    with nullcontext(sys.stdin.buffer) if path == STANDARD_INPUT else path.open("rb") as source:
        data = source.read(LONGEST + 1)
    if len(data) > LONGEST:
        raise CommandFailed(
            f"{path} holds more than {LONGEST:,} bytes, which is none of what is expected here.",
            "Nothing was stored. Name another file.",
        )
    return data
