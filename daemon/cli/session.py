"""What each command stands on: settings, an open database, the vault, and failures as exit codes."""

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec

import structlog
import typer

from connectors.errors import SyncError
from daemon import location, logs, settings
from daemon.cli import printing
from daemon.configuration import ConfigurationError
from daemon.settings import Settings
from daemon.to_m3ter.mapping.errors import MappingInvalid
from state import credentials
from state.database import Pool
from state.errors import NameUnusable, SchemaInvalid, SchemaNewer, StateError, VaultError
from state.vault import Vault

P = ParamSpec("P")
Work = Callable[P, Coroutine[Any, Any, int | None]]

DONE, FAILED, WRONG_USAGE, UNCONFIGURED = 0, 1, 2, 3
INTERRUPTED = 130

config_file: ContextVar[Path | None] = ContextVar("config_file", default=None)


class CommandFailed(Exception):  # noqa: N818 - reads as what it says
    """The command could not do what it was asked to; `exit_code` says whose turn it is."""

    def __init__(self, reason: str, instruction: str = "", *, exit_code: int = FAILED) -> None:
        super().__init__(reason)
        self.reason = reason
        self.instruction = instruction
        self.exit_code = exit_code


@dataclass(frozen=True, slots=True)
class Session:
    """The settings and the open database of one command."""

    settings: Settings
    db: Pool

    async def vault(self) -> Vault:
        """The vault, with a key made on first use. Raises VaultError."""
        return await credentials.open_vault(self.db, self.settings.vault_key_path)


def load_settings(*, is_service: bool = False) -> Settings:
    """The settings of this invocation; a command that answers and ends logs only what went wrong."""
    found = settings.load(config_file.get())
    level = found.log.level if is_service or found.log.level == "debug" else "error"
    logs.configure(level, found.log.format)
    return found


@asynccontextmanager
async def opened() -> AsyncIterator[Session]:
    """The configured database, or the embedded one of the state directory.

    Raises StateError, and ConfigurationError, also while the database is not laid out yet.
    """
    found = load_settings()
    async with location.opened(found) as db:
        yield Session(found, db)


def command(work: Work[P]) -> Callable[P, None]:
    """An async command for typer: its failure becomes one message and an exit code, never a traceback."""

    @functools.wraps(work)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        code = guarded(lambda: asyncio.run(work(*args, **kwargs)))
        if code:
            raise typer.Exit(code)

    return run


def guarded(work: Callable[[], int | None]) -> int:
    """The exit code of `work`, having told what went wrong."""
    try:
        return work() or DONE
    except (KeyboardInterrupt, asyncio.CancelledError):  # the outermost frame: nobody is left to tell
        printing.problem("interrupted before the end.")
        return INTERRUPTED
    except (typer.Exit, typer.Abort):
        raise
    except BaseExceptionGroup as group:
        return _told(_first(group))
    except Exception as error:
        return _told(error)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


def _told(error: BaseException) -> int:
    match error:
        case printing.OutputClosedError():  # whoever read it has seen enough
            return DONE
        case CommandFailed():
            printing.problem(error.reason, error.instruction)
            return error.exit_code
        case ConfigurationError() | VaultError() | SchemaNewer() | SchemaInvalid():
            printing.problem(error.reason, error.instruction)
            return UNCONFIGURED
        case MappingInvalid():
            printing.problem(error.reason, error.instruction)
            return FAILED
        case StateError():
            printing.problem(error.reason, error.instruction)
            return WRONG_USAGE if isinstance(error, NameUnusable) else FAILED
        case SyncError():
            printing.problem(error.message, error.instruction)
            return FAILED
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            printing.problem(
                f"The operating system refuses: {where}{error.strerror or error}.",
                "Look at that file, or at where the output goes: its rights and its free space.",
            )
            return FAILED
        case Exception():
            structlog.get_logger(__name__).debug("unexpected failure", exc_info=error)
            printing.problem(
                f"m3sync failed in a way it does not know: {type(error).__name__}: {error}",
                "M3SYNC_LOG__LEVEL=debug shows where. Please report it.",
            )
            return FAILED
        case _:
            raise error
