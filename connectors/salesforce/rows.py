"""What became of one record of many written in one call or job, and what is to be done about it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """What the caller does with a row."""

    OK = "ok"
    RETRY = "retry"  # soon, with back-off: a lock, a busy server; the caller counts the attempts
    RETRY_LATER = "retry later"  # long back-off: a limit of the org, maintenance
    PARENT_MISSING = "parent missing"  # once the parent has been written
    REFUSED = "refused"  # the same row cannot succeed


@dataclass(frozen=True, slots=True)
class RowResult:
    """`record_id` has 18 characters, or is empty. `code`, `message`, `fields` are Salesforce's own words."""

    record_id: str
    success: bool
    was_created: bool = False
    code: str = ""
    message: str = ""
    fields: tuple[str, ...] = ()


# Rows of a job that ended without having looked at them; the code is ours.
UNPROCESSED = "UNPROCESSED"
# A success that says nothing, or a failure without an error; the code is ours.
UNEXPLAINED = "UNEXPLAINED"
# A record over which Salesforce fails as often as it is sent, while it answers other calls; the code is ours.
UNANSWERED = "UNANSWERED"

# SOAP API guide, Core Data Types, StatusCode; which of them pass with time is our reading. What is not named
# here is refused for good.
_VERDICTS = {
    "UNABLE_TO_LOCK_ROW": Verdict.RETRY,
    "SERVER_UNAVAILABLE": Verdict.RETRY,
    "REQUEST_RUNNING_TOO_LONG": Verdict.RETRY,
    "QUERY_TIMEOUT": Verdict.RETRY,
    "TOO_MANY_APEX_REQUESTS": Verdict.RETRY,
    "UNKNOWN_EXCEPTION": Verdict.RETRY,
    # These rows were dragged along by a sibling; nothing is wrong with them.
    "ALL_OR_NONE_OPERATION_ROLLED_BACK": Verdict.RETRY,
    "PROCESSING_HALTED": Verdict.RETRY,
    UNPROCESSED: Verdict.RETRY,
    UNEXPLAINED: Verdict.RETRY,
    UNANSWERED: Verdict.RETRY,
    "REQUEST_LIMIT_EXCEEDED": Verdict.RETRY_LATER,
    "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE": Verdict.RETRY_LATER,
}
_NO_PARENT = re.compile(r"foreign key external id: .* not found for field", re.IGNORECASE | re.DOTALL)


def classify(result: RowResult, key_field: str = "") -> Verdict:
    """The verdict on one row; unknown codes are REFUSED.

    With `key_field` given, DUPLICATE_VALUE that names it is RETRY: another writer has created the same key
    meanwhile, and now the upsert will find it. Give it once only, the second time it is a refusal.
    """
    if result.success:
        return Verdict.OK
    if _NO_PARENT.search(result.message):
        return Verdict.PARENT_MISSING
    if key_field and is_taken(result, key_field):
        return Verdict.RETRY
    return _VERDICTS.get(result.code, Verdict.REFUSED)


def is_taken(result: RowResult, key_field: str) -> bool:
    """Whether the row was refused because its external id exists, although the upsert had not found it."""
    named = rf"\b{re.escape(key_field)}\b"
    return result.code == "DUPLICATE_VALUE" and bool(
        re.search(named, " ".join((result.message, *result.fields)), re.IGNORECASE)
    )


def of_errors(errors: Sequence[Any]) -> tuple[str, str, tuple[str, ...]]:
    """Code, message, fields of `[{"statusCode", "message", "fields"}]`: the first error's code, all words."""
    told = [error for error in errors if isinstance(error, dict)]
    codes = [str(error.get("statusCode") or error.get("errorCode") or "") for error in told]
    message = "; ".join(str(error["message"]) for error in told if error.get("message"))
    fields = [str(name) for error in told for name in _listed(error.get("fields"))]
    code = next((code for code in codes if code), UNEXPLAINED)
    return code, message or "Salesforce gives no reason.", tuple(dict.fromkeys(fields))


def of_sf_error(said: str) -> tuple[str, str, tuple[str, ...]]:
    """Code, message, fields of a Bulk result's `sf__Error`: `CODE:message:Field__c Other__c --`."""
    text = said.strip()
    code, separator, rest = text.partition(":")
    if not separator or not re.fullmatch(r"\w+", code, re.ASCII):
        return UNEXPLAINED, text or "Salesforce gives no reason.", ()
    if not rest.endswith("--"):
        return code, rest.strip(), ()
    message, separator, names = rest.removesuffix("--").rpartition(":")
    if not separator:
        return code, names.strip(), ()
    return code, message.strip(), tuple(re.split(r"[\s,]+", names.strip())) if names.strip() else ()


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
