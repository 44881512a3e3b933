"""Salesforce's credential, ids, and change events as the rest of the house sees them."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal, Self, TypeAlias

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)
from yarl import URL

from connectors.addresses import base_url
from connectors.salesforce import ids

to_id18 = ids.to_id18
Record: TypeAlias = dict[str, Any]
Flow: TypeAlias = Literal["client_credentials", "jwt_bearer", "refresh_token"]

_NOT_MY_DOMAIN = ("login.salesforce.com", "test.salesforce.com")
_OLDEST_API = 41  # 31.0 to 40.0 are deprecated since Summer '27; CometD wants 37.0 or later


def _is_blank(value: object) -> bool:
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    return text is None or (isinstance(text, str) and not text.strip())


def _none_if_blank(value: object) -> object:
    return None if _is_blank(value) else value


_Secret: TypeAlias = Annotated[SecretStr | None, BeforeValidator(_none_if_blank)]
_Text: TypeAlias = Annotated[str | None, BeforeValidator(_none_if_blank)]


class SalesforceCredential(BaseModel):
    """How to sign in to one org. Which OAuth flow is meant is told by `flow`, or by what is given: a refresh
    token, else a private key, else a client secret."""

    model_config = ConfigDict(frozen=True, str_strip_whitespace=True, hide_input_in_errors=True)

    url: Annotated[str, AfterValidator(base_url)]
    client_id: str = Field(min_length=1)
    client_secret: _Secret = None
    username: _Text = None
    private_key: _Secret = None
    audience: _Text = None
    refresh_token: _Secret = None
    api_version: str = Field(default="67.0", pattern=r"^[0-9]{2,3}\.0$")
    flow: Flow = "client_credentials"

    @model_validator(mode="before")
    @classmethod
    def _infer_flow(cls, given: Any) -> Any:
        if not isinstance(given, dict) or given.get("flow"):
            return given
        if not _is_blank(given.get("refresh_token")):
            return {**given, "flow": "refresh_token"}
        has_key = not _is_blank(given.get("private_key"))
        return {**given, "flow": "jwt_bearer" if has_key else "client_credentials"}

    @field_validator("api_version")
    @classmethod
    def _is_recent(cls, version: str) -> str:
        if int(version.removesuffix(".0")) < _OLDEST_API:
            raise ValueError(f"API version {version} is being retired: use {_OLDEST_API}.0 or later")
        return version

    @field_validator("private_key")
    @classmethod
    def _is_rsa_key(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None:
            try:
                loaded = load_pem_private_key(key.get_secret_value().encode(), password=None)
            except (ValueError, TypeError) as error:
                raise ValueError("the private key is no PEM file without a password") from error
            if not isinstance(loaded, RSAPrivateKey):
                raise ValueError("the private key is no RSA key; Salesforce's JWT bearer flow wants RS256")
        return key

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if self.flow == "client_credentials":
            if self.client_secret is None:
                raise ValueError(
                    "nothing to sign in with: give a client secret, or a private key with a username "
                    "(JWT bearer), or a refresh token"
                )
            if URL(self.url).host in _NOT_MY_DOMAIN:
                raise ValueError(
                    "the client credentials flow works only at the org's own address: "
                    "https://YourDomain.my.salesforce.com (Setup, My Domain)"
                )
        if self.flow == "jwt_bearer" and (self.private_key is None or self.username is None):
            missing = "private key" if self.private_key is None else "username"
            raise ValueError(
                f"the JWT bearer flow needs a private key and a username: the {missing} is missing"
            )
        if self.flow == "refresh_token" and self.refresh_token is None:
            raise ValueError("the refresh token flow needs a refresh token")
        return self

    def jwt_audience(self) -> str:
        """Whom the JWT is addressed to: production's or the sandboxes' login host, unless told otherwise."""
        if self.audience:
            return self.audience
        host = URL(self.url).host or ""
        is_sandbox = host == "test.salesforce.com" or ".sandbox." in host
        return "https://test.salesforce.com" if is_sandbox else "https://login.salesforce.com"

    def summary(self) -> dict[str, str]:
        """What may be shown of it."""
        shown = {
            "url": self.url,
            "flow": self.flow,
            "client_id": self.client_id,
            "api_version": self.api_version,
        }
        return {**shown, "username": self.username} if self.username else shown


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a credential is. Ids have 18 characters."""

    org_id: str
    user_id: str
    username: str


@dataclass(frozen=True, slots=True)
class ChangeEvent:
    """One change, as Change Data Capture tells it. `payload` is the body without its header.

    `record_ids` may hold wildcards ("001*") and, for GAP_OVERFLOW, ids.NO_RECORD. `changed_fields` are the
    body's own keys where the header leaves them out.
    """

    channel: str
    replay_id: str
    object_name: str
    record_ids: tuple[str, ...]
    change_type: str
    changed_fields: tuple[str, ...] = ()
    change_origin: str = ""
    commit_user: str = ""
    transaction_key: str = ""
    sequence_number: int = 0
    commit_number: int = 0
    committed_at: datetime | None = None
    payload: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Notification:
    """An event without a change event's header: a platform event, or what a PushTopic says of a record.

    `payload` has the event's own fields, or those that the PushTopic's query selects, Id among them.
    `event_type` is created, updated, deleted or undeleted for a PushTopic, and empty for a platform event.
    `event_key` tells it from others, should its replay id be given out again: its EventUuid, or for a
    PushTopic, which has none, its time.
    """

    channel: str
    replay_id: str
    event_type: str = ""
    event_key: str = ""
    created_at: datetime | None = None
    payload: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UndecodableEvent:
    """An event that came and could not be read: a re-read must find what changed (README, promise 4)."""

    channel: str
    replay_id: str
    reason: str


Event = ChangeEvent | Notification | UndecodableEvent


@dataclass(frozen=True, slots=True)
class Batch:
    """What one answer of the stream brought, in its order. Empty: all channels have just been subscribed."""

    events: tuple[Event, ...] = ()
