"""The values of one exchange: request, response, limits, and the grant that authorizes it."""

from collections.abc import AsyncIterable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import BinaryIO, Protocol

from connectors.wire import Json


class Repeatable(StrEnum):
    """Whether one request may be sent again when no good answer came."""

    ALWAYS = "always"  # doing it twice is doing it once
    IF_UNTOUCHED = "if untouched"  # only when the first one certainly changed nothing: refused, or never sent
    # Not even then: time passes while we wait, and the caller's fence with it (README, promise 3).
    NEVER = "never"


_HARMLESS = frozenset({"GET", "HEAD", "PUT", "DELETE"})


@dataclass(frozen=True, slots=True)
class Content:
    """A body that is not JSON, too large to be held: `chunks` begins anew with every attempt."""

    media_type: str
    size: int
    chunks: Callable[[], AsyncIterable[bytes]]


@dataclass(frozen=True, slots=True)
class Request:
    """One call. `path` is absolute on the system's base URL, or a full URL; `query` may repeat a name.

    `json`, `form` and `content` exclude each other. The body of a success goes into `sink`, if there is one,
    whatever its type and size; each attempt begins it anew.

    `repeatable` None: GET, PUT and DELETE always, POST and PATCH never. `answer_within` overrides the limit
    of the client for this call. `send_before` is the loop time after which it must not leave any more, be it
    for the first time or again: its caller's fence is over then.
    """

    method: str
    path: str
    query: Sequence[tuple[str, str]] = ()
    json: Json = None
    form: Mapping[str, str] | None = None
    content: Content | None = None
    sink: BinaryIO | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: Repeatable | None = None
    answer_within: timedelta | None = None
    send_before: float | None = None

    @property
    def repeats(self) -> Repeatable:
        if self.repeatable is not None:
            return self.repeatable
        return Repeatable.ALWAYS if self.method in _HARMLESS else Repeatable.NEVER

    @property
    def writes(self) -> bool:
        return self.method not in ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class Response:
    """An answer. `body` is None when there was none or it is not JSON; `text` is empty when it is JSON."""

    status: int
    headers: Mapping[str, str]
    body: Json
    text: str = ""
    request_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """How long, how often, how much. `answer` bounds one attempt, `deadline` all attempts of a call.

    `answer_many` takes the place of `answer` for a call that writes up to 200 records: the far side runs the
    rules, triggers and flows of each within it.
    """

    connect: timedelta = timedelta(seconds=10)
    answer: timedelta = timedelta(seconds=60)
    answer_many: timedelta = timedelta(minutes=2)
    deadline: timedelta = timedelta(minutes=3)
    attempts: int = 4
    first_wait: timedelta = timedelta(milliseconds=250)
    longest_wait: timedelta = timedelta(
        seconds=10
    )  # also the longest Retry-After that is waited out in the call
    max_body: int = 64 * 1024 * 1024
    per_second: int | None = None
    connections: int = 20


@dataclass(frozen=True, slots=True)
class Grant:
    """Permission to call: the bearer token, and where it is good if not at the client's base URL."""

    token: str = field(repr=False)
    generation: int
    base_url: str | None = None


class Authorizer(Protocol):
    """Hands out grants; one refresh at a time, whoever asks."""

    async def grant(self) -> Grant:
        """A grant believed good, fetched when there is none. Raises AuthenticationError or TransientError."""

    async def refused(self, grant: Grant) -> None:
        """The system refused this grant: do not hand it out again."""
