"""The vault: what it seals opens only with its key, in its place, and unaltered."""

import base64
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from state import vault
from state.errors import VaultError
from state.vault import KEY_BYTES, Vault

SECRET = b'{"client_secret": "hush"}'


def key(number: int) -> bytes:
    return bytes([number]) * KEY_BYTES


def test_what_is_sealed_opens_again_and_does_not_show() -> None:
    box = Vault(key(1))
    sealed = box.seal(SECRET, context="salesforce credential production")
    assert b"hush" not in sealed
    assert box.open(sealed, context="salesforce credential production") == SECRET


def test_the_same_secret_is_sealed_differently_each_time() -> None:
    box = Vault(key(1))
    assert box.seal(SECRET, context="a") != box.seal(SECRET, context="a")


def test_a_secret_moved_to_another_row_does_not_open() -> None:
    box = Vault(key(1))
    with pytest.raises(VaultError, match="other was altered"):
        box.open(box.seal(SECRET, context="mine"), context="other")


@pytest.mark.parametrize("place", [1, 9, 20, -1])
def test_a_secret_that_was_tampered_with_does_not_open(place: int) -> None:
    box = Vault(key(1))
    sealed = bytearray(box.seal(SECRET, context="mine"))
    sealed[place] ^= 1
    with pytest.raises(VaultError, match="mine"):
        box.open(bytes(sealed), context="mine")


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x02" + bytes(60), b"plain text that was never sealed"])
def test_what_was_never_sealed_is_called_damaged(sealed: bytes) -> None:
    with pytest.raises(VaultError, match="damaged"):
        Vault(key(1)).open(sealed, context="mine")


def test_another_key_is_named_as_the_cause() -> None:
    sealed = Vault(key(1)).seal(SECRET, context="mine")
    with pytest.raises(VaultError, match="another key") as refusal:
        Vault(key(2)).open(sealed, context="mine")
    assert "vault key file" in refusal.value.instruction


def test_after_a_change_of_key_the_earlier_one_still_opens() -> None:
    sealed = Vault(key(1)).seal(SECRET, context="mine")
    rotated = Vault(key(2), [key(1)])
    assert rotated.open(sealed, context="mine") == SECRET
    with pytest.raises(VaultError, match="another key"):
        Vault(key(1)).open(rotated.seal(SECRET, context="mine"), context="mine")


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(VaultError, match="32 bytes"):
        Vault(b"short")


def test_a_key_file_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "vault.key"
    sealed = vault.load_or_create_key(path).seal(SECRET, context="mine")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert vault.load_or_create_key(path).open(sealed, context="mine") == SECRET
    assert list(path.parent.iterdir()) == [path]


def test_processes_making_the_key_at_once_agree_on_one(tmp_path: Path) -> None:
    path = tmp_path / "vault.key"
    with ThreadPoolExecutor(8) as threads:
        boxes = list(threads.map(lambda _: vault.load_or_create_key(path), range(8)))
    sealed = boxes[0].seal(SECRET, context="mine")
    assert {box.open(sealed, context="mine") for box in boxes} == {SECRET}


def test_a_missing_key_file_is_not_made_unasked(tmp_path: Path) -> None:
    with pytest.raises(VaultError, match="no vault key") as refusal:
        vault.load_key(tmp_path / "vault.key")
    assert (
        "restore the key from its backup. If it is lost, make a new one (umask" in refusal.value.instruction
    )
    assert not (tmp_path / "vault.key").exists()


@pytest.mark.parametrize("content", ["", "not base64!", base64.b64encode(b"too short").decode()])
def test_a_file_that_is_no_key_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "vault.key"
    path.write_text(content)
    with pytest.raises(VaultError, match="not a vault key"):
        vault.load_key(path)


def test_a_key_file_with_earlier_keys_below_opens_what_they_sealed(tmp_path: Path) -> None:
    path = tmp_path / "vault.key"
    path.write_text("\n".join(base64.b64encode(key(number)).decode() for number in (2, 1)))
    sealed = Vault(key(1)).seal(SECRET, context="mine")
    assert vault.load_key(path).open(sealed, context="mine") == SECRET


def test_a_key_that_cannot_be_read_or_made_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(VaultError, match="cannot be read"):
        vault.load_key(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(VaultError, match="cannot be made"):
        vault.load_or_create_key(tmp_path / "file" / "vault.key")
