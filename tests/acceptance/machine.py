"""What some tests need of the machine: said plainly when it is missing, and never missing in CI."""

import os
import shutil
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def lacks(what: str, remedy: str) -> None:
    """End the test: a failure where everything must be there (CI sets M3SYNC_TEST_STRICT), else a skip."""
    message = f"This needs {what}. {remedy}"
    if os.environ.get("M3SYNC_TEST_STRICT"):
        pytest.fail(message)
    pytest.skip(message)


def browser() -> str:
    """The path of a Chromium."""
    found = next((path for name in CHROMIUM if (path := shutil.which(name))), None)
    if found is None:
        lacks("a browser", "Install one: apt-get install chromium")
    return str(found)


def program(name: str) -> str:
    """The path of a program of systemd's."""
    found = shutil.which(name)
    if found is None:
        lacks(f"{name} (systemd)", "Install it: apt-get install systemd")
    return str(found)
