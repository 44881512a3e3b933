"""What the failures of the PostgreSQL driver mean, and what to do about each."""

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import asyncpg

from state.errors import DatabaseUnavailable

# The third is raised when a connection is used while the driver takes in that it was ended.
FAILURES = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
_LOST = re.compile(r"closed|closing|released back to the pool")  # the driver's words for a connection gone
_START = "Start it, or correct database.url; m3sync goes on by itself once it answers."
_CAUSES: tuple[tuple[tuple[type[Exception], ...], str, str], ...] = (
    (
        (asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError),
        "{place} refuses this user or password.",
        "Correct user and password in database.url, or the server's pg_hba.conf.",
    ),
    (
        (asyncpg.InvalidCatalogNameError,),
        "{place} has no such database.",
        "Create it (createdb), or correct the name in database.url.",
    ),
    (
        (asyncpg.InsufficientPrivilegeError,),
        "{place} does not give this user enough rights.",
        "Grant it the database, or make it the owner of its schema (ALTER DATABASE ... OWNER TO ...).",
    ),
    (
        (asyncpg.TooManyConnectionsError,),
        "{place} has no connection left.",
        "Raise max_connections of the server, or end other clients.",
    ),
    (
        (asyncpg.DiskFullError,),
        "{place} has no room left on its disk.",
        "Free or add space there; m3sync goes on by itself once there is some.",
    ),
    (
        (ConnectionRefusedError, FileNotFoundError),
        "{place} refuses connections: nothing listens there.",
        _START,
    ),
    ((TimeoutError,), "{place} did not answer in time.", "Look at the server's load and at the network."),
    (
        (
            asyncpg.PostgresConnectionError,
            asyncpg.OperatorInterventionError,  # also: starting up, shutting down, statement_timeout
            asyncpg.InsufficientResourcesError,
            asyncpg.ReadOnlySQLTransactionError,
        ),
        "{place} is not available.",
        _START,
    ),
    ((socket.gaierror,), "{place}: no such host is known.", "Correct the host in database.url."),
    (
        (asyncpg.TransactionRollbackError,),
        "{place} undid the transaction, because another wanted the same rows.",
        "Nothing to do: it is tried again.",
    ),
    ((asyncpg.ClientConfigurationError,), "database.url cannot be used.", "Correct database.url."),
    ((asyncpg.InterfaceError, asyncpg.InternalClientError), "The connection to {place} was lost.", _START),
    ((OSError,), "{place} cannot be reached.", "Correct the host in database.url, or look at the network."),
)


@contextmanager
def explaining(url: str = "") -> Iterator[None]:
    """Turn the driver's connection errors into DatabaseUnavailable; a statement's own errors pass."""
    try:
        yield
    except FAILURES as error:
        explained = _explain(error, url)
        if explained is None:
            raise
        raise explained from error


def _explain(error: Exception, url: str) -> DatabaseUnavailable | None:
    if type(error) is asyncpg.InterfaceError and not _LOST.search(str(error)):
        return None  # misuse of the driver, not an outage
    place = _place(url)
    for kinds, reason, instruction in _CAUSES:
        if isinstance(error, kinds):
            own_words = str(error) or type(error).__name__
            return DatabaseUnavailable(f"{reason.format(place=place)} ({own_words})", instruction)
    return None


def _place(url: str) -> str:
    """Where the URL leads, without user or password."""
    if not url:
        return "PostgreSQL"
    parts = urlsplit(url)
    return f"PostgreSQL at {parts.hostname or 'the local socket'}{f':{parts.port}' if parts.port else ''}"
