"""Where the database is: at the URL that is set, or in the embedded server; opened for one command."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from daemon.configuration import ConfigurationError
from daemon.settings import Settings
from state import database, embedded, migrations
from state.database import Pool


@asynccontextmanager
async def of_database(settings: Settings) -> AsyncIterator[str]:
    """The database's URL; the embedded server of the state directory runs at least while inside.

    Raises DatabaseUnavailable.
    """
    if settings.database_url is not None:
        yield settings.database_url
    else:
        async with embedded.server(settings.state_directory) as url:
            yield url


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Pool]:
    """The database, for one command. Raises StateError, and ConfigurationError while it is not laid out."""
    async with of_database(settings) as url, database.connect(url, min_size=1, max_size=4) as db:
        if await migrations.pending(db):
            raise ConfigurationError(
                "The database is not laid out for this version of m3sync.",
                "Run `m3sync migrate`, or start the service once.",
            )
        yield db
