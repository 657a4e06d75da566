"""Key files: one secret, one purpose, one file that only its owner can read.

An institution has three Ed25519 keys. They are apart because they are lost apart: the governance key can wait in a
safe while the other two must be on the server.

Format: one line, ``notarium-key-v1 <purpose> <base64 of the 32-byte seed>\\n``.
"""

from __future__ import annotations

import base64
import binascii
import os
import stat
from enum import StrEnum
from pathlib import Path

from notarium_ledger.signing import SigningKey
from notarium_ledger.types import KEY_BYTES

FORMAT = "notarium-key-v1"
MAX_FILE_BYTES = 256
"""A key file is about 80 bytes; anything much longer is some other file."""


class KeyFileError(Exception):
    """A key file that cannot be used. The message names the path and what to do."""


class Purpose(StrEnum):
    """What a key may sign; it stands in the file, so that files cannot be mixed up."""

    ADMIN = "admin"
    """The member's governance key: enrols, revokes, votes on members. Keep it away from the server."""
    VALIDATOR = "validator"
    """Signs consensus votes; an observer's node key too."""
    TRANSPORT = "transport"
    """The TLS key of the peer socket."""

    @property
    def file_name(self) -> str:
        """Its usual name inside a key directory."""
        return f"{self.value}.key"


def create_key(path: Path, purpose: Purpose) -> SigningKey:
    """Draw a new key and write it to `path`, mode 0600. Never overwrites. Raises KeyFileError."""
    seed = os.urandom(KEY_BYTES)
    line = f"{FORMAT} {purpose} {base64.b64encode(seed).decode()}\n"
    try:
        # O_EXCL: an existing key is never lost. The mode is given at creation: there is no moment when others can read.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError as error:
        raise KeyFileError(f"{path} exists already and is not overwritten: move it away or choose another") from error
    except OSError as error:
        raise KeyFileError(f"cannot create {path}: {error.strerror}") from error
    with os.fdopen(descriptor, "w") as file:
        # The umask can only take bits away; this restores the owner's.
        os.fchmod(descriptor, 0o600)
        file.write(line)
        file.flush()
        os.fsync(descriptor)
    return SigningKey(seed)


def load_key(path: Path, purpose: Purpose) -> SigningKey:
    """The signing key in `path`. Raises KeyFileError."""
    return SigningKey(load_seed(path, purpose))


def load_seed(path: Path, purpose: Purpose) -> bytes:
    """The 32 secret bytes in `path`, for the TLS library. Raises KeyFileError."""
    try:
        # O_NONBLOCK: a pipe in place of the file must not hang the start.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise KeyFileError(f"{path} does not exist: make keys with 'notarium-node keygen'") from error
    except OSError as error:
        raise KeyFileError(f"cannot read {path}: {error.strerror}; run as the user that owns it") from error
    try:
        # Of the open file, not of the path, which somebody could swap in between.
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise KeyFileError(f"{path} is not a regular file")
        if status.st_mode & 0o077:
            raise KeyFileError(
                f"{path} can be read by others (mode {stat.S_IMODE(status.st_mode):04o}): run 'chmod 600 {path}', "
                "and if others had access to this machine, make new keys"
            )
        content = os.read(descriptor, MAX_FILE_BYTES + 1)
    finally:
        os.close(descriptor)
    return _parse(content, path, purpose)


def _parse(content: bytes, path: Path, purpose: Purpose) -> bytes:
    # Messages never quote the content: a damaged key file still holds most of a key.
    try:
        fields = content.decode("ascii").split()
    except UnicodeDecodeError as error:
        raise KeyFileError(f"{path} is not a key file (expected '{FORMAT} {purpose} ...')") from error
    if len(fields) != 3 or fields[0] != FORMAT or len(content) > MAX_FILE_BYTES:
        raise KeyFileError(f"{path} is not a key file (expected '{FORMAT} {purpose} ...')")
    if fields[1] != purpose:
        known = fields[1] if fields[1] in set(Purpose) else "unknown"
        raise KeyFileError(f"{path} holds a key for the purpose {known!r}, needed is {purpose.value!r}: wrong file?")
    try:
        seed = base64.b64decode(fields[2], validate=True)
    except binascii.Error as error:
        raise KeyFileError(f"{path} is damaged: its key is not base64; restore it from a backup") from error
    if len(seed) != KEY_BYTES:
        raise KeyFileError(f"{path} is damaged: its key has {len(seed)} bytes, not {KEY_BYTES}; restore a backup")
    return seed
