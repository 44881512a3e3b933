"""Tests run side by side, but one that measures how long something takes: it has the machine to itself."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def turn(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Whatever a test marked `alone` sets up and does, no other test of this run is under way meanwhile."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        yield
        return
    room = tmp_path_factory.getbasetemp().parent  # one for all processes of a run
    with ExitStack() as stay:
        if request.node.get_closest_marker("alone"):
            # Who waits for the others keeps the door shut, so that no further ones begin.
            stay.enter_context(_held(room / "door", fcntl.LOCK_EX))
            stay.enter_context(_held(room / "floor", fcntl.LOCK_EX))
        else:
            with _held(room / "door", fcntl.LOCK_EX):
                stay.enter_context(_held(room / "floor", fcntl.LOCK_SH))
        yield


@contextmanager
def _held(path: Path, how: int) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, how)
        yield
