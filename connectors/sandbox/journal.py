"""The journal of one sandbox server: every request, with its answer, in bounded memory."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from connectors import wire

KEPT_ENTRIES = 50_000
KEPT_BODY_BYTES = 48 * 1024 * 1024
LARGEST_KEPT_BODY = 1024 * 1024


@dataclass(slots=True)
class Entry:
    """One request. `status` is None until it is answered, and stays so when the answer was withheld."""

    number: int
    arrived_at: datetime
    method: str
    path: str
    query: str
    status: int | None = None
    request_bytes: int = 0
    response_bytes: int = 0
    milliseconds: float | None = None
    fault: str = ""
    request_body: bytes = field(default=b"", repr=False)
    response_body: bytes = field(default=b"", repr=False)

    def as_json(self, *, with_bodies: bool) -> dict[str, Any]:
        """The entry as the control API shows it; a body that is not JSON is shown as null."""
        shown: dict[str, Any] = {
            "number": self.number,
            "time": self.arrived_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "status": self.status,
            "request_bytes": self.request_bytes,
            "response_bytes": self.response_bytes,
            "milliseconds": self.milliseconds,
            "fault": self.fault or None,
        }
        if with_bodies:
            shown["request"] = _json_or_none(self.request_body)
            shown["response"] = _json_or_none(self.response_body)
        return shown


class Journal:
    """The latest requests, oldest first; the oldest bodies are let go before the oldest entries."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=KEPT_ENTRIES)
        self._with_bodies: deque[Entry] = deque()
        self._body_bytes = 0
        self._count = 0

    def open_entry(self, arrived_at: datetime, method: str, path: str, query: str) -> Entry:
        """Note the arrival of a request; the returned entry is filled in as it is answered."""
        self._count += 1
        entry = Entry(self._count, arrived_at, method, path, query)
        self._entries.append(entry)
        return entry

    def keep_bodies(self, entry: Entry, request_body: bytes, response_body: bytes) -> None:
        """Keep what was said, as far as the budget goes."""
        entry.request_bytes = len(request_body)
        entry.response_bytes = len(response_body)
        entry.request_body = request_body if len(request_body) <= LARGEST_KEPT_BODY else b""
        entry.response_body = response_body if len(response_body) <= LARGEST_KEPT_BODY else b""
        self._with_bodies.append(entry)
        self._body_bytes += len(entry.request_body) + len(entry.response_body)
        while self._body_bytes > KEPT_BODY_BYTES or len(self._with_bodies) > KEPT_ENTRIES:
            oldest = self._with_bodies.popleft()
            self._body_bytes -= len(oldest.request_body) + len(oldest.response_body)
            oldest.request_body = oldest.response_body = b""

    def entries(self, *, since: int = 0, method: str = "*", path: str = "*") -> list[Entry]:
        """The entries numbered above `since` whose method and path fit the globs, oldest first."""
        return [
            entry
            for entry in self._entries
            if entry.number > since and fnmatchcase(entry.method, method) and fnmatchcase(entry.path, path)
        ]

    def clear(self) -> None:
        """Forget everything; numbers go on from where they were."""
        self._entries.clear()
        self._with_bodies.clear()
        self._body_bytes = 0


def _json_or_none(body: bytes) -> Any:
    if not body:
        return None
    try:
        return wire.loads(body)
    except ValueError:
        return None
