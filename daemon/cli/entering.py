"""How a credential is entered: hidden prompts, or JSON from a file or standard input; never an argument."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import typer
from pydantic import SecretStr, ValidationError

from connectors import http
from connectors.m3ter.models import M3terCredential
from connectors.salesforce.models import SalesforceCredential
from daemon import clients
from daemon.cli import reading
from daemon.cli.session import WRONG_USAGE, CommandFailed
from state.models import NewCredential

SystemCredential: TypeAlias = SalesforceCredential | M3terCredential
MODELS: Mapping[str, type[SalesforceCredential] | type[M3terCredential]] = {
    "salesforce": SalesforceCredential,
    "m3ter": M3terCredential,
}


def parse(system: str, given: Mapping[str, Any]) -> SystemCredential:
    """Raises CommandFailed naming the field; never repeats what was given, it may be the secret."""
    model = MODELS[system]
    unknown = sorted(set(given) - set(model.model_fields))
    if unknown:
        raise CommandFailed(
            f'A {system} credential has no "{unknown[0]}".', f"It may have: {', '.join(model.model_fields)}."
        )
    try:
        return model.model_validate(dict(given))
    except ValidationError as error:
        raise CommandFailed(
            f"The {system} credential cannot be used: {clients.unfit(error)}",
            "Nothing was stored. Correct it and enter it again.",
        ) from None


def new(name: str, system: str, credential: SystemCredential) -> NewCredential:
    """The credential as the vault keeps it: everything in the secret, the harmless part to show."""
    secret = {
        key: value.get_secret_value() if isinstance(value, SecretStr) else value
        for key, value in credential.model_dump(exclude_none=True).items()
    }
    return NewCredential(name, system, secret, credential.summary())


def from_file(path: Path) -> dict[str, Any]:
    """A JSON object from a file, or from standard input for `-`."""
    try:
        given = http.loads(reading.whole(path))
    except OSError as error:
        raise CommandFailed(f"{path} cannot be read: {error.strerror}.", "Name a readable file.") from None
    except ValueError:
        raise CommandFailed(f"{path} holds no valid JSON.", "Write one JSON object.") from None
    if not isinstance(given, dict):
        raise CommandFailed(f"{path} holds no JSON object.", 'Write {"url": "...", ...}.')
    return given


def from_prompts(system: str) -> dict[str, Any]:
    """Ask for each part; secrets are not echoed. Raises CommandFailed where nobody can be asked."""
    if not sys.stdin.isatty():
        raise CommandFailed(
            "Standard input is no terminal, so nobody can be asked for the secret.",
            "Give the credential as JSON: --file FILE, or --file - for standard input.",
            exit_code=WRONG_USAGE,
        )
    return _ask_m3ter() if system == "m3ter" else _ask_salesforce()


def _ask_m3ter() -> dict[str, Any]:
    return {
        "url": typer.prompt("API address", default=str(M3terCredential.model_fields["url"].default)),
        "org_id": typer.prompt("Organization id"),
        "api_key": typer.prompt("Access key id"),
        "api_secret": typer.prompt("API secret", hide_input=True),
    }


def _ask_salesforce() -> dict[str, Any]:
    flows = ("client_credentials", "jwt_bearer", "refresh_token")
    given = {
        "url": typer.prompt("My Domain address, https://....my.salesforce.com"),
        "flow": typer.prompt(f"OAuth flow ({', '.join(flows)})", default=flows[0]),
        "client_id": typer.prompt("Consumer key (client id)"),
    }
    match given["flow"]:
        case "jwt_bearer":
            given["username"] = typer.prompt("User name")
            given["private_key"] = _read_key(Path(typer.prompt("File with the private key (PEM)")))
        case "refresh_token":
            given["refresh_token"] = typer.prompt("Refresh token", hide_input=True)
            given["client_secret"] = typer.prompt(
                "Consumer secret, empty if none", default="", hide_input=True, show_default=False
            )
        case _:
            given["client_secret"] = typer.prompt("Consumer secret", hide_input=True)
    return given


def _read_key(path: Path) -> str:
    try:
        return reading.whole(path.expanduser()).decode("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandFailed(f"The private key {path} cannot be read: {error}.", "Name a PEM file.") from None
