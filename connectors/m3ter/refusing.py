"""How m3ter says no: one sentence, no code; a 403 may be the token, a permission or the firewall."""

from connectors.errors import AuthenticationError, RejectedError, SyncError
from connectors.exchange import Response
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
    said = response.body.get("message") if isinstance(response.body, dict) else None
    return Complaint(said) if isinstance(said, str) and said else None


DIALECT = Dialect(_spoken, {401: _UNAUTHORIZED, 403: _UNAUTHORIZED, 409: _STALE, 412: _STALE})


def too_large(error: SyncError, size: int) -> RejectedError:
    """The 403 that a body over the firewall's limit gets."""
    return RejectedError(
        f"m3ter's firewall refuses a request body of {size:,} bytes; its limit is {FIREWALL_BODY_BYTES:,}.",
        instruction="Shorten the text fields that feed this object.",
        status=error.status,
    )


def not_the_token(error: SyncError) -> RejectedError:
    """The 403 of a write while the same token is good for reading."""
    return RejectedError(
        f"m3ter refuses this write although the token is good: {error.message}",
        instruction=(
            "Either its firewall takes a text field for an attack (HTML, SQL): look at names and texts; "
            "or the service user may read but not write: give it the permission."
        ),
        status=error.status,
    )
