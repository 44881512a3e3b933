"""Record ids: 15 and 18 characters are one record; the last three are a checksum of the others' case."""

import re

from connectors.errors import RejectedError

_SUFFIXES = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_CHARACTERS = re.compile(r"[A-Za-z0-9]+", re.ASCII)

# GAP_OVERFLOW events name no record; this stands in for one (Change Data Capture guide, overflow events).
NO_RECORD = "000000000000000AAA"


def to_id18(record_id: str | None) -> str:
    """The 18-character form. Raises RejectedError (MALFORMED_ID) whose message tells what is wrong."""
    text = (record_id or "").strip()
    if not text:
        raise _malformed("No record id was given.")
    shown = text if len(text) <= 40 else text[:40] + "…"
    if not _CHARACTERS.fullmatch(text):
        raise _malformed(f"The record id {shown!r} has characters other than letters and digits.")
    if len(text) not in (15, 18):
        raise _malformed(f"The record id {shown!r} has {len(text)} characters; an id has 15 or 18.")
    id18 = text[:15] + _checksum(text[:15])
    if len(text) == 18 and text[15:].upper() != id18[15:]:
        raise _malformed(
            f"The record id {shown!r} is misspelt: its last three characters do not fit the rest."
        )
    return id18


def _checksum(id15: str) -> str:
    """Per chunk of five: bit k is set when character k is a capital."""
    chunks = (id15[start : start + 5] for start in (0, 5, 10))
    return "".join(_SUFFIXES[sum(1 << k for k, c in enumerate(chunk) if c.isupper())] for chunk in chunks)


def _malformed(message: str) -> RejectedError:
    instruction = "Copy the id from the address of the record's page in Salesforce."
    return RejectedError(message, instruction=instruction, code="MALFORMED_ID")
