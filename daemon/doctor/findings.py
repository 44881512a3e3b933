"""What an examination found: one line for each thing looked at, and how to mend what is wrong."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """`unconfigured` waits for a person to set something up; `error` was set up and does not work."""

    OK = "ok"
    WARNING = "warning"
    UNCONFIGURED = "unconfigured"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """`where` is what was looked at, `message` what was seen, `instruction` how to mend it."""

    verdict: Verdict
    where: str
    message: str
    instruction: str = ""


def good(where: str, message: str) -> Finding:
    """Nothing is to be done."""
    return Finding(Verdict.OK, where, message)


def bad(where: str, message: str, instruction: str) -> Finding:
    """It was set up and does not work."""
    return Finding(Verdict.ERROR, where, message, instruction)


def absent(where: str, message: str, instruction: str) -> Finding:
    """It is not set up yet."""
    return Finding(Verdict.UNCONFIGURED, where, message, instruction)


def doubtful(where: str, message: str, instruction: str) -> Finding:
    """It works, and may not for long, or not for every record."""
    return Finding(Verdict.WARNING, where, message, instruction)


def worst(found: Iterable[Finding]) -> Verdict:
    """The gravest verdict of all."""
    order = list(Verdict)
    return max((each.verdict for each in found), key=order.index, default=Verdict.OK)
