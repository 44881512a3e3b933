"""Which error an answer is, and how long it asks us to wait."""

from datetime import UTC, datetime, timedelta

import pytest

from connectors import refusals
from connectors.addresses import base_url
from connectors.errors import (
    AuthenticationError,
    NotFoundError,
    RateLimited,
    RejectedError,
    SyncError,
    TransientError,
)
from connectors.exchange import Request, Response
from connectors.pacing import Pacer
from connectors.refusals import Complaint, Dialect, Refusal

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SILENT = Dialect(lambda _response: None, {})


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, RejectedError),
        (400, RejectedError),
        (401, AuthenticationError),
        (403, RejectedError),
        (404, NotFoundError),
        (408, TransientError),
        (413, RejectedError),
        (418, RejectedError),
        (429, RateLimited),
        (500, TransientError),
        (504, TransientError),
        (599, TransientError),
    ],
)
def test_a_status_is_an_error(status: int, kind: type[SyncError]) -> None:
    error = refusals.error_for(Request("GET", "/x"), Response(status, {}, None), SILENT)
    assert type(error) is kind
    assert error.status == status


def test_the_systems_code_goes_before_the_status() -> None:
    dialect = Dialect(lambda _response: Complaint("locked", "LOCKED"), {"LOCKED": Refusal(TransientError)})
    error = refusals.error_for(Request("POST", "/x"), Response(400, {}, None), dialect)
    assert isinstance(error, TransientError)
    assert not error.may_have_happened


@pytest.mark.parametrize(
    ("method", "may"), [("GET", False), ("POST", True), ("PATCH", True), ("DELETE", True)]
)
def test_only_a_write_may_have_happened(method: str, may: bool) -> None:
    error = refusals.error_for(Request(method, "/x"), Response(500, {}, None), SILENT)
    assert isinstance(error, TransientError)
    assert error.may_have_happened is may


@pytest.mark.parametrize(
    ("said", "wait"),
    [
        ("0", timedelta(0)),
        (" 12 ", timedelta(seconds=12)),
        ("999999999999999", timedelta(hours=1)),
        ("Sat, 21 Nov 2026 12:00:30 GMT", timedelta(seconds=30)),
        ("Sat, 21 Nov 2026 11:00:00 GMT", timedelta(0)),
        ("Sat, 21 Nov 2026 12:00:30", timedelta(seconds=30)),
        ("Tue, 01 Jan 2999 00:00:00 GMT", timedelta(hours=1)),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("Sat, 99 Nov 2026 99:99:99 GMT", None),
    ],
)
def test_retry_after_is_read(said: str, wait: timedelta | None) -> None:
    assert refusals.retry_after({"Retry-After": said}, NOW) == wait


async def test_no_second_has_more_calls_than_allowed() -> None:
    pacer = Pacer(3)
    for _ in range(3):
        await pacer.turn()
    last = pacer._departures[-1]
    assert 0.9 < pacer.delay(last) <= 1.02
    assert pacer.delay(pacer._departures[0] + 1.1) == 0


async def test_a_pacer_without_a_limit_never_waits() -> None:
    pacer = Pacer(None)
    for _ in range(1000):
        await pacer.turn()
    assert pacer.delay(0.0) == 0


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://x.my.salesforce.com/", "https://x.my.salesforce.com"),
        (" https://x.example:8443 ", "https://x.example:8443"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://localhost:1", "http://localhost:1"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_a_base_url_is_scheme_and_host(text: str, url: str) -> None:
    assert base_url(text) == url


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no URL"),
        ("x.my.salesforce.com", "no URL"),
        ("ftp://x", "no URL"),
        ("https://", "no URL"),
        ("http://[bad", "no URL"),
        ("https://x:99999999", "no URL"),
        ("http://x.example", "in the clear"),
        ("http://127.0.0.1.evil.example", "in the clear"),
        ("https://user:secret@x.example", "only scheme and host"),
        ("https://x.example/path", "only scheme and host"),
        ("https://x.example?q=1", "only scheme and host"),
    ],
)
def test_a_bad_base_url_is_refused_with_a_reason(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        base_url(text)
