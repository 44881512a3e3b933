"""What an integration hears does not depend on others, nor on when Salesforce could first be reached."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.salesforce.rest import Salesforce
from daemon.to_m3ter import presets
from state import checkpoints, credentials, field_mappings, inbox, integrations, vault
from state.database import Pool
from state.models import NewCredential, NewIntegration
from tests.acceptance import house as houses
from tests.acceptance.house import House, until
from tests.integration.listening import (
    LINES,
    OPPORTUNITIES,
    begun,
    heard_of,
    is_covered,
    line_of,
    listening,
    placed,
    positions,
    reader,
    reported,
    rows,
    touch,
    wanted_by,
    windows,
)
from tests.sandboxes import LocalSandbox

REFUSAL = "403::User not allowed to subscribe CDC without View All Data permissions"
ADDED = "/data/Deals__chn"
LONG_AGO = """UPDATE integrations SET live_at = live_at - interval '1 hour',
    remapped_at = remapped_at - interval '10 minutes'"""
BOTH = {"agreements", "others"}


@pytest.fixture
async def house(sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with houses.built(sandbox, db, database_url, tmp_path, presets.text("opportunity")) as built:
        yield built


async def others(house: House, *, credential: str = "") -> None:
    """Another integration of the same records, with the same Salesforce credential unless one is named."""
    found, kept = house.integration, vault.load_or_create_key(house.settings.vault_key_path)
    credential_id = found.salesforce_credential_id
    if credential:
        same, secret = await credentials.get(house.db, kept, "salesforce")
        new = NewCredential(credential, "salesforce", secret, same.summary)
        credential_id = (await credentials.add(house.db, kept, new)).credential_id
    mapping = await field_mappings.save(house.db, "others", presets.text("opportunity"))
    await integrations.add(
        house.db,
        NewIntegration(
            "others",
            found.flow,
            mapping.field_mapping_id,
            salesforce_credential_id=credential_id,
            m3ter_credential_id=found.m3ter_credential_id,
            enabled=True,
        ),
    )


async def win(house: House, deal: str) -> None:
    await touch(house, "Opportunity", deal, {"StageName": "Closed Won"})


async def switch_off(house: House) -> None:
    await integrations.disable(house.db, "others")


async def switch_on(house: House) -> None:
    await integrations.enable(house.db, "others")


async def break_mapping(house: House) -> None:
    await field_mappings.save(house.db, "others", "parent = ")


async def mend_mapping(house: House) -> None:
    await field_mappings.save(house.db, "others", presets.text("opportunity"))


@pytest.mark.parametrize(
    ("away", "back"), [(switch_off, switch_on), (break_mapping, mend_mapping)], ids=["disabled", "broken"]
)
async def test_one_that_was_away_hears_what_passed_and_its_neighbour_does_not_hear_it_twice(
    house: House, deal: str, away: Any, back: Any
) -> None:
    await others(house)
    async with listening(house):
        await placed(house, 2)
    await away(house)
    async with listening(house):
        await win(house, deal)
        await until(rows(house, 1))
        assert await wanted_by(house, deal) == {"agreements"}
    await house.db.execute("DELETE FROM inbox")  # its neighbour has synced it
    await back(house)
    async with listening(house):
        await until(rows(house, 1))
        await touch(house, "Opportunity", await another(house, deal), {"NextStep": "after it"})
        await until(rows(house, 3))
    assert await wanted_by(house, deal) == {"others"}
    assert await windows(house) == []


async def another(house: House, deal: str) -> str:
    found = await house.query(f"SELECT Id FROM Opportunity WHERE Id != '{deal}' LIMIT 1")
    return str(found[0]["Id"])


async def test_a_stream_with_another_credential_of_the_org_keeps_its_own_place(
    house: House, deal: str
) -> None:
    await others(house, credential="second user")
    async with listening(house):
        await placed(house, 2)
    async with listening(house, "agreements"):
        await win(house, deal)
        await until(rows(house, 1))
    async with listening(house):
        await until(rows(house, 2))
    assert await wanted_by(house, deal) == BOTH
    assert await windows(house) == []


async def test_what_passed_beyond_the_retention_is_read_again(house: House, deal: str) -> None:
    await others(house)
    async with listening(house):
        await placed(house, 2)
    await integrations.disable(house.db, "others")
    await win(house, deal)
    await house.sandbox.salesforce_control.fault("purge")
    await integrations.enable(house.db, "others")
    async with listening(house, "others"):
        found = await until(lambda: windows(house, "replay refused"))
    assert {each.integration_name for each in found} == {"others"}
    assert await is_covered(house, deal)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "refuse_subscription", "channel": OPPORTUNITIES, "error": REFUSAL, "times": None},
        {"kind": "status", "match": {"path": "/cometd/*"}, "status": 503},
        {"kind": "status", "match": {"path": "/services/oauth2/token"}, "status": 503},
    ],
    ids=["channel refused", "stream away", "no token"],
)
async def test_what_is_won_before_the_first_subscription_is_read_again(
    house: House, deal: str, fault: dict[str, Any]
) -> None:
    await win(house, await another(house, deal))  # also signs in, so that the next win needs no token
    control = house.sandbox.salesforce_control
    await control.fault(fault["kind"], **{name: each for name, each in fault.items() if name != "kind"})
    async with begun(house):
        await until(lambda: reported(house, "stream:agreements", is_well=False))
        await win(house, deal)
        await control.clear_faults()
        await until(lambda: is_covered(house, deal))


async def test_nothing_from_before_going_live_is_read_again_however_often_it_is_started(
    house: House, deal: str
) -> None:
    await win(house, deal)
    await touch(house, "OpportunityLineItem", await line_of(house, deal), {"Quantity": 9})
    # As if that had been some time before it was enabled, which is told by the database's clock.
    await house.sandbox.salesforce_control.advance_clock(timedelta(minutes=10).total_seconds())
    async with listening(house):
        assert len(await windows(house, "first start")) == 2
    await mend_own_mapping(house)
    await house.sandbox.salesforce_control.fault("refuse_subscription", channel=LINES, error=REFUSAL, times=1)
    later = await another(house, deal)
    for number in range(2):
        async with listening(house):
            await touch(house, "Opportunity", later, {"NextStep": f"step {number}"})
            await until(lambda: heard_of(house, later))
    assert [row.record_id for row in await inbox.find(house.db)] == [later]
    assert await is_covered(house, later), "it lies in the window that was opened last"
    assert not await is_covered(house, deal)
    assert not await is_covered(house, await line_of(house, deal), "OpportunityLineItem")


async def mend_own_mapping(house: House) -> None:
    text = presets.text("opportunity") + "\n# imported once more\n"
    await field_mappings.save(house.db, str(house.integration.field_mapping_name), text)


async def test_a_channel_that_never_had_an_event_misses_nothing_across_a_restart(
    house: House, deal: str
) -> None:
    async with listening(house):
        first = await windows(house)
    await house.db.execute("DELETE FROM rereads")
    await house.sandbox.salesforce_control.advance_clock(timedelta(hours=1).total_seconds())
    await win(house, deal)
    async with listening(house):
        assert await is_covered(house, deal)
    reach = timedelta(hours=1, minutes=3)  # and no further back than it was enabled
    assert len(first) == 2
    for each in await windows(house):
        assert each.from_at == await began(house)
        assert each.until_at is not None
        assert each.until_at - each.from_at < reach


async def began(house: House) -> datetime:
    return (await positions(house))[OPPORTUNITIES].since


async def test_the_beginning_is_told_by_the_clock_of_salesforce(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, slow = Salesforce.now, timedelta(hours=7)

    async def behind(self: Salesforce) -> Any:
        moment = await real(self)
        assert moment is not None
        return moment - slow

    monkeypatch.setattr(Salesforce, "now", behind)
    async with listening(house):
        pass
    live_at = await house.db.fetchval("SELECT live_at FROM integrations")
    since = (await positions(house))[OPPORTUNITIES].since
    assert abs(since - (live_at - slow)) < timedelta(seconds=5)


async def test_an_edit_during_an_outage_does_not_move_the_beginning_of_a_channel_that_was_added_before(
    house: House, sandbox: LocalSandbox
) -> None:
    async with listening(house):
        pass
    name, text = str(house.integration.field_mapping_name), presets.text("opportunity")
    text += f'\n[channels]\n"{OPPORTUNITIES}" = {{}}\n"{LINES}" = {{}}\n"{ADDED}" = {{}}\n'
    await sandbox.salesforce_control.fault("custom_channel", name="Deals__chn", objects=["Opportunity"])
    await sandbox.salesforce_control.fault("status", match={"path": "*/limits*"}, status=503)
    await field_mappings.save(house.db, name, text)
    await house.db.execute(LONG_AGO)
    async with begun(house):
        await until(lambda: reported(house, "stream:agreements", is_well=False))
        edited = await field_mappings.save(house.db, name, text + "# only a word\n")
    await sandbox.salesforce_control.clear_faults()
    async with listening(house):
        found = (await checkpoints.get(house.db, reader(house), [ADDED]))[ADDED]
    assert timedelta(minutes=9) < edited.updated_at - found.since < timedelta(minutes=11)
    assert await house.db.fetchval("SELECT remapped_at FROM integrations") is None
