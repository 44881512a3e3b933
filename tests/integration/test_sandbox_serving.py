"""The sandbox serves both systems from one place: where they are, what was asked, what time it is."""

import asyncio
import json
import os
import signal
import sys
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import pytest

from connectors.sandbox import serving
from connectors.sandbox.clock import Clock
from connectors.sandbox.journal import Journal
from tests.sandboxes import LocalSandbox, local_sandbox, sandbox_in_process


async def test_it_prints_where_both_systems_are_on_one_line(empty_sandbox: LocalSandbox) -> None:
    line = empty_sandbox.running.as_json()
    assert "\n" not in line
    where: dict[str, Any] = json.loads(line)
    assert where["salesforce"]["url"].startswith("http://localhost:")
    assert where["m3ter"]["url"].startswith("http://127.0.0.1:")
    for key in ("client_id", "client_secret", "username", "private_key", "refresh_token", "org_id"):
        assert where["salesforce"][key]
    for key in ("org_id", "api_key", "api_secret"):
        assert where["m3ter"][key]
    assert where["salesforce"]["api_version"] == "67.0"


async def test_both_servers_are_healthy(empty_sandbox: LocalSandbox) -> None:
    salesforce = await empty_sandbox.salesforce_control.call("GET", "health")
    m3ter = await empty_sandbox.m3ter_control.call("GET", "health")
    assert [(each["system"], each["status"]) for each in (salesforce, m3ter)] == [
        ("salesforce", "ok"),
        ("m3ter", "ok"),
    ]


async def test_the_journal_tells_every_request_but_its_own(empty_sandbox: LocalSandbox) -> None:
    control = empty_sandbox.m3ter_control
    url = f"{empty_sandbox.m3ter['url']}/oauth/token?x=1"
    async with control.session.post(url, json={"grant_type": "client_credentials"}) as response:
        text = await response.text()
    [entry] = await control.journal("bodies=1")
    assert (entry["method"], entry["path"], entry["query"]) == ("POST", "/oauth/token", "x=1")
    assert entry["status"] == response.status
    assert (entry["request_bytes"], entry["response_bytes"]) == (36, len(text))
    assert entry["request"] == {"grant_type": "client_credentials"}
    assert entry["response"] == json.loads(text)
    assert entry["fault"] is None
    assert entry["time"].endswith("Z")
    assert "request" not in (await control.journal())[0]
    assert await control.journal(f"since={entry['number']}") == []
    assert await control.journal("path=/elsewhere*") == []
    await control.clear_journal()
    assert await control.journal() == []


async def test_a_request_is_in_the_journal_before_it_is_answered(empty_sandbox: LocalSandbox) -> None:
    control = empty_sandbox.m3ter_control
    await control.fault("hang_before")
    waiting = asyncio.create_task(control.session.get(f"{empty_sandbox.m3ter['url']}/anything"))
    while not (entries := await control.journal()):
        pass
    assert entries[0]["status"] is None
    await control.clear_faults()
    (await waiting).close()
    assert (await control.journal())[0]["status"] == 404


def test_the_journal_lets_old_bodies_and_then_old_entries_go(
    monkeypatch: pytest.MonkeyPatch, empty_journal: Journal
) -> None:
    monkeypatch.setattr("connectors.sandbox.journal.KEPT_BODY_BYTES", 10)
    for number in range(4):
        entry = empty_journal.open_entry(Clock().now(), "GET", f"/{number}", "")
        empty_journal.keep_bodies(entry, b"12", b"345")
    kept = [(entry.path, entry.request_body) for entry in empty_journal.entries()]
    assert kept == [("/0", b""), ("/1", b""), ("/2", b"12"), ("/3", b"12")]
    assert all(entry.response_bytes == 3 for entry in empty_journal.entries())


@pytest.fixture
def empty_journal() -> Journal:
    return Journal()


async def test_the_clock_is_one_for_both_systems_and_only_goes_forward(empty_sandbox: LocalSandbox) -> None:
    before = empty_sandbox.running.clock.now()
    await empty_sandbox.m3ter_control.advance_clock(3_600)
    told = await empty_sandbox.salesforce_control.call("GET", "clock")
    assert told["ahead_seconds"] == 3600
    assert (empty_sandbox.running.clock.now() - before).total_seconds() >= 3600
    assert (empty_sandbox.running.org.now() - before).total_seconds() >= 3600
    url = f"{empty_sandbox.m3ter['url']}/sandbox/clock"
    async with empty_sandbox.m3ter_control.session.post(url, json={"advance_seconds": -1}) as response:
        assert response.status == 400


async def test_control_is_not_for_the_systems_own_firewall_or_faults(empty_sandbox: LocalSandbox) -> None:
    control = empty_sandbox.m3ter_control
    await control.fault("status", status=500, body="<script>alert(1)</script>")
    assert len(await control.faults()) == 1
    url = f"{empty_sandbox.m3ter['url']}/sandbox/nothing"
    async with control.session.get(url) as response:
        assert response.status == 404


async def test_a_port_that_is_taken_is_an_os_error(empty_sandbox: LocalSandbox) -> None:
    port = int(empty_sandbox.m3ter["url"].rpartition(":")[2])
    with pytest.raises(OSError, match="in use"):
        async with local_sandbox(serving.Options(m3ter_port=port, empty=True)):
            pass


async def test_it_serves_from_a_process_of_its_own_until_told_to_stop() -> None:
    async with sandbox_in_process("--empty") as running:
        assert (await running.salesforce_control.call("GET", "health"))["status"] == "ok"
        await running.salesforce_control.fault("black_hole")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await running.salesforce_control.session.get(running.salesforce["url"])
        os.kill(running.pid, signal.SIGTERM)
        async with asyncio.timeout(60):
            while True:
                try:
                    await running.m3ter_control.call("GET", "health")
                except aiohttp.ClientError:
                    break


async def test_wrong_usage_is_exit_code_2_and_a_taken_port_1(empty_sandbox: LocalSandbox) -> None:
    port = empty_sandbox.m3ter["url"].rpartition(":")[2]
    for arguments, code, words in (
        (["--empty", "--scale", "3"], 2, "exclude one another"),
        (["--scale", "0"], 2, "--scale"),
        (["--empty", "--m3ter-port", port], 1, "A port is taken by another program"),
    ):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "daemon.cli", "sandbox", *arguments, stderr=asyncio.subprocess.PIPE
        )
        _, complaint = await process.communicate()
        assert process.returncode == code
        assert words in complaint.decode()
        assert "Traceback" not in complaint.decode()


async def test_answers_carry_the_time_of_the_sandbox(sandbox: LocalSandbox) -> None:
    await sandbox.salesforce_control.advance_clock(3 * 86_400)
    for control in (sandbox.salesforce_control, sandbox.m3ter_control):
        async with control.session.get(control.base_url + "/unknown") as response:
            told = parsedate_to_datetime(response.headers["Date"])
        assert abs((told - sandbox.running.clock.now()).total_seconds()) < 60
