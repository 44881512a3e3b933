"""What a command writes as it is: to a file, or to standard output."""

from pathlib import Path

from daemon.cli import printing
from daemon.cli.session import CommandFailed


def text(content: str, to: Path | None) -> None:
    """In UTF-8, its line ends as they are. Raises CommandFailed."""
    if to is None:
        printing.raw(content)
        return
    try:
        to.write_text(content, encoding="utf-8", newline="")
    except OSError as error:
        raise CommandFailed(f"{to} cannot be written: {error.strerror}.", "Name another file.") from None
    printing.line(f"Wrote {to}.")
