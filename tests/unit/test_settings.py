"""Settings: where they come from, which wins, and what is said about a wrong one."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon import settings
from daemon.configuration import ConfigurationError
from daemon.to_salesforce import targets
from daemon.to_salesforce.targets import Naming
from tests.unit import settings_files
from tests.unit.settings_files import refusal

no_settings_from_outside = settings_files.no_settings_from_outside
file = settings_files.file


def test_without_a_file_everything_has_a_default() -> None:
    found = settings.load()
    assert found.http.host == "127.0.0.1"
    assert found.http.port == 8320
    assert found.database_url is None
    assert found.worker.in_flight == 1
    assert found.vault_key_path == Path("/var/lib/m3sync/vault.key")


def test_a_named_file_must_exist(file: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"does not exist\. Create it"):
        settings.load(file)


def test_the_file_is_read_and_the_environment_wins_over_it(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text('[http]\nport = 1234\nhost = "::1"\n')
    monkeypatch.setenv("M3SYNC_HTTP__PORT", "4321")
    found = settings.load(file)
    assert (found.http.port, found.http.host) == (4321, "::1")


def test_a_list_in_the_environment_is_json(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("")
    monkeypatch.setenv("M3SYNC_HTTP__HOSTS", '["m3sync.example.com"]')
    assert settings.load(file).http.hosts == ("m3sync.example.com",)
    monkeypatch.setenv("M3SYNC_HTTP__HOSTS", "m3sync.example.com")
    assert "written as JSON" in refusal(file, "")


def test_credentials_of_the_service_win_over_the_file(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text('[database]\nurl = "postgresql://file/db"\n')
    (tmp_path / "database.url").write_text("postgresql://credential/db\n")
    (tmp_path / "vault.key").write_text("key")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    found = settings.load(file)
    assert found.database_url == "postgresql://credential/db"
    assert found.vault_key_path == tmp_path / "vault.key"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[http]\nprt = 1\n", 'the key "http.prt" is not known. Did you mean "http.port"?'),
        ("[htpp]\nport = 1\n", 'the key "htpp" is not known. Did you mean "http"?'),
        ("port = 1\n", 'the key "port" is not known. Did you mean "http.port"?'),
        ("http = 3\n", 'the key "http" is wrong: must be a table'),
        ('[http]\nport = "x"\n', 'the key "http.port" is wrong: input should be a valid integer'),
        ("[worker]\nin_flight = 0\n", 'the key "worker.in_flight" is wrong'),
        ("[[[", "is not valid TOML"),
    ],
)
def test_a_wrong_file_is_refused_naming_file_key_and_remedy(file: Path, text: str, said: str) -> None:
    refused = refusal(file, text)
    assert str(file) in refused
    assert said in refused


def test_bytes_that_are_no_text_are_refused(file: Path) -> None:
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        settings.load(file)


def test_a_lease_must_outlast_what_a_dead_daemon_sent(file: Path) -> None:
    said = refusal(file, "[worker]\nlease_seconds = 30\n")
    assert "lease_seconds (30) must not be less than settle_seconds (60)" in said
    file.write_text("[worker]\nlease_seconds = 30\nsettle_seconds = 30\n")
    assert settings.load(file).worker.lease == settings.load(file).worker.settle


def test_an_unknown_variable_is_refused_with_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("M3SYNC_HTTP__PROT", "1")
    with pytest.raises(ConfigurationError, match="Did you mean M3SYNC_HTTP__PORT"):
        settings.load()


def test_a_wrong_variable_is_named_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("M3SYNC_HTTP__PORT", "many")
    with pytest.raises(ConfigurationError, match="The variable M3SYNC_HTTP__PORT is wrong"):
        settings.load()


def test_a_database_url_is_never_repeated(file: Path) -> None:
    refused = refusal(file, '[database]\nurl = "mysql://user:hunter22@host/db"\n')
    assert "must begin with postgresql://" in refused
    assert "hunter22" not in refused
    file.write_text('[database]\nurl = "postgresql://user:hunter22@host/db"\n')
    assert "hunter22" not in repr(settings.load(file))


def test_the_example_file_with_every_line_uncommented_is_sound_and_says_the_defaults(tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / "systemd" / "m3sync.toml"
    uncommented = tmp_path / "example.toml"
    uncommented.write_text(re.sub(r"(?m)^# (?=[a-z_]+(\.\S.*)? = )", "", example.read_text()))
    found = settings.load(uncommented).model_dump()
    without = settings.load().model_dump()
    (namespace,) = found["entity_data_sync"]["names"]
    assert targets.every(namespace, Naming(names=found["entity_data_sync"]["names"]))
    # These have no default that could be shown: the file has an example.
    for place, key in _EXAMPLES:
        own = found[place] if place else found
        assert own[key] is not None, key
        own[key] = (without[place] if place else without)[key]
    assert found == without
    lines = example.read_text().splitlines()
    for key in _keys(without):
        assert any(re.match(rf"# {key}[ .].*= ", line) for line in lines), key


_EXAMPLES = (("", "vault_key_file"), ("database", "url"), ("http", "hosts"), ("entity_data_sync", "names"))


def _keys(found: dict[str, Any]) -> Iterator[str]:
    for key, value in found.items():
        yield from value if isinstance(value, dict) else (key,)


def test_names_of_objects_and_fields_are_a_persons_own(tmp_path: Path) -> None:
    file = tmp_path / "m3sync.toml"
    file.write_text(
        '[entity_data_sync.names."Custom Objects"]\nAccount = "Customer__c"\n"Account.Code" = "Number__c"\n'
    )
    assert settings.load(file).entity_data_sync.names == {
        "Custom Objects": {"Account": "Customer__c", "Account.Code": "Number__c"}
    }
