"""Where the database is: at the URL that is set, or in the embedded server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from daemon.settings import Settings
from state import embedded


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
