"""Settings: one TOML file, M3SYNC_ variables over it, secrets from the service's credentials directory."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_origin
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError

from daemon import configuration
from daemon.configuration import PREFIX

DEFAULT_FILE = Path("/etc/m3sync/m3sync.toml")

Seconds = Annotated[float, Field(gt=0, le=86_400)]


class Section(BaseModel):
    """A table of the settings file; a key it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DatabaseSettings(Section):
    """`url` None means the embedded server under the state directory."""

    url: SecretStr | None = None
    min_size: Annotated[int, Field(ge=1, le=100)] = 2
    max_size: Annotated[int, Field(ge=2, le=100)] = 10

    @field_validator("url")
    @classmethod
    def _names_postgresql(cls, url: SecretStr | None) -> SecretStr | None:
        if url is None:
            return None
        if not re.match(r"postgres(ql)?://", url.get_secret_value()):
            raise ValueError("must begin with postgresql://")
        try:
            is_sound = urlsplit(url.get_secret_value()).port != 0
        except ValueError:
            is_sound = False
        if not is_sound:
            raise ValueError("must be written as postgresql://USER:PASSWORD@HOST:PORT/DATABASE")
        return url

    @model_validator(mode="after")
    def _has_room(self) -> Self:
        if self.min_size > self.max_size:
            raise ValueError(f"min_size ({self.min_size}) must not be more than max_size ({self.max_size})")
        return self


class HttpSettings(Section):
    """Where health, metrics and the panel listen; `hosts`: names they answer to besides the loopback's."""

    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8320
    hosts: tuple[str, ...] = ()


class LogSettings(Section):
    """`auto` is the console format on a terminal and JSON elsewhere."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json"] = "auto"


class WorkerSettings(Section):
    """How records are claimed and tried again; one is in flight unless told otherwise (README, promise 2).

    `settle_seconds`: how long a call whose answer was lost may still take effect, and m3ter's lists may not
    show what it made, before which nobody looks what became of it; not less than m3ter is given for an answer
    (`m3ter.total_seconds`). m3ter's description speaks of no delay of its lists.
    """

    in_flight: Annotated[int, Field(ge=1, le=64)] = 1
    lease_seconds: Annotated[float, Field(ge=1, le=3_600)] = 60
    poll_seconds: Seconds = 5
    attempts: Annotated[int, Field(ge=1, le=100)] = 12
    backoff_seconds: Annotated[float, Field(gt=0, le=3_600)] = 5
    backoff_limit_seconds: Seconds = 3_600
    settle_seconds: Annotated[float, Field(gt=0, le=3_600)] = 60
    grace_seconds: Annotated[float, Field(ge=0, le=3_600)] = 60

    @model_validator(mode="after")
    def _what_a_dead_daemon_sent_settles_within_its_lease(self) -> Self:
        if self.lease_seconds < self.settle_seconds:
            raise ValueError(
                f"lease_seconds ({self.lease_seconds:g}) must not be less than settle_seconds "
                f"({self.settle_seconds:g})"
            )
        return self

    @property
    def lease(self) -> timedelta:
        return timedelta(seconds=self.lease_seconds)

    @property
    def settle(self) -> timedelta:
        return timedelta(seconds=self.settle_seconds)


class BrakeSettings(Section):
    """A record whose syncs wrote to m3ter `writes` times within `minutes` ping-pongs: it is left alone for
    `pause_minutes` and then synced as it is."""

    writes: Annotated[int, Field(ge=2, le=10_000)] = 20
    minutes: Annotated[float, Field(gt=0, le=1_440)] = 10
    pause_minutes: Annotated[float, Field(gt=0, le=1_440)] = 30


class SystemSettings(Section):
    """Patience with one outside system; `attempts` counts only calls that are harmless to repeat.

    `total_seconds`: how long one attempt of a call may take, and twice that one that writes 200 records.

    `probe_seconds`: how often it is asked whether it is there; on Salesforce each is one API call.
    """

    connect_seconds: Seconds = 10
    total_seconds: Seconds = 60
    attempts: Annotated[int, Field(ge=1, le=20)] = 4
    probe_seconds: Seconds = 60


class M3terSettings(SystemSettings):
    """m3ter answers 429 beyond 50 requests a second for an organization."""

    per_second: Annotated[int, Field(ge=1, le=1_000)] = 50
    probe_seconds: Seconds = 30


class ListeningSettings(Section):
    """After how long without an event a channel is not trusted, and Salesforce is asked what changed."""

    silence_minutes: Annotated[float, Field(gt=0, le=1_440)] = 15

    @property
    def silence(self) -> timedelta:
        return timedelta(minutes=self.silence_minutes)


class RereadSettings(Section):
    """How what may have been missed is read again.

    `overlap_minutes`: a record is stamped when it is written and seen when its transaction commits, so that
    a window begins earlier than it seems to need; Apex may take 10 minutes. `page_size`: Salesforce gives
    2,000 records with one call.
    """

    overlap_minutes: Annotated[float, Field(ge=2, le=1_440)] = 15
    page_size: Annotated[int, Field(ge=1, le=2_000)] = 2_000

    @property
    def overlap(self) -> timedelta:
        return timedelta(minutes=self.overlap_minutes)


class EntityDataSyncSettings(Section):
    """How m3ter's entities are kept in Salesforce.

    `feed_seconds`: how often m3ter's events are asked what changed between scans. `bulk_threshold`: with so
    many records to write a Bulk API job is used. `api_reserve_percent`: the part of the org's daily API calls
    that is left to others. `names`: by namespace, API names that differ from the documented ones, "" for a
    field left out.
    """

    feed_seconds: Annotated[float, Field(ge=0.05, le=86_400)] = 5
    bulk_threshold: Annotated[int, Field(ge=201, le=100_000_000)] = 10_000
    in_flight: Annotated[int, Field(ge=1, le=20)] = 4
    api_reserve_percent: Annotated[int, Field(ge=0, le=99)] = 10
    lookahead_pages: Annotated[int, Field(ge=1, le=50)] = 3
    testing_prefix: Annotated[str, Field(pattern=r"^([A-Za-z][A-Za-z0-9_]{0,14})?$")] = ""
    names: dict[str, dict[str, str]] = {}


class Settings(BaseSettings):
    """Everything an operator may set. Build it with `load`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", env_ignore_empty=True, extra="forbid", frozen=True
    )

    database: DatabaseSettings = DatabaseSettings()
    http: HttpSettings = HttpSettings()
    log: LogSettings = LogSettings()
    worker: WorkerSettings = WorkerSettings()
    brake: BrakeSettings = BrakeSettings()
    salesforce: SystemSettings = SystemSettings()
    m3ter: M3terSettings = M3terSettings()
    listening: ListeningSettings = ListeningSettings()
    reread: RereadSettings = RereadSettings()
    entity_data_sync: EntityDataSyncSettings = EntityDataSyncSettings()
    state_directory: Path = Path("/var/lib/m3sync")
    vault_key_file: Path | None = None

    @field_validator("state_directory", "vault_key_file", mode="before")
    @classmethod
    def _names_something(cls, given: Any) -> Any:
        if given == "":
            raise ValueError("must name a path")
        return given

    @field_validator("state_directory", "vault_key_file")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        return path if path is None else path.expanduser().absolute()

    @property
    def database_url(self) -> str | None:
        return None if self.database.url is None else self.database.url.get_secret_value()

    @property
    def vault_key_path(self) -> Path:
        return self.vault_key_file or self.state_directory / "vault.key"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is pydantic-settings'
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings


def load(file: Path | None = None) -> Settings:
    """Settings from `file` (which must exist when named), the environment and $CREDENTIALS_DIRECTORY.

    Raises ConfigurationError.
    """
    named = file or DEFAULT_FILE
    document = configuration.read(named) if file or named.exists() else {}
    known = list(_known())
    configuration.refuse_unknown(document, named, known)
    configuration.refuse_unknown_variables(known)
    origins = configuration.add_credentials(document)
    try:
        return Settings(**document)
    except ValidationError as error:
        raise configuration.explained(error, named, origins) from None
    except SettingsError as error:
        raise configuration.unreadable(error) from None


def _known(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            yield f"{prefix}{name}"
            yield from _known(kind, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"
            if get_origin(kind) is dict:
                yield f"{prefix}{name}.*"
