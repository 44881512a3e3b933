"""A settings file of a test's own, with no settings from outside, and what is said against it."""

import os
from pathlib import Path

import pytest

from daemon import settings
from daemon.configuration import ConfigurationError


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("M3SYNC_") or name == "CREDENTIALS_DIRECTORY":
            monkeypatch.delenv(name)
    monkeypatch.setattr(settings, "DEFAULT_FILE", tmp_path / "nowhere.toml")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "m3sync.toml"


def refusal(file: Path, text: str) -> str:
    """What is said of a file with this text, which must be refused."""
    file.write_text(text)
    with pytest.raises(ConfigurationError) as refused:
        settings.load(file)
    return str(refused.value)
