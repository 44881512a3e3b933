"""Status and error code -> error, as a table: the general rows here, each connector adds its system's own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from connectors.errors import (
    AuthenticationError,
    NotFoundError,
    RateLimited,
    RejectedError,
    SyncError,
    TransientError,
)
from connectors.exchange import Request, Response
from connectors.wire import dumps, quote

LONGEST_RETRY_AFTER = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Refusal:
    """What one status or code means. `renew`: the token may be stale, get a new one and ask once more.

    `lost`: the write may have been done all the same. `wait`: how long to leave the system alone when it
    does not say so itself.
    """

    error: type[SyncError]
    instruction: str = ""
    renew: bool = False
    lost: bool = False
    wait: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Complaint:
    """What the system said: its code (may be empty), its message, the fields it names.

    `cause` finds a row of the table where one code stands for several causes.
    """

    message: str
    code: str = ""
    fields: tuple[str, ...] = ()
    cause: str = ""


def _is_success(response: Response) -> bool:
    return 200 <= response.status < 300


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one system says no: the reader of its error bodies, and its rows of the table by code or status.

    `accepts` tells which answers speak for themselves whatever their status.
    """

    read: Callable[[Response], Complaint | None]
    refusals: Mapping[str | int, Refusal]
    accepts: Callable[[Response], bool] = _is_success


STATUSES: Mapping[int, Refusal] = {
    400: Refusal(RejectedError),
    401: Refusal(AuthenticationError, renew=True),
    403: Refusal(RejectedError, "Check what the user of the credential may see and edit."),
    404: Refusal(NotFoundError),
    408: Refusal(TransientError, lost=True),
    413: Refusal(RejectedError, "The request is too large for the system."),
    425: Refusal(TransientError),
    429: Refusal(RateLimited, wait=timedelta(seconds=1)),
}
_FOREIGN = Refusal(
    TransientError,
    "It seems that something else answers in the system's place: look at the proxy and the firewall between, "
    "and at the URL of the credential.",
    lost=True,
)
# These speak of the one request, in whatever words: its time, its pace, its size.
_OF_THE_REQUEST = frozenset({408, 413, 414, 425, 429, 431})
# Only a page tells that these are not the system's own.
_OFTEN_WORDLESS = frozenset({400, 401, 409, 412, 422})
_OTHER = Refusal(RejectedError)
_BROKEN = Refusal(TransientError, "It is in trouble. If that lasts, look at its status page.", lost=True)


def find(dialect: Dialect, status: int, code: str) -> Refusal:
    """The row for an answer: by the system's code, else by status in its dialect, else the general one."""
    row = dialect.refusals.get(code) or dialect.refusals.get(status) or STATUSES.get(status)
    if row is not None:
        return row
    if status >= 500:
        return _BROKEN
    return _OTHER


def complaint_in(dialect: Dialect, response: Response, system: str = "") -> Complaint:
    """The system's own words, or a short quote of a body that is none of its own making (a proxy's page)."""
    spoken = dialect.read(response)
    if spoken is not None:
        return spoken
    said = quote(response.text or ("" if response.body is None else dumps(response.body).decode()))
    answered = f"{system} answered HTTP {response.status}" if system else f"HTTP {response.status}"
    return Complaint(answered + (f": {said}" if said else " without an explanation."))


def is_foreign(dialect: Dialect, response: Response) -> bool:
    """Whether a redirect or a refusal is not in the system's own shape: the system has not seen the call,
    or what it said was replaced, so that no record is to blame."""
    status = response.status
    if not 300 <= status < 500 or status in _OF_THE_REQUEST or dialect.read(response) is not None:
        return False
    return bool(response.text) if status in _OFTEN_WORDLESS else True


def _is_elsewhere(response: Response) -> bool:
    """Whether a foreign answer tells by itself that the system is away for every call; if not, it takes a
    question to find out: the page may be one that this one call has earned."""
    if response.status < 400 or response.status == 407:
        return True
    return response.status != 400 and bool(response.text or response.body)


def error_for(request: Request, response: Response, dialect: Dialect, system: str = "") -> SyncError:
    """The error that an answer other than success amounts to; its message is the system's own.

    `system` is named where its words alone would not tell whose trouble it is.
    """
    # A form carries secrets: a page that echoes it must not reach a log.
    shown = response if request.form is None else _without_text(dialect, response)
    complaint = complaint_in(dialect, shown, system)
    foreign = is_foreign(dialect, response)
    row = _FOREIGN if foreign else find(dialect, response.status, complaint.cause or complaint.code)
    said = complaint.message + (f" (fields: {', '.join(complaint.fields)})" if complaint.fields else "")
    if row is _BROKEN and system and not said.startswith(system):
        said = f"{system}: {said}"
    error = row.error(said, instruction=row.instruction, status=response.status, code=complaint.code)
    if isinstance(error, TransientError):
        error.may_have_happened = row.lost and request.writes
        error.unreachable = foreign and _is_elsewhere(response)
        asked = retry_after(response.headers, datetime.now(UTC))
        error.retry_after = row.wait if asked is None else asked
    if isinstance(error, RejectedError):
        error.fields = complaint.fields
    return error


def _without_text(dialect: Dialect, response: Response) -> Response:
    body = response.body if dialect.read(response) is not None else None
    return Response(response.status, response.headers, body)


def retry_after(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """`Retry-After` in seconds or as a date (RFC 9110, 10.2.3), at most an hour; None if absent or odd."""
    said = headers.get("Retry-After", "").strip()
    if not said:
        return None
    if said.isascii() and said.isdigit():
        return min(timedelta(seconds=min(int(said[:9]), 10**6)), LONGEST_RETRY_AFTER)
    try:
        at = parsedate_to_datetime(said)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(max(at - now, timedelta(0)), LONGEST_RETRY_AFTER)
