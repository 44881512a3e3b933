"""What was configured: file, variables, the service's credentials; and what is said about a wrong one."""

import difflib
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings.exceptions import SettingsError

PREFIX = "M3SYNC_"
# Read by the command line itself, and by the tests, so not settings.
_NOT_SETTINGS = ("M3SYNC_CONFIG", "M3SYNC_TEST_")
_IN_OUR_WORDS = {
    "model_type": "must be a table",
    "dict_type": "must be a table",
    "model_attributes_type": "must be a table",
    "tuple_type": "must be a list",
    "path_type": "must be a path, in quotation marks",
}


class ConfigurationError(Exception):
    """The configuration cannot be used: where, what is wrong, and what to do about it."""

    def __init__(self, reason: str, instruction: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.instruction = instruction

    def __str__(self) -> str:
        return f"{self.reason} {self.instruction}"


def read(file: Path) -> dict[str, Any]:
    """The document of a settings file. Raises ConfigurationError."""
    try:
        return tomllib.loads(
            file.read_text(encoding="utf-8-sig")
        )  # some editors begin with a byte order mark
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


def refuse_unknown(document: Mapping[str, Any], file: Path, known: Sequence[str], prefix: str = "") -> None:
    """Raises ConfigurationError for a key that is not among the `known`, written with dots.

    Below a key that is known with `.*` any key may be.
    """
    for name, value in document.items():
        key = f"{prefix}{name}"
        if key not in known:
            near = _nearest(key, known)
            top = ", ".join(each for each in known if "." not in each)
            raise ConfigurationError(
                f'{file}: the key "{key}" is not known.',
                f'Did you mean "{near}"?' if near else f"Known at the top: {top}.",
            )
        if isinstance(value, Mapping) and f"{key}.*" not in known:
            refuse_unknown(value, file, known, f"{key}.")


def refuse_unknown_variables(known: Sequence[str]) -> None:
    """Raises ConfigurationError for a variable of ours that sets none of the `known` keys."""
    variables = [_variable(key) for key in known]
    for name in os.environ:
        upper = name.upper()
        if upper.startswith(PREFIX) and not upper.startswith(_NOT_SETTINGS) and upper not in variables:
            near = _nearest(upper, variables)
            raise ConfigurationError(
                f"The variable {name} is not a setting.",
                f"Did you mean {near}?" if near else f"Unset it; {PREFIX}… names settings of m3sync only.",
            )


def _nearest(key: str, known: Sequence[str]) -> str:
    last = key.rpartition(".")[2]
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.6) or [
        name for name in known if name.rpartition(".")[2] == last
    ]
    return near[0] if near else ""


def _variable(key: str) -> str:
    return PREFIX + key.replace(".", "__").upper()


def add_credentials(document: dict[str, Any]) -> dict[str, Path]:
    """Lay the files that systemd hands over (LoadCredential=) upon the document.

    Gives where each key is from. Raises ConfigurationError.
    """
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    if not directory:
        return {}
    url, key = Path(directory) / "database.url", Path(directory) / "vault.key"
    origins: dict[str, Path] = {}
    try:
        if url.is_file():
            database = document.setdefault("database", {})
            if isinstance(database, dict):
                database["url"] = url.read_text(encoding="utf-8").strip()
                origins["database.url"] = url
        if key.is_file():
            document["vault_key_file"] = key
            origins["vault_key_file"] = key
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"The credentials in {directory} cannot be read: {error}.", "See LoadCredential= in the unit."
        ) from None
    return origins


def explained(error: ValidationError, file: Path, origins: Mapping[str, Path]) -> ConfigurationError:
    """The first thing wrong, with where it was set; never a value that may hold a secret."""
    problem = error.errors()[0]
    key = ".".join(str(part) for part in problem["loc"] if not isinstance(part, int))
    if _variable(key) in {name.upper() for name in os.environ}:
        where = f"The variable {_variable(key)}"
    else:
        where = str(origins[key]) if key in origins else f'{file}: the key "{key}"'
    reason = _IN_OUR_WORDS.get(problem["type"], problem["msg"].removeprefix("Value error, "))
    shown = problem["input"]
    # A database URL may hold a password, so what was given is never repeated there.
    is_secret = key in ("database", "database.url")
    given = "" if is_secret or isinstance(shown, dict) else f", not {shown!r}"
    return ConfigurationError(
        f"{where} is wrong: {reason[:1].lower()}{reason[1:]}{given}.", "Mend it and try again."
    )


def unreadable(error: SettingsError) -> ConfigurationError:
    """A variable for a table or a list that is not JSON, by the names it may have."""
    field = re.search(r'field "(\w+)"', str(error))
    beginning = PREFIX + (field[1].upper() if field else "")
    names = sorted(name for name in os.environ if name.upper().startswith(beginning))
    return ConfigurationError(
        f"The variable {' or '.join(names)} cannot be read.",
        "A list or table in a variable is written as JSON.",
    )
