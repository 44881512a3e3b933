"""Salesforce record ids: key prefix, 15 and 18 characters, checksum, minting."""

import re
import secrets
from itertools import count

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHECKSUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_SHAPE = re.compile(r"[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?")


def checksum(id15: str) -> str:
    """The three characters that make a case-sensitive 15-character id safe to compare without case."""
    suffix = ""
    for start in (0, 5, 10):
        bits = sum(1 << k for k, char in enumerate(id15[start : start + 5]) if "A" <= char <= "Z")
        suffix += _CHECKSUM[bits]
    return suffix


def normalize(text: object) -> str | None:
    """The 18-character form of an id, or None when it is none.

    A 15-character id is taken as it is written (case matters). An 18-character id carries its own case in
    the checksum, so a copy that lost its case is mended; a checksum that cannot be is refused.
    """
    if not isinstance(text, str) or _SHAPE.fullmatch(text) is None:
        return None
    if len(text) == 15:
        return text + checksum(text)
    return _restore_case(text)


def _restore_case(id18: str) -> str | None:
    body, suffix = id18[:15], id18[15:].upper()
    restored = ""
    for chunk, mark in zip((body[:5], body[5:10], body[10:]), suffix, strict=True):
        bits = _CHECKSUM.find(mark)
        if bits < 0:
            return None
        for k, char in enumerate(chunk):
            is_upper = bool(bits >> k & 1)
            if is_upper and not char.isalpha():
                return None
            restored += char.upper() if is_upper else char.lower()
    return restored + suffix


def prefix_of(record_id: str) -> str:
    """The first three characters, which name the object."""
    return record_id[:3]


def unlike_any(key_prefix: str, instance: str = "S9") -> str:
    """An id that no other org has given: two sandboxes are two orgs."""
    stem = key_prefix + instance
    id15 = stem + "".join(secrets.choice(_DIGITS) for _ in range(15 - len(stem)))
    return id15 + checksum(id15)


class Minter:
    """New ids for one object: its prefix, the org's instance and a running number."""

    def __init__(self, key_prefix: str, instance: str = "S9") -> None:
        self._stem = key_prefix + instance
        self._numbers = count(1)

    def mint(self) -> str:
        """The next 18-character id."""
        number, tail = next(self._numbers) + 62**4, ""
        for _ in range(15 - len(self._stem)):
            number, digit = divmod(number, 62)
            tail = _DIGITS[digit] + tail
        id15 = self._stem + tail
        return id15 + checksum(id15)
