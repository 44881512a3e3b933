"""systemd hears READY, WATCHDOG, STOPPING and the status, on a path or an abstract socket."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from daemon.service import Service


@pytest.fixture(params=["path", "abstract"])
def notified(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """The value of NOTIFY_SOCKET, and the socket behind it."""
    name = f"m3sync-test-{uuid4().hex}"
    address, shown = (f"\0{name}", f"@{name}") if request.param == "abstract" else (str(tmp_path / "n"),) * 2
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(address)
        listening.setblocking(False)
        yield shown, listening


def heard(listening: socket.socket) -> list[str]:
    lines: list[str] = []
    while True:
        try:
            lines += listening.recv(4096).decode().splitlines()
        except BlockingIOError:
            return lines


def test_the_life_of_a_service_is_told(notified: tuple[str, socket.socket]) -> None:
    address, listening = notified
    service = Service({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "30000000"})
    service.ready("Running")
    service.alive("Running")
    service.alive("Running 3 parts")
    service.stopping()
    assert heard(listening) == [
        *("READY=1", "STATUS=Running", "WATCHDOG=1", "WATCHDOG=1", "STATUS=Running 3 parts"),
        *("STOPPING=1", "STATUS=Finishing the record in hand"),
    ]


def test_the_watchdog_is_fed_only_when_it_watches_this_process(notified: tuple[str, socket.socket]) -> None:
    address, listening = notified
    for more in ({}, {"WATCHDOG_USEC": "1", "WATCHDOG_PID": str(os.getpid() + 1)}):
        Service({"NOTIFY_SOCKET": address, **more}).alive("")
    assert heard(listening) == []


def test_a_status_stays_on_one_line(notified: tuple[str, socket.socket]) -> None:
    address, listening = notified
    Service({"NOTIFY_SOCKET": address}).ready("Waiting:\nREADY=0 " + "x" * 500)
    lines = heard(listening)
    assert lines[0] == "READY=1"
    assert len(lines) == 2
    assert len(lines[1]) < 220


def test_without_a_service_manager_nothing_happens() -> None:
    for address in ("", "/nowhere/at/all"):
        service = Service({"NOTIFY_SOCKET": address})
        service.ready("Running")
        service.stopping()
