"""Entity data syncs by commands: made, changed, tried dry, run, refused and retried, explained."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from daemon.to_m3ter import presets
from state import entity_runs
from state.database import Pool
from state.entity_models import EntityType
from tests.acceptance import house as houses
from tests.acceptance.commands import Commands
from tests.acceptance.house import House
from tests.integration import copying
from tests.sandboxes import LocalSandbox

SOME = "2f1b6d7e-90a4-4c0e-8f3a-5d2c7b1e9a60"
HOSTILE = "Ünï \"<b>'; DROP\u202e"


@dataclass(slots=True)
class Desk:
    """The house, the command line on it, and three accounts in m3ter."""

    house: House
    m3sync: Commands
    ids: list[str]


@pytest.fixture
async def desk(
    empty_sandbox: LocalSandbox, db: Pool, database_url: str, tmp_path: Path
) -> AsyncIterator[Desk]:
    opening = houses.built(empty_sandbox, db, database_url, tmp_path, presets.text("opportunity"))
    async with opening as house:
        await copying.declare(house)
        ids = await copying.load(house, "Account", copying.rows(3))
        key = {"M3SYNC_VAULT_KEY_FILE": str(house.settings.vault_key_path)}
        commands = Commands(tmp_path / "desk", key)
        commands.directory.mkdir()
        commands.configure(database_url)
        yield Desk(house, commands, ids)


async def _made(desk: Desk, *more: str, name: str = "accounts") -> None:
    uses = ("--salesforce", "salesforce", "--m3ter", "m3ter", "--namespace", "custom objects")
    said = await desk.m3sync.done(
        "integrations", "add", name, "--entity", "Account", *uses, "--schedule", copying.NEVER, *more
    )
    assert f"m3sync integrations enable {name}" in said.out
    for system in ("salesforce", "m3ter"):
        await desk.m3sync.done("credentials", "test", system)


async def test_what_was_said_is_kept_shown_and_changed(desk: Desk) -> None:
    await _made(desk, "--account-id", SOME.upper(), "--custom-field", "a=b=Tier__c", "--notify", "o@x.io")
    shown = (await desk.m3sync.done("integrations", "show", "accounts")).out
    for text in (SOME, "a=b -> Tier__c", "o@x.io", "Custom Objects", copying.NEVER, "not started"):
        assert text in shown
    assert max(map(len, shown.splitlines())) <= 80, shown
    edited = await desk.m3sync.done(
        *("integrations", "edit", "accounts", "--clear", "account-ids", "--clear", "custom-fields"),
        *("--schedule", "every 10m", "--on-deletion", "delete"),
    )
    assert "all its copies are compared again" in edited.out
    settings = (await desk.m3sync.done("integrations", "show", "accounts", "--json")).document()
    kept = settings["entity_data_sync"]
    assert (kept["account_ids"], kept["custom_fields"], kept["schedule"]) == ([], {}, "every 10m")
    assert (kept["on_deletion"], kept["notification_users"]) == ("delete", ["o@x.io"])
    same = await desk.m3sync.done("integrations", "edit", "accounts", "--schedule", "every 10m")
    assert "nothing was changed" in same.out
    barred = await desk.m3sync.done(
        *("integrations", "edit", "accounts", "--account-id", SOME, "--restricted-account-id", SOME)
    )
    assert "nothing is synced" in barred.out
    listed = (await desk.m3sync.done("integrations")).out
    assert max(map(len, listed.splitlines())) <= 80, listed


REFUSED = (
    (("add", "x", "--entity", "Invoice"), 2, "'Invoice' is not one of"),
    (("add", "x"), 2, "It was not said which flow"),
    (("add", "agreements", "--entity", "Bill"), 2, "called agreements already"),
    (("add", "x", "--entity", "Bill", "--mapping", "opportunity"), 2, "does not go with --entity"),
    (("add", "x", "--entity", "Bill", "--account-id", HOSTILE), 2, "no id of a m3ter account"),
    (("add", "x", "--entity", "Bill", "--salesforce", "none"), 3, "no credential none"),
    (("add", "x", "--entity", "Bill", "--salesforce", "m3ter"), 2, "is for m3ter"),
    (("add", " x", "--entity", "Bill"), 2, "begins or ends with a space"),
    (("edit", "agreements", "--schedule", "every 1h"), 2, "no Entity Data Sync"),
    (("run", "none"), 1, "There is no integration none"),
)


async def test_what_cannot_be_is_refused_with_what_to_do(desk: Desk) -> None:
    for arguments, code, said in REFUSED:
        answer = await desk.m3sync("integrations", *arguments)
        assert (answer.code, said in " ".join(answer.err.split())) == (code, True), answer
        assert "\u202e" not in answer.err
        assert len(answer.err.strip().splitlines()) >= 2, answer.err
    taken = (await desk.m3sync("integrations", "add", "agreements", "--entity", "Bill")).err
    assert "integrations edit" not in taken  # which changes entity data syncs only
    names = [each["name"] for each in (await desk.m3sync.done("integrations", "--json")).document()]
    assert names == ["agreements"]


async def test_a_run_needs_credentials_and_to_be_switched_on(desk: Desk) -> None:
    await desk.m3sync.done("integrations", "add", "bare", "--entity", "Bill")
    bare = await desk.m3sync("integrations", "run", "bare")
    assert (bare.code, "m3sync integrations connect bare" in bare.err) == (3, True)
    await _made(desk)
    taken = await desk.m3sync("integrations", "add", "accounts", "--mapping", "opportunity")
    assert (taken.code, "m3sync integrations edit accounts" in " ".join(taken.err.split())) == (2, True)
    off = await desk.m3sync("integrations", "run", "accounts")
    assert (off.code, "m3sync integrations enable accounts" in off.err) == (3, True)


async def test_a_dry_run_tells_record_by_record_and_writes_nothing(desk: Desk) -> None:
    await _made(desk)
    told = await desk.m3sync.done("integrations", "run", "accounts", "--dry-run", "--limit", "2")
    assert sum(f"create {m3ter_id}" in told.out for m3ter_id in desk.ids) == 2
    for text in ("Name: crowd 0000", "and 1 more", "1 Salesforce calls to write", "Nothing was written."):
        assert text in told.out
    found = (await desk.m3sync.done("integrations", "run", "accounts", "--dry-run", "--json")).document()
    assert {each["m3ter_id"] for each in found["differences"]} == set(desk.ids)
    assert (found["counts"], found["cost"]["writing_calls"]) == ({"create": 3}, 1)
    assert await copying.copies(desk.house, EntityType.ACCOUNT) == {}


async def test_a_run_is_followed_to_its_table_of_counts_and_calls(desk: Desk) -> None:
    await _made(desk)
    await desk.m3sync.done("integrations", "enable", "accounts")
    asked = await desk.m3sync.done("integrations", "run", "accounts", "--no-wait")
    assert "No m3sync service is running" in asked.out
    async with houses.app_running(desk.house):
        followed = await desk.m3sync.done("integrations", "run", "accounts")
        again = (await desk.m3sync.done("integrations", "run", "accounts", "--json")).document()
    assert "COMPLETE after" in followed.out
    rows = {
        line.rsplit(None, 1)[0].strip(): line.split()[-1] for line in followed.out.splitlines()[1:] if line
    }
    assert (rows["read in m3ter"], rows["m3ter list accounts"]) == ("3", "1")
    assert (again["status"], again["written"], again["entities_read"]) == ("COMPLETE", 0, 3)
    assert not any("Salesforce" in kind for kind in again["calls"])

    listed = (await desk.m3sync.done("runs")).out
    assert max(map(len, listed.splitlines())) <= 80, listed
    assert "COMPLETE" in listed
    shown = (await desk.m3sync.done("runs", "show", again["run_id"][:8])).out
    assert "3 read, 0 differed" in shown
    status = (await desk.m3sync.done("status")).out
    assert "accounts (Entity Data Sync: Account, to Custom Objects)" in status
    (found,) = (await desk.m3sync.done("status", "--json")).document()["entity_data_syncs"]
    assert (found["first_synchronization"], found["current"]) == ("done", "in step")


async def test_what_salesforce_refuses_is_told_explained_and_retried(desk: Desk) -> None:
    (broken,) = await copying.load(
        desk.house, "Account", [{"name": "Refused", "code": "R", "emailAddress": "r@x.io"}]
    )
    control = desk.house.sandbox.salesforce_control
    rule = {"object": "m3ter_Account__c", "field": "Code__c", "is": "equals", "error_field": "Code__c"}
    await control.call(
        "POST", "org/rules", {"validations": [{**rule, "value": "R", "message": "Not that one."}]}
    )
    await _made(desk)
    await desk.m3sync.done("integrations", "enable", "accounts")
    async with houses.app_running(desk.house):
        await houses.until(lambda: _has_run(desk))
        assert "Not that one." in (await desk.m3sync.done("status")).out
        told = (await desk.m3sync.done("explain", broken.upper())).out
        assert "FIELD_CUSTOM_VALIDATION_EXCEPTION: Not that one. [Code__c]" in told
        assert f"m3sync integrations retry accounts {broken}" in told
        (failed,) = (await desk.m3sync.done("runs", "--failed", "--json")).document()
        assert (failed["refused"], failed["written"]) == (1, 3)
        await control.call("DELETE", "org/rules")
        tried = await desk.m3sync.done("integrations", "retry", "accounts", broken, SOME)
        assert "1 record is tried again" in tried.out
        assert "1 of those named" in tried.out
        await houses.until(lambda: _is_written(desk, broken))
    story = (await desk.m3sync.done("explain", broken, "--json")).document()
    (copy,) = story["copies"]
    assert (copy["status"], copy["message"]) == ("WRITTEN", "")
    by_record = (await desk.m3sync.done("explain", copy["salesforce_id"][:15])).out
    assert broken in by_record


async def _has_run(desk: Desk) -> bool:
    return any(run.completed_at for run in await entity_runs.list_runs(desk.house.db))


async def _is_written(desk: Desk, m3ter_id: str) -> bool:
    return m3ter_id in await copying.copies(desk.house, EntityType.ACCOUNT)
