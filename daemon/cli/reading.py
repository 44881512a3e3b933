"""What a command is given to read: a file or standard input, and no further than makes sense."""

import sys
from contextlib import nullcontext
from pathlib import Path

from daemon.cli.session import WRONG_USAGE, CommandFailed

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


def text(path: Path) -> str:
    """All of a text in UTF-8. Raises CommandFailed."""
    try:
        return whole(path).decode("utf-8-sig")  # some editors begin with a byte order mark
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise CommandFailed(
            f"{place(path)} cannot be read: {reason}.", "Name a TOML file in UTF-8.", exit_code=WRONG_USAGE
        ) from None


def place(path: Path) -> str:
    """How it is called."""
    return "Standard input" if path == STANDARD_INPUT else str(path)
