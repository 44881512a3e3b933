"""Watches what acceptance tests send to the emulated m3ter: each request must be as m3ter describes."""

from collections.abc import Iterator

import pytest

from connectors import wire
from connectors.sandbox.journal import Entry, Journal
from tests import openapi


class Watch:
    """The requests seen by the sandbox of this process, and those that break m3ter's description."""

    def __init__(self) -> None:
        self.seen = 0
        self.breaches: list[str] = []

    def see(self, entry: Entry) -> None:
        if not entry.path.startswith(("/organizations/", "/oauth/")):
            return
        if entry.status is None and not entry.request_body:
            return  # cut off before its body was read, by a fault or because its sender was killed
        self.seen += 1
        if not openapi.is_named():  # the tests of the description itself say that it is absent
            return
        is_json = entry.request_body.startswith((b"{", b"["))
        body = wire.loads(entry.request_body) if is_json else None
        try:
            openapi.validate_request(entry.method, entry.path, entry.query, body)
        except openapi.BrokenContractError as error:
            self.breaches.append(str(error))


@pytest.fixture(autouse=True)
def m3ter_traffic(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    watch = Watch()
    keep_bodies = Journal.keep_bodies

    def watched(self: Journal, entry: Entry, request_body: bytes, response_body: bytes) -> None:
        keep_bodies(self, entry, request_body, response_body)
        watch.see(entry)

    monkeypatch.setattr(Journal, "keep_bodies", watched)
    yield watch
    assert not watch.breaches, "\n".join(sorted(set(watch.breaches)))
