"""Settings: one TOML file, M3SYNC_ variables over it, secrets from the service's credentials directory."""

import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

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

DEFAULT_FILE = Path("/etc/m3sync/m3sync.toml")
PREFIX = "M3SYNC_"
# Read by the command line itself, and by the tests, so not settings.
_NOT_SETTINGS = ("M3SYNC_CONFIG", "M3SYNC_TEST_")

Seconds = Annotated[float, Field(gt=0, le=86_400)]


class ConfigurationError(Exception):
    """The configuration cannot be used: where, what is wrong, and what to do about it."""

    def __init__(self, reason: str, instruction: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.instruction = instruction

    def __str__(self) -> str:
        return f"{self.reason} {self.instruction}"


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
        if url is not None and not re.match(r"postgres(ql)?://", url.get_secret_value()):
            raise ValueError("must begin with postgresql://")
        return url


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
    """How records are claimed and tried again; one is in flight unless told otherwise (DESIGN law 2).

    `settle_seconds`: how long a call whose answer was lost may still take effect, before which nobody looks
    what became of it; not less than m3ter is given for an answer (`m3ter.total_seconds`).
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


class SystemSettings(Section):
    """Patience with one outside system; `attempts` counts only calls that are harmless to repeat.

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


class Settings(BaseSettings):
    """Everything an operator may set. Build it with `load`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", env_ignore_empty=True, extra="forbid", frozen=True
    )

    database: DatabaseSettings = DatabaseSettings()
    http: HttpSettings = HttpSettings()
    log: LogSettings = LogSettings()
    worker: WorkerSettings = WorkerSettings()
    salesforce: SystemSettings = SystemSettings()
    m3ter: M3terSettings = M3terSettings()
    state_directory: Path = Path("/var/lib/m3sync")
    vault_key_file: Path | None = None

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
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings


def load(file: Path | None = None) -> Settings:
    """Settings from `file` (which must exist when named), the environment and $CREDENTIALS_DIRECTORY.

    Raises ConfigurationError.
    """
    named = file or DEFAULT_FILE
    document = _read(named) if file or named.exists() else {}
    _refuse_unknown(document, str(named))
    _refuse_unknown_variables(os.environ)
    _add_credentials(document)
    try:
        return Settings(**document)
    except ValidationError as error:
        raise _explained(error, named) from None
    except SettingsError as error:
        raise ConfigurationError(
            f"A {PREFIX}… variable cannot be read: {error}.",
            "A list or table in a variable is written as JSON.",
        ) from None


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(
            f"The settings file {file} does not exist.", "Create it, or name another with --config."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"The settings file {file} cannot be read: {error}.",
            "Let the user of m3sync read it, as UTF-8 text.",
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(
            f"The settings file {file} is not valid TOML: {error}.", "Mend that line."
        ) from None


def _known(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            yield f"{prefix}{name}"
            yield from _known(kind, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def _nearest(key: str, known: list[str]) -> str:
    last = key.rpartition(".")[2]
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.6) or [
        name for name in known if name.rpartition(".")[2] == last
    ]
    return near[0] if near else ""


def _refuse_unknown(document: Mapping[str, Any], file: str, prefix: str = "") -> None:
    known = list(_known())
    for name, value in document.items():
        key = f"{prefix}{name}"
        if key not in known:
            near = _nearest(key, known)
            raise ConfigurationError(
                f'{file}: the key "{key}" is not known.',
                f'Did you mean "{near}"?'
                if near
                else f"Known at the top: {', '.join(Settings.model_fields)}.",
            )
        if isinstance(value, Mapping):
            _refuse_unknown(value, file, f"{key}.")


def _refuse_unknown_variables(environment: Mapping[str, str]) -> None:
    known = [_variable(key) for key in _known()]
    for name in environment:
        upper = name.upper()
        if upper.startswith(PREFIX) and not upper.startswith(_NOT_SETTINGS) and upper not in known:
            near = _nearest(upper, known)
            raise ConfigurationError(
                f"The variable {name} is not a setting.",
                f"Did you mean {near}?" if near else f"Unset it; {PREFIX}… names settings of m3sync only.",
            )


def _variable(key: str) -> str:
    return PREFIX + key.replace(".", "__").upper()


def _add_credentials(document: dict[str, Any]) -> None:
    """Lay the files that systemd hands over (LoadCredential=) upon the document."""
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    if not directory:
        return
    url, key = Path(directory) / "database.url", Path(directory) / "vault.key"
    try:
        if url.is_file():
            database = document.setdefault("database", {})
            if isinstance(database, dict):
                database["url"] = url.read_text(encoding="utf-8").strip()
        if key.is_file():
            document["vault_key_file"] = key
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"The credentials in {directory} cannot be read: {error}.", "See LoadCredential= in the unit."
        ) from None


def _explained(error: ValidationError, file: Path) -> ConfigurationError:
    problem = error.errors()[0]
    key = ".".join(str(part) for part in problem["loc"] if not isinstance(part, int))
    from_environment = _variable(key) in {name.upper() for name in os.environ}
    where = f"the variable {_variable(key)}" if from_environment else f'{file}: the key "{key}"'
    reason = problem["msg"].removeprefix("Value error, ")
    if problem["type"] in ("model_type", "dict_type", "model_attributes_type"):
        reason = "must be a table"
    shown = problem["input"]
    # A database URL may hold a password, so what was given is never repeated for it.
    given = "" if key == "database.url" or isinstance(shown, dict) else f", not {shown!r}"
    said = reason[:1].lower() + reason[1:]
    return ConfigurationError(
        f"{where[:1].upper()}{where[1:]} is wrong: {said}{given}.", "Mend it and try again."
    )
