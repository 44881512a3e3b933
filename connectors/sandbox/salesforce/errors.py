"""Salesforce's refusals: status, error code and message, in Salesforce's words."""

from collections.abc import Sequence
from typing import Any

RESOURCE_MISSING = "The requested resource does not exist"
NO_SUCH_RECORD = "Provided external ID field does not exist or is not accessible: {}"
NO_ACCESS = "insufficient access rights on object id"
SEE_WSDL = (
    "If you are attempting to use a custom {kind}, be sure to append the '__c' after the {name} name. "
    "Please reference your WSDL or the describe call for the appropriate names."
)
STATUS = {
    "NOT_FOUND": 404,
    "ENTITY_IS_DELETED": 404,
    "INVALID_SESSION_ID": 401,
    "REQUEST_LIMIT_EXCEEDED": 403,
    "INSUFFICIENT_ACCESS_OR_READONLY": 403,
    "METHOD_NOT_ALLOWED": 405,
    "REQUEST_ENTITY_TOO_LARGE": 413,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "URI_TOO_LONG": 414,
    "REQUEST_HEADER_TOO_LARGE": 431,
}


class SalesforceError(Exception):
    """A refusal: `code` is Salesforce's errorCode (statusCode in collections), `fields` are to blame."""

    def __init__(self, code: str, message: str, fields: Sequence[str] | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.fields = fields

    @property
    def status(self) -> int:
        """The HTTP status that carries this refusal."""
        return STATUS.get(self.code, 400)

    def body(self) -> list[dict[str, Any]]:
        """The body of a REST reply: a list of one."""
        entry: dict[str, Any] = {"message": self.message, "errorCode": self.code}
        if self.fields is not None:
            entry["fields"] = list(self.fields)
        return [entry]

    def item(self) -> dict[str, Any]:
        """One entry of a per-record `errors` list."""
        return {"statusCode": self.code, "message": self.message, "fields": list(self.fields or ())}


def not_found() -> SalesforceError:
    """No such resource, object or record."""
    return SalesforceError("NOT_FOUND", RESOURCE_MISSING)


def unknown_field(name: str, object_name: str) -> SalesforceError:
    """A write or a read names a field that the object does not have."""
    return SalesforceError("INVALID_FIELD", f"No such column '{name}' on sobject of type {object_name}")


def unknown_type(name: str) -> SalesforceError:
    """A query or a collection names an object that the org does not have."""
    advice = SEE_WSDL.format(kind="object", name="entity")
    return SalesforceError("INVALID_TYPE", f"sObject type '{name}' is not supported. {advice}")


def malformed_id(label: str, value: object, fields: Sequence[str]) -> SalesforceError:
    """Not an id, or an id of another object."""
    return SalesforceError("MALFORMED_ID", f"{label}: id value of incorrect type: {value}", fields)


def unknown_reference() -> SalesforceError:
    """A reference field points at a record that is not there."""
    return SalesforceError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", ())


def deleted() -> SalesforceError:
    """The record is in the recycle bin."""
    return SalesforceError("ENTITY_IS_DELETED", "entity is deleted", ())


def no_access() -> SalesforceError:
    """The record exists and this user may not see it.

    Salesforce documents the code, not which of its resources answer it so; that a read by id is refused with
    403 and not hidden behind 404 is our inference, so that callers meet both.
    """
    return SalesforceError("INSUFFICIENT_ACCESS_OR_READONLY", NO_ACCESS, ())


def not_for_events(name: str, operation: str) -> SalesforceError:
    """Platform events can be created, and nothing else."""
    message = f"entity type {name} does not support {operation}"
    return SalesforceError("INVALID_TYPE_FOR_OPERATION", message, ())
