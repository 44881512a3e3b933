"""What is said of each trouble of PostgreSQL's: the cause, and the way out of that one."""

import asyncpg
import pytest

from state.errors import DatabaseUnavailable
from state.outages import explaining


@pytest.mark.parametrize(
    ("error", "reason", "instruction"),
    [
        (asyncpg.DiskFullError("could not extend file"), "no room left on its disk", "Free or add space"),
        (asyncpg.OutOfMemoryError("out of memory"), "is not available", "Start it"),
        (asyncpg.TooManyConnectionsError("too many"), "no connection left", "max_connections"),
        (ConnectionRefusedError(111, "refused"), "nothing listens there", "Start it"),
        (asyncpg.InvalidPasswordError("no"), "refuses this user or password", "Correct user and password"),
    ],
)
def test_each_trouble_has_its_own_way_out(error: Exception, reason: str, instruction: str) -> None:
    with pytest.raises(DatabaseUnavailable) as told, explaining("postgresql://user:hunter22@db.example/x"):
        raise error
    assert reason in told.value.reason
    assert "PostgreSQL at db.example" in told.value.reason
    assert instruction in told.value.instruction
    assert "hunter22" not in str(told.value)
