"""Every SQL statement is known to the server, named and described."""

from pathlib import Path

import pytest

import state
from state import sql
from state.database import Pool

STORES = sorted(path.stem for path in (Path(state.__file__).parent / "sql").glob("*.sql"))


@pytest.mark.parametrize("store", STORES)
async def test_every_statement_is_understood_by_the_schema(db: Pool, store: str) -> None:
    async with db.acquire() as connection:
        for name, statement in sql.load(store).items():
            assert await connection.prepare(statement), name


@pytest.mark.parametrize("store", STORES)
def test_every_statement_is_described_where_it_stands(store: str) -> None:
    for name, statement in sql.load(store).items():
        assert statement.startswith("-- "), name
