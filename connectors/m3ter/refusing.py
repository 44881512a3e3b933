"""How m3ter says no: one sentence, no code; a 403 may be the token, a permission or the firewall."""

from connectors.errors import AuthenticationError, RejectedError, SyncError, TooLargeError, TransientError
from connectors.exchange import Request, Response
from connectors.refusals import Complaint, Dialect, Refusal

# m3ter docs, WAF rules for HTTP requests: a larger body gets a 403, as does text that looks like an attack.
FIREWALL_BODY_BYTES = 512_000

_UNAUTHORIZED = Refusal(
    AuthenticationError,
    "Check that the service user of the m3ter credential belongs to this organization and may do this.",
    renew=True,
)
_STALE = Refusal(
    RejectedError, "The entity may have changed meanwhile: read it again and compare its version."
)


def _spoken(response: Response) -> Complaint | None:
    body = response.body if isinstance(response.body, dict) else {}
    said = body.get("message") or body.get("Message")  # the gateway in front of it writes it large at times
    return Complaint(said) if isinstance(said, str) and said else None


# m3ter docs, response codes: 413 is about the answer, which its gateway may as well be too slow to get.
_TOO_LARGE = Refusal(TooLargeError, "Ask for less at once.")
_SILENT = frozenset({502, 504})

DIALECT = Dialect(
    _spoken, {401: _UNAUTHORIZED, 403: _UNAUTHORIZED, 409: _STALE, 412: _STALE, 413: _TOO_LARGE}
)


def is_silence(error: TransientError) -> bool:
    """Whether m3ter was reached and made no answer in time, which may be for the answer's size."""
    is_late = isinstance(error.__cause__, TimeoutError) and not error.unreachable
    return is_late or error.status in _SILENT


def too_much(error: TransientError) -> TooLargeError:
    """The silence to one call while m3ter answers another."""
    return TooLargeError(error.message, instruction=_TOO_LARGE.instruction, status=error.status)


def too_large(error: SyncError, size: int) -> RejectedError:
    """The 403 that a body over the firewall's limit gets."""
    return RejectedError(
        f"m3ter's firewall refuses a request body of {size:,} bytes; its limit is {FIREWALL_BODY_BYTES:,}.",
        instruction="Shorten the text fields that feed this object.",
        status=error.status,
    )


def not_the_token(error: SyncError, request: Request) -> RejectedError:
    """The 403 of one call while the same token is good for another."""
    if request.json is not None:
        return RejectedError(
            f"m3ter refuses this write although the token is good: {error.message}",
            instruction=(
                "Either its firewall takes a text field for an attack (HTML, SQL): look at names and texts; "
                "or the service user may read but not write: give it the permission."
            ),
            status=error.status,
        )
    what = _collection(request.path)
    return RejectedError(
        f"m3ter refuses to {_VERBS.get(request.method, request.method)} {what} although the token is good: "
        f"{error.message}",
        instruction=(
            f"The service user of the m3ter credential lacks the permission for {what}: give it a permission "
            f"policy that allows {_VERBS.get(request.method, request.method)} on {what}."
        ),
        status=error.status,
    )


_VERBS = {"GET": "retrieve", "DELETE": "delete"}


def _collection(path: str) -> str:
    """`pricings` of /organizations/<org>/pricings/<id>."""
    parts = path.strip("/").split("/")
    return parts[2] if len(parts) > 2 else path
