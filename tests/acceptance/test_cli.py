"""The command line from outside: setting up, syncing, explaining, and what it says about wrong ones."""

import json
from pathlib import Path

import pytest

from tests.acceptance.commands import Commands
from tests.sandboxes import LocalSandbox


@pytest.fixture
def m3sync(tmp_path: Path, database_url: str) -> Commands:
    commands = Commands(tmp_path)
    commands.configure(database_url)
    return commands


def _secrets(sandbox: LocalSandbox) -> dict[str, str]:
    salesforce = {key: sandbox.salesforce[key] for key in ("url", "client_id", "client_secret")}
    return {"salesforce": json.dumps(salesforce), "m3ter": json.dumps(sandbox.m3ter)}


@pytest.fixture
async def configured(m3sync: Commands, sandbox: LocalSandbox) -> Commands:
    """Set up by commands only, as the README says."""
    for system, secret in _secrets(sandbox).items():
        added = await m3sync.done(
            "credentials", "add", system, "--system", system, "--file", "-", stdin=secret
        )
        assert f"{system} accepts the credential {system}." in added.out
    await m3sync.done("mappings", "import", "--preset", "opportunity")
    await m3sync.done("integrations", "add", "agreements", "--mapping", "opportunity")
    early = await m3sync("integrations", "enable", "agreements")
    assert (early.code, "integrations connect agreements --salesforce" in early.err) == (3, True)
    await m3sync.done(
        "integrations", "connect", "agreements", "--salesforce", "salesforce", "--m3ter", "m3ter"
    )
    await m3sync.done("integrations", "enable", "agreements")
    return m3sync


def _won(sandbox: LocalSandbox) -> str:
    """An opportunity of the demo company that is Closed Won."""
    org = sandbox.running.org
    rows = [org.row(record_id) or {} for record_id in org.table("Opportunity").rows]
    return next(str(row["Id"]) for row in rows if row["StageName"] == "Closed Won")


async def test_a_record_is_synced_and_explained_by_commands_only(
    configured: Commands, sandbox: LocalSandbox
) -> None:
    record_id = _won(sandbox)
    synced = await configured.done("sync", record_id[:15])
    for word in (
        "Completed",
        "Account",
        "Contract",
        "Commitment",
        "Plan",
        "Pricing",
        "AccountPlan",
        record_id,
    ):
        assert word in synced.out
    assert all(len(line) <= 80 for line in synced.out.splitlines()), synced.out

    (action,) = (await configured.done("sync", record_id, "--json")).document()
    assert (action["isSuccess"], action["outputValues"]["syncStatus"]) == (True, "Completed")

    told = (await configured.done("explain", record_id[:15])).out
    assert (
        told.index("POST /accounts 200")
        < told.index("POST /contracts 200")
        < told.index("POST /accountplans 200")
    )
    assert told.count("attempt 1 of agreements (manual): Completed") == 2
    assert "the record is in step" in told
    story = (await configured.done("explain", record_id, "--json")).document()
    assert (story["record_id"], story["is_known"], len(story["runs"])) == (record_id, True, 2)


async def test_runs_and_status_say_what_was_done_and_how_each_run_ended(
    configured: Commands, sandbox: LocalSandbox
) -> None:
    record_id = _won(sandbox)
    assert "created" in (await configured.done("sync", record_id)).out
    assert "unchanged" in (await configured.done("sync", record_id)).out
    assert "No run has failed." in (await configured.done("runs", "--failed")).out
    failed = await configured("sync", "006000000000001AAA")
    assert failed.code == 1

    listed = (await configured.done("runs", "--json", "--record", record_id[:15])).document()
    assert [run["status"] for run in listed] == ["COMPLETE", "COMPLETE"]
    assert {each["action"] for each in listed[0]["objects"]} == {"unchanged"}
    assert (await configured.done("runs", "list", "--limit", "2", "--json")).document()[1:] == listed[:1]
    shown = await configured.done("runs", "show", listed[1]["run_id"][:8])
    assert "m3ter POST /accounts 200" in shown.out
    done = [row.split()[1] for row in shown.out.splitlines() if "m3ter Identifier" in row]
    assert done == ["created"] * len(listed[1]["objects"])

    table = (await configured.done("runs", "--integration", "agreements")).out.splitlines()
    assert max(map(len, table)) <= 80, table
    assert [row.split()[4:] for row in table[2:]] == [["ERROR", "Failed"], *2 * [["COMPLETE", "Completed"]]]
    (unknown, misplaced) = (
        await configured("runs", "--integration", "no"),
        await configured("runs", "--failed", "show", "x"),
    )
    assert (unknown.code, misplaced.code) == (1, 2)

    status = await configured.done("status")
    for item in (
        "First synchronization status",
        "Synchronization issues",
        "Force synchronization",
        "Latest runs",
    ):
        assert item in status.out
    (found,) = (await configured.done("status", "--json")).document()["integrations"]
    assert found["integration"]["name"] == "agreements"
    assert (found["issue_count"], found["current"], found["lag_seconds"]) == (0, "in step", None)


async def test_what_was_set_up_is_listed_shown_and_taken_away_without_a_secret(
    configured: Commands, sandbox: LocalSandbox
) -> None:
    said = ""
    for arguments in (
        ("credentials", "list"),
        ("credentials", "list", "--json"),
        ("credentials", "test", "m3ter"),
        ("credentials", "test", "salesforce", "--json"),
        ("integrations",),
        ("credentials", "--json"),
        ("mappings",),
        ("integrations", "list"),
        ("integrations", "show", "agreements"),
        ("integrations", "show", "agreements", "--json"),
        ("mappings", "list"),
        ("mappings", "list", "--json"),
        ("mappings", "show", "opportunity"),
        ("mappings", "check", "opportunity"),
        ("mappings", "check", "opportunity", "--json"),
    ):
        answer = await configured.done(*arguments)
        said += answer.out + answer.err
    for secret in (sandbox.m3ter["api_secret"], sandbox.salesforce["client_secret"]):
        assert secret not in said
    exported = await configured.done("mappings", "export", "opportunity")
    again = await configured.done("mappings", "import", "-", "--name", "copy", stdin=exported.out)
    assert "Kept the field mapping copy, revision 1." in again.out

    used = await configured("credentials", "remove", "m3ter")
    assert used.code == 1
    assert "An integration uses the credential m3ter." in used.err
    for arguments in (
        ("integrations", "disable", "agreements"),
        ("integrations", "disconnect", "agreements"),
        ("integrations", "remove", "agreements", "--yes"),
        ("credentials", "remove", "m3ter"),
    ):
        await configured.done(*arguments)
    assert (await configured.done("integrations", "list", "--json")).document() == []


async def test_a_record_that_cannot_be_synced_is_failed_and_nothing_is_touched(
    configured: Commands, sandbox: LocalSandbox
) -> None:
    await sandbox.m3ter_control.clear_journal()
    two = await configured("sync", "006000000000001AAA", "006000000000002AAA")
    assert two.code == 1
    assert "takes one record at a time, and 2 were given" in " ".join(two.out.split())
    for given, said in (
        ("0060000000", "has 10 characters; an id has 15 or 18"),
        ("", "No Salesforce record id was given"),
        ("006S9zzzzzzzzzz", "006S9zzzzzzzzzz"),
    ):
        answer = await configured("sync", given, "--json")
        (action,) = answer.document()
        assert (answer.code, action["isSuccess"], action["outputValues"]["syncStatus"]) == (
            1,
            False,
            "Failed",
        )
        assert said in action["outputValues"]["message"]
    paths = [each["path"] for each in await sandbox.m3ter_control.journal() if each["method"] != "GET"]
    assert [path for path in paths if not path.endswith("/oauth/token")] == []


async def test_a_refused_credential_is_kept_told_and_not_repeated(
    m3sync: Commands, sandbox: LocalSandbox
) -> None:
    wrong = json.dumps({**sandbox.m3ter, "api_secret": "hunter22hunter22"})
    answer = await m3sync("credentials", "add", "m3", "--system", "m3ter", "--file", "-", stdin=wrong)
    assert answer.code == 1
    assert "The credential m3 does not work" in answer.err
    assert "hunter22" not in answer.out + answer.err
    (kept,) = (await m3sync.done("credentials", "list", "--json")).document()
    assert (kept["is_authorized"], bool(kept["error"])) == (False, True)
    tried = (await m3sync("credentials", "test", "m3", "--json")).document()
    assert (tried["is_authorized"], bool(tried["message"])) == (False, True)
    right = ("credentials", "add", "m3", "--system", "m3ter", "--replace", "--file", "-")
    await m3sync.done(*right, stdin=json.dumps(sandbox.m3ter))


async def test_an_unreachable_system_is_said_so(m3sync: Commands) -> None:
    nowhere = json.dumps({"url": "http://127.0.0.1:9", "org_id": "o", "api_key": "k", "api_secret": "s"})
    answer = await m3sync("credentials", "add", "m3", "--system", "m3ter", "--file", "-", stdin=nowhere)
    assert answer.code == 1
    assert "127.0.0.1:9" in answer.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("explain", "WON"),
        ("status",),
        ("integrations", "list"),
        ("integrations", "list", "--json"),
        ("mappings", "export", "opportunity"),
        ("sync", "WON"),
    ],
    ids=" ".join,
)
async def test_an_output_that_nobody_reads_any_more_is_no_failure(
    configured: Commands, sandbox: LocalSandbox, arguments: tuple[str, ...]
) -> None:
    won = _won(sandbox)
    answer = await configured.unread(*(won if each == "WON" else each for each in arguments))
    assert (answer.code, answer.err) == (0, "")
