"""How Salesforce says no: its error codes (SOAP API guide, Core Data Types) and what each means."""

from datetime import timedelta

from connectors.errors import AuthenticationError, NotFoundError, RateLimited, RejectedError, TransientError
from connectors.exchange import Response
from connectors.refusals import Complaint, Dialect, Refusal

# What /services/oauth2/userinfo says, with a 403 (help: UserInfo Endpoint, errors).
_BARE_WORDS = frozenset({"Bad_OAuth_Token", "Missing_OAuth_Token", "Wrong_Org", "Bad_Id"})


def _spoken(response: Response) -> Complaint | None:
    """The first of `[{"message", "errorCode", "fields"}]`, the rest, if any, counted; an OAuth error; the
    bare words of the identity service; and what comes with a 300: the addresses of several records."""
    body = response.body
    if response.text in _BARE_WORDS:
        return Complaint(response.text, response.text)
    if response.status == 300 and isinstance(body, list) and all(isinstance(each, str) for each in body):
        return Complaint(f"{len(body)} records have this external id: {', '.join(body[:5])}")
    if isinstance(body, dict) and isinstance(body.get("error"), str):
        return Complaint(str(body.get("error_description") or body["error"]), body["error"])
    errors = body if isinstance(body, list) else [body]
    first = errors[0] if errors else None
    if not isinstance(first, dict) or not isinstance(first.get("message"), str):
        return None
    code = first.get("errorCode") or first.get("statusCode")
    if not code:
        return None
    named = first.get("fields")
    fields = tuple(str(name) for name in named) if isinstance(named, list) else ()
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return Complaint(first["message"] + more, str(code), fields)


_BUSY = Refusal(TransientError, "It is tried again.")
_NO_ACCESS = Refusal(
    RejectedError, "Give the integration user's permission set access to this object, record or field."
)
_RENEW = Refusal(
    AuthenticationError, "Check the session policies and IP ranges of the connected app.", renew=True
)

_REFUSALS: dict[str | int, Refusal] = {
    "UNABLE_TO_LOCK_ROW": _BUSY,
    "SERVER_UNAVAILABLE": _BUSY,
    "REQUEST_RUNNING_TOO_LONG": _BUSY,
    "QUERY_TIMEOUT": _BUSY,
    "TOO_MANY_APEX_REQUESTS": _BUSY,
    "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE": Refusal(
        TransientError, "Salesforce is under maintenance.", wait=timedelta(minutes=5)
    ),
    "REQUEST_LIMIT_EXCEEDED": Refusal(
        RateLimited,
        "The org's API calls of 24 hours are used up: see Setup, Company Information, or wait.",
        wait=timedelta(minutes=15),
    ),
    "EXCEEDEDQUOTA": Refusal(
        RateLimited,
        "The org's Bulk API jobs or records of 24 hours are used up: wait, or send fewer at once.",
        wait=timedelta(hours=1),
    ),
    "INVALID_SESSION_ID": _RENEW,
    "INVALID_AUTH_HEADER": _RENEW,
    "API_DISABLED_FOR_ORG": Refusal(
        AuthenticationError,
        "Give the integration user the permission API Enabled, in an edition with API access.",
    ),
    "API_CURRENTLY_DISABLED": Refusal(
        AuthenticationError, "Give the integration user the permission API Enabled."
    ),
    "NOT_FOUND": Refusal(NotFoundError, "It may have been deleted, or the integration user cannot see it."),
    "ENTITY_IS_DELETED": Refusal(NotFoundError, "The record is in the recycle bin."),
    "INVALID_TYPE": Refusal(
        RejectedError, "The object does not exist in this org or the integration user cannot see it."
    ),
    "INVALID_FIELD": Refusal(
        RejectedError, "The field does not exist in this org or the integration user cannot see it."
    ),
    "MALFORMED_ID": Refusal(RejectedError, "Check the record id."),
    "INSUFFICIENT_ACCESS": _NO_ACCESS,
    "INSUFFICIENT_ACCESS_OR_READONLY": _NO_ACCESS,
    "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": _NO_ACCESS,
    "ENTITY_IS_LOCKED": Refusal(RejectedError, "The record is locked by an approval: finish or recall it."),
    "STORAGE_LIMIT_EXCEEDED": Refusal(RejectedError, "The org's data storage is full."),
    300: Refusal(RejectedError, "Several records have this external id: make it unique."),
    404: Refusal(NotFoundError, "It may have been deleted, or the integration user cannot see it."),
    410: Refusal(RejectedError, "This API version is retired: choose a later one in the credential."),
}

DIALECT = Dialect(_spoken, _REFUSALS)


def odd(what: str, path: str) -> TransientError:
    """An answer to `path` that is not as Salesforce's API has it: perhaps another gave it."""
    return TransientError(
        f"Salesforce answered {path} {what}.",
        instruction="If it lasts, see whether a proxy answers in Salesforce's place.",
    )
