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
SPEAKING = Dialect(lambda _response: Complaint("No."), {})


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
def test_a_status_in_the_systems_own_words_is_an_error(status: int, kind: type[SyncError]) -> None:
    error = refusals.error_for(Request("GET", "/x"), Response(status, {}, None), SPEAKING)
    assert type(error) is kind
    assert error.status == status


PAGE = "<html><h1>Blocked</h1> by policy 7</html>"


@pytest.mark.parametrize("status", [301, 302, 307, 401, 402, 403, 404, 405, 407, 410, 418, 451])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_page_in_the_systems_place_blames_no_record(status: int, method: str) -> None:
    error = refusals.error_for(Request(method, "/x"), Response(status, {}, None, PAGE), SILENT)
    assert type(error) is TransientError
    assert error.unreachable
    assert error.may_have_happened is (method == "POST")
    assert error.message == f"HTTP {status}: Blocked by policy 7"
    assert "proxy" in error.instruction


@pytest.mark.parametrize(
    ("status", "body", "text", "kind", "unreachable"),
    [
        (403, {"error": {"code": "PROXY_DENIED"}}, "", TransientError, True),
        (403, None, "", TransientError, False),
        (404, None, "", TransientError, False),
        (302, None, "", TransientError, True),
        (400, None, PAGE, TransientError, False),
        (400, {"errors": ["too long"]}, "", RejectedError, False),
        (401, None, "", AuthenticationError, False),
        (409, None, "", RejectedError, False),
        (413, None, PAGE, RejectedError, False),
        (414, None, PAGE, RejectedError, False),
        (429, None, PAGE, RateLimited, False),
    ],
)
def test_a_refusal_in_strange_words(
    status: int, body: dict[str, object] | None, text: str, kind: type[SyncError], unreachable: bool
) -> None:
    error = refusals.error_for(Request("GET", "/x"), Response(status, {}, body, text), SILENT)
    assert type(error) is kind
    assert getattr(error, "unreachable", False) is unreachable


def test_a_page_that_echoes_a_form_is_not_quoted() -> None:
    request = Request("POST", "/token", form={"client_secret": "hunter22"})
    for body, text in ((None, "<p>hunter22</p>"), ({"echo": "hunter22"}, "")):
        error = refusals.error_for(request, Response(403, {}, body, text), SILENT)
        assert "hunter22" not in str(error)
        assert isinstance(error, TransientError)
        assert error.unreachable


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
    ("status", "dialect", "said"),
    [
        (500, SPEAKING, "m3ter: No."),
        (500, SILENT, "m3ter answered HTTP 500 without an explanation."),
        (404, SILENT, "m3ter answered HTTP 404 without an explanation."),
        (400, SPEAKING, "No."),
    ],
)
def test_the_system_is_named_where_its_words_would_not_tell(status: int, dialect: Dialect, said: str) -> None:
    error = refusals.error_for(Request("GET", "/x"), Response(status, {}, None), dialect, "m3ter")
    assert error.message == said


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
