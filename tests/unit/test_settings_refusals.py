"""What is said about wrong settings: whose they are, never a password, nothing that could only fail later."""

from pathlib import Path

import pytest

from daemon import settings
from tests.unit import settings_files
from tests.unit.settings_files import refusal

no_settings_from_outside = settings_files.no_settings_from_outside
file = settings_files.file


@pytest.mark.parametrize(
    "text",
    [
        'database = "postgresql://user:hunter22@host/db"\n',
        '[database]\nurl = ["postgresql://user:hunter22@host/db"]\n',
        '[database]\nurl = "postgresql://user:hunter22@[::1/db"\n',
        '[database]\nurl = "postgresql://user:hunter22@host:99999/db"\n',
    ],
)
def test_a_password_is_not_repeated_wherever_it_was_written(file: Path, text: str) -> None:
    said = refusal(file, text)
    assert "hunter22" not in said
    assert 'the key "database' in said


@pytest.mark.parametrize(
    "url", ["postgresql://u@[::1/db", "postgresql://u@host:99999/db", "postgres://u@h:x/d"]
)
def test_a_url_that_no_server_can_have_is_refused_before_anything_waits_for_it(file: Path, url: str) -> None:
    assert "postgresql://USER:PASSWORD@HOST:PORT/DATABASE" in refusal(file, f'[database]\nurl = "{url}"\n')


def test_fewer_connections_at_most_than_at_least_are_refused(file: Path) -> None:
    said = refusal(file, "[database]\nmin_size = 50\nmax_size = 3\n")
    assert "min_size (50) must not be more than max_size (3)" in said


@pytest.mark.parametrize("key", ["state_directory", "vault_key_file"])
def test_an_empty_path_is_not_the_present_directory(file: Path, key: str) -> None:
    assert f'the key "{key}" is wrong: must name a path' in refusal(file, f'{key} = ""\n')


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("state_directory = 5\n", "must be a path, in quotation marks, not 5"),
        ('[http]\nhosts = "a"\n', "must be a list, not 'a'"),
    ],
)
def test_wrong_types_are_told_in_the_words_of_the_file(file: Path, text: str, said: str) -> None:
    assert said in refusal(file, text)


def test_a_variable_that_is_no_json_is_named(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("M3SYNC_HTTP__HOSTS", "a,b")
    assert "The variable M3SYNC_HTTP__HOSTS cannot be read" in refusal(file, "")


def test_a_wrong_credential_of_the_service_is_named_by_its_file(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "database.url").write_text("mysql://user:hunter22@host/db")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    said = refusal(file, "")
    assert said.startswith(f"{tmp_path / 'database.url'} is wrong: must begin with postgresql://")
    assert "hunter22" not in said


def test_a_byte_order_mark_is_not_the_operators_fault(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf[http]\nport = 1234\n")
    assert settings.load(file).http.port == 1234
