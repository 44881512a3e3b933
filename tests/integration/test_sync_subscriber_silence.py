"""A channel that hears nothing: Salesforce is asked, so that quiet is told from deaf."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from connectors.salesforce.rest import Salesforce
from daemon.to_m3ter import presets
from daemon.to_m3ter.silence import Quiet
from state.database import Pool
from tests.acceptance import house as houses
from tests.acceptance.house import House, until
from tests.integration.listening import (
    DOUBTFUL,
    LINES,
    OPPORTUNITIES,
    heard_of,
    is_covered,
    listening,
    placed,
    positions,
    rows,
    touch,
    windows,
)
from tests.sandboxes import LocalSandbox

HOUR = timedelta(hours=1)


@pytest.fixture
async def house(sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with houses.built(sandbox, db, database_url, tmp_path, presets.text("opportunity")) as built:
        yield built


async def advance(house: House, wait: timedelta) -> None:
    await house.sandbox.salesforce_control.advance_clock(wait.total_seconds())


async def untold(house: House) -> None:
    """No event comes of the next change, which is stamped later than anything that was heard."""
    await advance(house, timedelta(seconds=2))
    await house.sandbox.salesforce_control.fault("tell_as", **{"as": "nothing", "times": 1})


async def complete_beyond(house: House, channel: str, moment: datetime) -> bool:
    return (await positions(house))[channel].complete_until > moment


async def test_a_channel_that_was_quiet_beyond_the_retention_leaves_a_small_window(
    house: House, deal: str
) -> None:
    async with listening(house, manner=DOUBTFUL):
        await placed(house)
        before = {name: each.complete_until for name, each in (await positions(house)).items()}
        await advance(house, 71 * HOUR)
        for channel, moment in before.items():
            await until(partial(complete_beyond, house, channel, moment + 70 * HOUR))
        assert await windows(house) == []
    await advance(house, 2 * HOUR)
    house._tokens.clear()  # nobody's session lasts that long
    await touch(house, "Opportunity", deal, {"NextStep": "while nobody listened"})
    async with listening(house):
        found = await windows(house, "replay refused")
        assert await is_covered(house, deal)
    assert {each.channel for each in found} == {OPPORTUNITIES, LINES}
    for each in found:
        assert each.from_at is not None
        assert each.until_at is not None
        assert each.until_at - each.from_at < 3 * HOUR, "and not 73"


async def test_a_deaf_channel_is_found_its_window_is_read_again_and_the_session_is_made_anew(
    house: House, deal: str
) -> None:
    async with listening(house, manner=DOUBTFUL):
        await placed(house)
        control = house.sandbox.salesforce_control
        await control.clear_journal()
        await untold(house)
        await touch(house, "Opportunity", deal, {"NextStep": "never told"})
        await advance(house, timedelta(minutes=5))
        [found] = await until(lambda: windows(house, "silent"))
        assert await is_covered(house, deal)
        assert (found.object_name, found.channel) == ("Opportunity", OPPORTUNITIES)
        await until(lambda: has_shaken_hands(house))
        before = (await positions(house))[OPPORTUNITIES].complete_until
        await advance(house, timedelta(minutes=40))
        await until(lambda: complete_beyond(house, OPPORTUNITIES, before + timedelta(minutes=20)))
        assert len(await windows(house, "silent")) == 1, "what was in a window is no reason for another"
        await touch(house, "Opportunity", deal, {"NextStep": "heard by the new session"})
        await until(rows(house, 1))


async def has_shaken_hands(house: House) -> bool:
    entries = await house.sandbox.salesforce_control.journal("path=/cometd/*&bodies=1")
    return any("/meta/handshake" in str(each) for each in entries)


async def test_what_was_stamped_before_it_was_asked_for_and_committed_after_it_is_found(
    house: House, deal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, transaction = Salesforce.now, timedelta(minutes=8)

    async def later(self: Salesforce) -> datetime | None:
        moment = await real(self)
        return moment and moment + transaction

    async with listening(house, manner=DOUBTFUL):
        await placed(house)
        before = (await positions(house))[OPPORTUNITIES].complete_until
        monkeypatch.setattr(Salesforce, "now", later)
        await advance(house, HOUR)
        await until(partial(complete_beyond, house, OPPORTUNITIES, before + timedelta(minutes=40)))
        monkeypatch.undo()
        await house.sandbox.salesforce_control.fault("tell_as", **{"as": "nothing", "times": 1})
        await touch(house, "Opportunity", deal, {"NextStep": "stamped eight minutes before"})
        await advance(house, timedelta(minutes=20))
        await until(lambda: windows(house, "silent"))
        assert await is_covered(house, deal)


async def test_a_deletion_that_was_not_told_is_found(house: House) -> None:
    lines = await house.query("SELECT Id FROM OpportunityLineItem LIMIT 1")
    async with listening(house, manner=DOUBTFUL):
        await placed(house)
        await untold(house)
        await house.salesforce("DELETE", f"/sobjects/OpportunityLineItem/{lines[0]['Id']}")
        await advance(house, timedelta(minutes=5))
        await until(lambda: windows(house, "silent"))
        await until(lambda: is_covered(house, lines[0]["Id"], "OpportunityLineItem"))


async def test_what_was_heard_raises_no_alarm(house: House, deal: str) -> None:
    async with listening(house, manner=DOUBTFUL):
        await placed(house)
        for number in range(3):
            await touch(house, "Opportunity", deal, {"NextStep": f"step {number}"})
            await until(partial(heard_of, house, deal, number + 1))
            before = (await positions(house))[OPPORTUNITIES].complete_until
            await advance(house, timedelta(minutes=30))
            await until(partial(complete_beyond, house, OPPORTUNITIES, before + timedelta(minutes=10)))
        assert await windows(house) == []


async def test_salesforce_that_cannot_be_asked_is_asked_again(house: House, deal: str) -> None:
    control = house.sandbox.salesforce_control
    async with listening(house, manner=DOUBTFUL):
        await placed(house)
        await control.fault("status", match={"path": "*/queryAll*"}, status=503)
        await untold(house)
        await touch(house, "Opportunity", deal, {"NextStep": "never told"})
        await advance(house, timedelta(minutes=5))
        await until(lambda: asked_in_vain(house))
        assert await windows(house) == []
        await control.clear_faults()
        await until(lambda: windows(house, "silent"))


async def test_salesforce_is_asked_for_its_clock_once_for_all_silent_channels(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds: list[list[str]] = []
    asked: list[int] = []  # of each question the round
    real_now, real_due = Salesforce.now, Quiet.due

    async def now(self: Salesforce) -> datetime | None:
        asked.append(len(rounds))
        return await real_now(self)

    def due(self: Quiet, moment: float) -> list[str]:
        found = real_due(self, moment)
        rounds.extend([found] if found else [])
        return found

    async with listening(house, manner=DOUBTFUL):
        monkeypatch.setattr(Salesforce, "now", now)
        monkeypatch.setattr(Quiet, "due", due)
        await until(lambda: has_gone_round(rounds))
    later = [number for number in asked if number]
    assert sorted(set(later)) == later, "one question a round"
    assert later


async def has_gone_round(rounds: list[list[str]]) -> bool:
    return len([each for each in rounds if len(each) > 1]) > 3


async def asked_in_vain(house: House) -> bool:
    return any(each["status"] == 503 for each in await house.sandbox.salesforce_control.journal())
