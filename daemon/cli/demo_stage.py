"""What the demo stands on: a directory, free ports, the sandbox as a child process, everything configured."""

import asyncio
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connectors import http
from daemon import settings
from daemon.cli import credentials as credential_commands
from daemon.cli import entering
from daemon.cli.session import CommandFailed
from daemon.configuration import PREFIX
from daemon.settings import Settings
from daemon.to_m3ter import presets
from daemon.to_m3ter.mapping import document
from state import credentials, embedded, field_mappings, integrations
from state.database import Db
from state.models import NewIntegration

PANEL_PORT, SALESFORCE_PORT, M3TER_PORT = 8320, 8321, 8322
_ANSWER_SECONDS = 30
_FLOWS = {"Sales agreements": "opportunity", "Accounts": "account"}


@dataclass(frozen=True, slots=True)
class Stage:
    """The demo's own directory and what is in it."""

    directory: Path

    @property
    def config(self) -> Path:
        return self.directory / "m3sync.toml"

    @property
    def sandbox(self) -> Path:
        return self.directory / "sandbox.json"

    @property
    def log(self) -> Path:
        return self.directory / "m3sync.log"

    @property
    def state(self) -> Path:
        return self.directory / "state"


@contextmanager
def taken(directory: Path) -> Iterator[Stage]:
    """The demo's directory, for one demo at a time."""
    stage = Stage(directory.absolute())
    try:
        stage.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(stage.directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CommandFailed(
            f"The demo cannot write in {stage.directory}: {error.strerror}.",
            "Start it in a directory of your own.",
        ) from None
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandFailed(
                f"A demo runs in {stage.directory} already.", "Use that one, or end it with Ctrl-C."
            ) from None
        yield stage
    finally:
        os.close(lock)


async def clear(stage: Stage) -> None:
    """Begin anew: the sandbox has forgotten what an earlier demo wrote there, so its records mean nothing."""
    if stage.state.exists():
        # A database left behind by a killed demo is stopped by its last member, and that is us.
        async with embedded.server(stage.state):
            pass
        shutil.rmtree(stage.state)
    stage.sandbox.unlink(missing_ok=True)


def forget_environment() -> None:
    """A demo is its own configuration: no variable of the operator's leads it to a real database."""
    for name in list(os.environ):
        if name.upper().startswith(PREFIX) or name == "CREDENTIALS_DIRECTORY":
            del os.environ[name]


def configure(stage: Stage, port: int) -> Settings:
    """Write the demo's settings file, for this process and for whoever tries the other commands."""
    stage.config.write_text(
        "# Written by `m3sync demo`.\n"
        f'state_directory = "{_quoted(stage.state)}"\n\n[http]\nport = {port}\n'
        "\n[worker]\npoll_seconds = 1\nbackoff_seconds = 2\n",
        encoding="utf-8",
    )
    return settings.load(stage.config)


def _quoted(path: Path) -> str:
    return str(path).replace("\\", "\\\\").replace('"', '\\"')


def door() -> socket.socket:
    """The panel's, at its own port or a free one; listens at once, so that no other demo takes the same."""
    for port in (PANEL_PORT, 0):
        with suppress(OSError):
            return socket.create_server(("127.0.0.1", port))
    raise CommandFailed("No port of the loopback is free.", "End what listens on 127.0.0.1.")


@asynccontextmanager
async def sandbox(stage: Stage) -> AsyncIterator[dict[str, Any]]:
    """Both emulated systems in a child process, which ends with us however we end."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "daemon.cli", "sandbox", "--json", "--tied", "--or-free"),
        *("--salesforce-port", str(SALESFORCE_PORT), "--m3ter-port", str(M3TER_PORT)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        limit=1 << 20,
        # Ctrl-C reaches the whole group of a terminal; the sandbox shall outlast the daemon's orderly stop.
        start_new_session=True,
    )
    try:
        yield await _described(child, stage)
    finally:
        await _end(child)


async def _described(child: asyncio.subprocess.Process, stage: Stage) -> dict[str, Any]:
    assert child.stdout is not None  # noqa: S101 - it is a pipe
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            line = await child.stdout.readline()
        facts = http.loads(line)
    except (TimeoutError, ValueError):
        facts = None
    if not isinstance(facts, dict):
        raise CommandFailed("The sandbox did not start.", "Run `m3sync sandbox` by itself to see why.")
    descriptor = os.open(stage.sandbox, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(line)
    return facts


async def _end(child: asyncio.subprocess.Process) -> None:
    if child.returncode is None:
        child.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(10):
                await child.wait()
        except TimeoutError:
            child.kill()
            await child.wait()
    if child.stdin is not None:
        child.stdin.close()


async def set_up(db: Db, found: Settings, facts: Mapping[str, Any]) -> None:
    """Credentials, presets and two integrations, as an operator would make them."""
    kept = await credentials.open_vault(db, found.vault_key_path)
    ids = {}
    for system in entering.MODELS:
        fields = entering.MODELS[system].model_fields
        given = {key: value for key, value in facts[system].items() if key in fields}
        if system == "salesforce":
            # The sandbox offers all three flows; the client credentials are the simplest.
            given = {key: given[key] for key in ("url", "client_id", "client_secret", "api_version")}
        credential = entering.parse(system, given)
        await credential_commands.log_in(credential)
        made = await credentials.add(db, kept, entering.new(f"sandbox-{system}", system, credential))
        await credentials.mark_authorized(db, made.credential_id)
        ids[system] = made.credential_id
    for name, preset in _FLOWS.items():
        text = presets.text(preset)
        mapping = document.parse(text)
        saved = await field_mappings.save(db, mapping.name, text)
        await integrations.add(
            db,
            NewIntegration(
                name,
                mapping.flow,
                saved.field_mapping_id,
                salesforce_credential_id=ids["salesforce"],
                m3ter_credential_id=ids["m3ter"],
                enabled=True,
            ),
        )
