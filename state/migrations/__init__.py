"""Forward-only steps of the schema, NNNN_name.sql, each applied once and never edited afterwards."""

import hashlib
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import resources

import asyncpg

from state import database, sql
from state.database import Connection, Db
from state.errors import SchemaInvalid, SchemaNewer

_SQL = sql.load("migrations")
_PATIENCE_S = 900.0  # a step over big tables, or waiting for another daemon's step
_FILE = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")


@dataclass(frozen=True, slots=True)
class Migration:
    """One step: its number, file name, text, and the checksum of the text."""

    version: int
    name: str
    text: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def shipped() -> list[Migration]:
    """The migrations of this m3sync, in order, without gaps."""
    found = []
    for entry in resources.files(__name__).iterdir():
        if match := _FILE.fullmatch(entry.name):
            text = entry.read_text(encoding="utf-8")
            found.append(Migration(int(match[1]), entry.name.removesuffix(".sql"), text))
    found.sort(key=lambda step: step.version)
    if [step.version for step in found] != list(range(1, len(found) + 1)):
        raise SchemaInvalid("The migrations of this m3sync have a gap.", "Install m3sync again.")
    return found


async def migrate(url_or_db: str | Db, migrations: Sequence[Migration] | None = None) -> list[str]:
    """Bring the schema up to this m3sync and give the names applied, [] when it was up to date.

    Each step commits by itself under an advisory lock, so that two daemons starting together migrate once.
    Raises SchemaNewer, SchemaInvalid (edited or failing step), DatabaseUnavailable.
    """
    steps = shipped() if migrations is None else list(migrations)
    applied = []
    async with _held(url_or_db) as db:
        for step in steps:
            async with database.transaction(db) as tx:
                await database.execute(tx, _SQL["be_patient"])
                await tx.execute(_SQL["lock"], timeout=_PATIENCE_S)
                await database.execute(tx, _SQL["create_history"])
                if step.version > await _checked_version(tx, steps):
                    await _apply(tx, step)
                    applied.append(step.name)
    return applied


async def pending(db: Db, migrations: Sequence[Migration] | None = None) -> list[str]:
    """The names still to be applied; raises as migrate does, and changes nothing."""
    steps = shipped() if migrations is None else list(migrations)
    has_history = await database.fetch_value(db, _SQL["has_history"])
    version = await _checked_version(db, steps) if has_history else 0
    return [step.name for step in steps if step.version > version]


@asynccontextmanager
async def _held(url_or_db: str | Db) -> AsyncIterator[Db]:
    if isinstance(url_or_db, str):
        async with database.connect(url_or_db, max_size=1) as pool:
            yield pool
    else:
        yield url_or_db


async def _checked_version(db: Db, steps: Sequence[Migration]) -> int:
    history = await database.fetch(db, _SQL["history"])
    known = {step.version: step for step in steps}
    for row in history:
        step = known.get(row["version"])
        if step is None:
            raise SchemaNewer(
                f"The database has migration {row['name']}, which this m3sync does not know.",
                "A newer m3sync has used this database: install that version or newer.",
            )
        if step.sha256 != row["sha256"]:
            raise SchemaInvalid(
                f"Migration {row['name']} was changed after it was applied to this database.",
                "Install an unaltered m3sync; a schema is changed by a new migration only.",
            )
    return max((int(row["version"]) for row in history), default=0)


async def _apply(tx: Connection, step: Migration) -> None:
    try:
        await tx.execute(step.text, timeout=_PATIENCE_S)
    except asyncpg.PostgresError as error:
        raise SchemaInvalid(
            f"Migration {step.name} failed: {error}.",
            "Nothing of it was kept. Look at the database user's rights and at what else is in its schema.",
        ) from error
    await database.execute(tx, _SQL["remember"], step.version, step.name, step.sha256)
