"""`m3sync doctor` from outside: what is missing or wrong is named, with how to mend it."""

import json
from pathlib import Path
from typing import Any

import pytest

from state import database, entity_runs, entity_syncs
from state.entity_models import EntitySyncSettings, EntityType, Namespace
from state.models import RunStatus
from tests.acceptance.commands import Answer, Commands
from tests.entity_examples import declared
from tests.integration import entity_rows
from tests.sandboxes import LocalSandbox


@pytest.fixture
def m3sync(tmp_path: Path, database_url: str) -> Commands:
    commands = Commands(tmp_path)
    commands.configure(database_url)
    return commands


@pytest.fixture
async def connected(m3sync: Commands, sandbox: LocalSandbox, database_url: str) -> Commands:
    """Both credentials, an agreement sync, and a data sync of bills into custom objects."""
    salesforce = {key: sandbox.salesforce[key] for key in ("url", "client_id", "client_secret")}
    for system, secret in (("salesforce", salesforce), ("m3ter", sandbox.m3ter)):
        options = ("--system", system, "--file", "-")
        await m3sync.done("credentials", "add", system, *options, stdin=json.dumps(secret))
    await m3sync.done("mappings", "import", "--preset", "opportunity")
    await m3sync.done("integrations", "add", "agreements", "--mapping", "opportunity")
    async with database.connect(database_url) as db:
        settings = EntitySyncSettings(EntityType.BILL, Namespace.CUSTOM)
        await entity_syncs.add(db, "bills", settings)
    for name in ("agreements", "bills"):
        both = ("--salesforce", "salesforce", "--m3ter", "m3ter")
        await m3sync.done("integrations", "connect", name, *both)
        await m3sync.done("integrations", "enable", name)
    return m3sync


async def test_one_that_errors_disabled_is_named_with_the_last_of_them(
    connected: Commands, sandbox: LocalSandbox, database_url: str
) -> None:
    await _declare(sandbox, declared("Custom Objects"))
    async with database.connect(database_url) as db:
        bills = (await entity_syncs.get(db, "bills")).integration.integration_id
        for _ in range(entity_runs.STREAK):
            claim = await entity_rows.claimed(db, bills)
            await entity_runs.end(db, claim, RunStatus.ERROR, "No such field.", "Deploy it.")
    warned = _findings(await connected("doctor", "--json"), "warning")
    (found,) = [each for each in warned if each["where"] == "integration bills"]
    assert found["message"] == "bills is disabled after 10 successive errors, the last: No such field."
    assert found["instruction"] == "Deploy it. When it is mended: m3sync integrations enable bills"


async def _declare(sandbox: LocalSandbox, document: dict[str, Any]) -> None:
    await sandbox.salesforce_control.call("POST", "org/declare", document)


def _findings(answer: Answer, verdict: str) -> list[dict[str, str]]:
    return [each for each in answer.document()["findings"] if each["verdict"] == verdict]


async def test_a_house_that_is_whole_is_well(connected: Commands, sandbox: LocalSandbox) -> None:
    await _declare(sandbox, declared("Custom Objects"))
    told = await connected.done("doctor")
    assert "FAILS" not in told.out
    assert "m3ter_Bill__c has all 43 fields." in " ".join(told.out.split())
    assert "API calls left" in " ".join(told.out.split())
    assert all(len(line) <= 80 for line in told.out.splitlines() if str(connected.directory) not in line)
    as_json = await connected.done("doctor", "--json")
    assert as_json.document()["is_well"] is True


async def test_an_org_without_the_objects_is_told_how_to_get_them(connected: Commands) -> None:
    told = await connected("doctor", "--json")
    (finding,) = _findings(told, "error")
    assert (told.code, finding["where"]) == (1, "integration bills")
    assert "no object m3ter_Bill__c" in finding["message"]
    assert "m3sync salesforce metadata --out DIR" in finding["instruction"]


async def test_fields_that_are_missing_or_of_another_kind_are_named(
    connected: Commands, sandbox: LocalSandbox
) -> None:
    document = declared("Custom Objects")
    fields = document["m3ter_Bill__c"]["fields"]
    del fields["Status__c"]
    fields["Due_Date__c"]["type"] = "datetime"
    fields["Total__c"]["scale"] = 2
    fields["m3ter_Id__c"]["unique"] = False
    fields["Locked__c"]["read_only"] = True
    fields["Invoice_Number__c"]["length"] = 20
    await _declare(sandbox, document)
    told = await connected("doctor", "--json")
    errors = {each["where"].rpartition(".")[2]: each["message"] for each in _findings(told, "error")}
    assert told.code == 1
    assert "m3ter_Bill__c lacks Status__c." in errors["integration bills"]
    assert "of the type datetime; m3sync writes date" in errors["Due_Date__c"]
    assert "keeps 2 digits after the point" in errors["Total__c"]
    assert "not a unique external id" in errors["m3ter_Id__c"]
    assert "not createable or updateable" in errors["Locked__c"]
    doubtful = {each["where"].rpartition(".")[2]: each["message"] for each in _findings(told, "warning")}
    assert "room for 20 characters" in doubtful["Invoice_Number__c"]


async def test_a_refused_credential_and_what_hangs_on_it_fail(
    connected: Commands, sandbox: LocalSandbox
) -> None:
    secret = {key: sandbox.salesforce[key] for key in ("url", "client_id")} | {"client_secret": "wrong"}
    options = ("--system", "salesforce", "--replace", "--file", "-")
    await connected("credentials", "add", "salesforce", *options, stdin=json.dumps(secret))
    told = await connected("doctor", "--json")
    wheres = {each["where"] for each in _findings(told, "error")}
    assert (told.code, {"credential salesforce", "integration bills"} <= wheres) == (1, True)
    assert "credential m3ter" in {each["where"] for each in _findings(told, "ok")}


async def test_a_house_without_anything_is_unconfigured(m3sync: Commands) -> None:
    told = await m3sync("doctor", "--json")
    todo = _findings(told, "unconfigured")
    assert told.code == 3
    assert [each["where"] for each in todo] == ["credentials", "credentials"]
    assert "m3sync credentials add salesforce" in todo[0]["instruction"]


async def test_a_write_that_settles_after_it_was_looked_for_is_doubtful(
    m3sync: Commands, database_url: str
) -> None:
    m3sync.configure(database_url, "[worker]\nsettle_seconds = 20\n")
    told = await m3sync("doctor", "--json")
    (finding,) = _findings(told, "warning")
    assert finding["where"] == "settings"
    assert "worker.settle_seconds (20) is less than m3ter.total_seconds (60)" in finding["message"]
    assert "be made twice" in finding["message"]
    assert "worker.settle_seconds to 60 or more" in finding["instruction"]
    assert (told.code, len(_findings(told, "unconfigured"))) == (3, 2)  # it looks at the rest all the same


async def test_settings_and_a_database_that_cannot_be_used_are_told(tmp_path: Path) -> None:
    m3sync = Commands(tmp_path)
    m3sync.configure("postgresql://nobody@127.0.0.1:1/none")
    away = await m3sync("doctor", "--json")
    assert (away.code, [each["where"] for each in _findings(away, "error")]) == (1, ["database"])
    m3sync.config.write_text("colour = 1\n")
    wrong = await m3sync("doctor", "--json")
    assert (wrong.code, [each["where"] for each in _findings(wrong, "error")]) == (3, ["settings"])


async def test_an_embedded_database_that_was_never_made_is_not_made_here(tmp_path: Path) -> None:
    m3sync = Commands(tmp_path)
    m3sync.configure(None)
    told = await m3sync("doctor")
    assert (told.code, "m3sync migrate" in told.out) == (3, True)
    assert not (tmp_path / "state").exists()
