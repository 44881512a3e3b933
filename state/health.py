"""What each part last said of itself: well, or what is wrong and what to do."""

from state import database, sql
from state.database import Db
from state.models import Health

_SQL = sql.load("health")


async def report(db: Db, subject: str, is_well: bool, message: str = "", instruction: str = "") -> bool:
    """Keep the part's latest word; True when it became well or ceased to be, so that it is logged once.

    Subjects: 'salesforce:<credential>', 'm3ter:<credential>', 'stream:<integration>', 'worker'.
    """
    return bool(await database.fetch_value(db, _SQL["report"], subject, is_well, message, instruction))


async def all(db: Db) -> list[Health]:  # noqa: A001 - reads as health.all(db)
    """Every part's latest word, the ailing first."""
    return [Health(**row) for row in await database.fetch(db, _SQL["all"])]


async def forget(db: Db, subject: str) -> None:
    """The part is no more."""
    await database.execute(db, _SQL["forget"], subject)
