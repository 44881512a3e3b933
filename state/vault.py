"""Seals secrets at rest: AES-256-GCM under a key file, bound to their context, ready for a change of key."""

import base64
import binascii
import hashlib
import os
import secrets
import shlex
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from state.errors import VaultError

KEY_BYTES = 32
_VERSION = b"\x01"
_KEY_ID_BYTES = 8
_NONCE_BYTES = 12


class Vault:
    """Seals with `key`; opens what was sealed with it or with any of `earlier` keys (rotation).

    A sealed secret is: version, id of the key, nonce, ciphertext with tag. `context` (such as the name and
    system of a credential) is authenticated but not stored: a secret moved to another row does not open.
    """

    def __init__(self, key: bytes, earlier: Iterable[bytes] = ()) -> None:
        keys = [key, *earlier]
        if any(len(each) != KEY_BYTES for each in keys):
            raise VaultError(
                f"A vault key has {KEY_BYTES} bytes, this one has not.",
                "Restore the key file from its backup.",
            )
        self._key_id = _id_of(key)
        self._keys = {_id_of(each): AESGCM(each) for each in keys}

    def seal(self, plaintext: bytes, *, context: str) -> bytes:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        header = _VERSION + self._key_id
        ciphertext = self._keys[self._key_id].encrypt(nonce, plaintext, header + context.encode())
        return header + nonce + ciphertext

    def open(self, sealed: bytes, *, context: str) -> bytes:
        """The plaintext; raises VaultError when another key, another context or another hand was at work."""
        header, rest = sealed[: 1 + _KEY_ID_BYTES], sealed[1 + _KEY_ID_BYTES :]
        if not header.startswith(_VERSION) or len(rest) <= _NONCE_BYTES:
            raise VaultError(f"The secret of {context} is damaged.", "Add the credential again.")
        key = self._keys.get(header[1:])
        if key is None:
            raise VaultError(
                f"The secret of {context} was sealed with another key than the one in use.",
                "Put the former vault key file back, or add the credential again.",
            )
        try:
            return key.decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], header + context.encode())
        except InvalidTag as error:
            raise VaultError(
                f"The secret of {context} was altered in the database.", "Add the credential again."
            ) from error


def load_key(path: Path) -> Vault:
    """The vault of the key file at `path`; raises VaultError, also when there is none.

    The file has one key a line, in base64: the first seals, the others only open what they once sealed.
    """
    try:
        return _read(path)
    except FileNotFoundError as error:
        raise VaultError(f"There is no vault key at {path}.", when_absent(path)) from error
    except OSError as error:
        raise VaultError(
            f"The vault key {path} cannot be read: {error.strerror}.",
            "Give m3sync's user the right to read it.",
        ) from error


def when_absent(path: Path) -> str:
    """What to do about a key file that is not there, although something was sealed with it."""
    return (
        "Correct vault_key_file, or restore the key from its backup. If it is lost, make a new one "
        f"(umask 077; head -c 32 /dev/urandom | base64 > {shlex.quote(str(path))}) and add each "
        "credential again with --replace."
    )


def is_absent(path: Path) -> bool:
    """Whether there is no key file; one that may not be looked at is there for all we know."""
    try:
        path.stat()
    except OSError as error:
        return isinstance(error, FileNotFoundError)
    return False


def load_or_create_key(path: Path) -> Vault:
    """As load_key, and a new key file (mode 0600) is made when there is none; raises VaultError."""
    try:
        if not path.exists():
            _create(path)
    except OSError as error:
        raise VaultError(
            f"The vault key {path} cannot be made: {error.strerror}.",
            "Give m3sync's user the right to write there, or set vault_key_file.",
        ) from error
    return load_key(path)


def _create(path: Path) -> None:
    """Written aside and linked into place: two processes end with one and the same whole key."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if os.geteuid() == 0:  # root makes it for whose directory it is
            owner = path.parent.stat()
            os.chown(fresh, owner.st_uid, owner.st_gid)
        with suppress(FileExistsError):
            os.link(fresh, path)
    finally:
        fresh.unlink()


def _read(path: Path) -> Vault:
    try:
        keys = [base64.b64decode(line, validate=True) for line in path.read_bytes().split()]
    except binascii.Error:
        keys = []
    if not keys or any(len(key) != KEY_BYTES for key in keys):
        raise VaultError(
            f"The file {path} is not a vault key ({KEY_BYTES} bytes in base64).",
            "Restore it from its backup.",
        )
    return Vault(keys[0], keys[1:])


def _id_of(key: bytes) -> bytes:
    return hashlib.sha256(b"m3sync vault key id" + key).digest()[:_KEY_ID_BYTES]
