"""What can go wrong outside, named by what the caller must do."""

from datetime import timedelta


class SyncError(Exception):
    """An outside failure: what happened, to which record or call, and what to do about it.

    `message` carries the system's own words; `instruction` says what a person can do.
    """

    def __init__(
        self, message: str, *, instruction: str = "", status: int | None = None, code: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.instruction = instruction
        self.status = status
        self.code = code

    def __str__(self) -> str:
        is_ended = not self.instruction or not self.message or self.message.endswith((".", "!", "?", "…"))
        stop = "" if is_ended else "."
        return f"{self.message}{stop} {self.instruction}".strip()


class TransientError(SyncError):
    """Try again later: unreachable, timed out, 5xx.

    `may_have_happened` is true when a write could have taken effect although no answer came (reset, time-out,
    5xx after the request was sent): the far side must be read before it is repeated (README, promise 3).
    `unreachable` is true when the system as a whole is away, so that no single record is to blame.
    """

    def __init__(
        self, message: str, *, instruction: str = "", status: int | None = None, code: str = ""
    ) -> None:
        super().__init__(message, instruction=instruction, status=status, code=code)
        self.may_have_happened = False
        self.unreachable = False
        self.retry_after: timedelta | None = None


class RateLimited(TransientError):  # noqa: N818 - reads as a state: raise RateLimited
    """Slow down: 429, or Salesforce's REQUEST_LIMIT_EXCEEDED; nothing was done."""


class AuthenticationError(SyncError):
    """The credential is refused, even after one re-authentication."""


class RejectedError(SyncError):
    """The system understood and said no; repeating the same call cannot help."""

    fields: tuple[str, ...] = ()  # the fields that the system names, as it names them


class TooLargeError(RejectedError):
    """The answer is too large, or takes too long to make: ask for less at once."""


class NotFoundError(RejectedError):
    """The named thing does not exist (or not for this user)."""


class MissingMappingError(SyncError):
    """A value needed to map the record is missing: an unmapped field or account, an unknown code."""
