"""Which integrations cannot run is kept in health for as long as that lasts, and logged at both its ends."""

from structlog.testing import capture_logs

from daemon.tasks import Fitness
from state import health
from state.database import Pool

SUBJECT = "integration:the bills"


async def told(db: Pool) -> list[tuple[str, bool, str, str]]:
    return [(each.subject, each.is_well, each.message, each.instruction) for each in await health.all(db)]


async def test_what_keeps_one_from_running_is_told_for_as_long_as_it_does(db: Pool) -> None:
    fitness = Fitness(db)
    with capture_logs() as lines:
        await fitness.unwell("the bills", "No key.", "Give one.")
        await fitness.unwell("the bills", "Another key.", "Give the right one.")
        assert await told(db) == [(SUBJECT, False, "Another key.", "Give the right one.")]
        await fitness.well("the bills")
        await fitness.well("the bills")
        assert await told(db) == []
    assert [line["event"] for line in lines] == ["integration cannot run", "integration runs again"]


async def test_what_an_earlier_daemon_said_is_over_without_a_word(db: Pool) -> None:
    await health.report(db, SUBJECT, False, "No key.")
    with capture_logs() as lines:
        await Fitness(db).well("the bills")
    assert await told(db) == []
    assert lines == []
