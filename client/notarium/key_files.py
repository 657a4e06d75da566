"""Key files: one secret, one purpose, one file that only its owner can read, never in a repository.

An institution has three Ed25519 keys and each researcher has one. They are separate because they are lost separately:
the governance key can wait in a safe while the other two must be on the server.

Format: one line, ``notarium-key-v1 <purpose> <base64 of the 32-byte seed>\\n``.
"""

from __future__ import annotations

import base64
import binascii
import os
import stat
from enum import StrEnum
from pathlib import Path

from notarium.errors import ProjectError
from notarium.files import NotRegularFile, open_regular
from notarium_ledger.signing import SigningKey
from notarium_ledger.types import KEY_BYTES

FORMAT = "notarium-key-v1"
MAX_FILE_BYTES = 256
"""A key file is about 80 bytes; anything much longer is some other file."""


class KeyFileError(ProjectError):
    """A key file that cannot be used. The message names the path and the remedy."""


class Purpose(StrEnum):
    """What a key may sign. It stands in the file, so that files cannot be confused."""

    RESEARCHER = "researcher"
    """Signs a researcher's commitments."""
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

    @property
    def remedy_if_missing(self) -> str:
        """How to get a key file for this purpose."""
        if self is Purpose.RESEARCHER:
            return (
                "run 'notarium init --genesis FILE --issuer ID' in the project's folder to make one, or set "
                "NOTARIUM_KEY to the path of yours"
            )
        if self is Purpose.ADMIN:
            # Used in commands only, long after it was made, and from wherever it is kept.
            return "give the file where this key is kept now with --admin-key"
        return "make keys with 'notarium-node keygen'"

    @property
    def remedy_if_exposed(self) -> str:
        """What to do where others may have read the key."""
        if self is Purpose.RESEARCHER:
            return "have the key revoked and make a new one"
        return "make new keys"


def create_key(path: Path, purpose: Purpose = Purpose.RESEARCHER) -> SigningKey:
    """Draw a new key and write it to `path`, mode 0600. Never overwrites. Raises KeyFileError."""
    seed = os.urandom(KEY_BYTES)
    line = f"{FORMAT} {purpose} {base64.b64encode(seed).decode()}\n"
    try:
        if purpose is Purpose.RESEARCHER:
            # A folder in the user's configuration. A node's set-up makes its own key folder.
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # O_EXCL: an existing key is never lost. The mode is given at creation: there is no moment when others can read.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError as error:
        raise KeyFileError(f"{path} exists already and is not overwritten: move it away or choose another") from error
    except OSError as error:
        raise KeyFileError(f"cannot create the key file {path}: {error.strerror}") from error
    with os.fdopen(descriptor, "w") as file:
        # The umask can only take bits away; this restores the owner's.
        os.fchmod(descriptor, 0o600)
        file.write(line)
        file.flush()
        os.fsync(descriptor)
    return SigningKey(seed)


def load_key(path: Path, purpose: Purpose = Purpose.RESEARCHER) -> SigningKey:
    """The signing key in `path`. Raises KeyFileError; messages never quote the content."""
    return SigningKey(load_seed(path, purpose))


def load_seed(path: Path, purpose: Purpose) -> bytes:
    """The 32 secret bytes in `path`, for the TLS library. Raises KeyFileError."""
    try:
        descriptor = open_regular(path)
    except FileNotFoundError as error:
        raise KeyFileError(f"the {purpose} key {path} does not exist: {purpose.remedy_if_missing}") from error
    except (IsADirectoryError, NotRegularFile) as error:
        raise KeyFileError(f"the {purpose} key {path} is not a regular file") from error
    except OSError as error:
        raise KeyFileError(
            f"cannot read the {purpose} key {path}: {error.strerror}; run as the user that owns it"
        ) from error
    try:
        status = os.fstat(descriptor)
        if status.st_mode & 0o077:
            raise KeyFileError(
                f"the {purpose} key {path} can be read by others (mode {stat.S_IMODE(status.st_mode):04o}): "
                f"run 'chmod 600 {path}'; if others had access to this machine, {purpose.remedy_if_exposed}"
            )
        content = os.read(descriptor, MAX_FILE_BYTES + 1)
    finally:
        os.close(descriptor)
    return _parse(content, path, purpose)


def _parse(content: bytes, path: Path, purpose: Purpose) -> bytes:
    # Messages never quote the content: a damaged key file still holds most of a key.
    fields = content.decode("ascii", errors="replace").split()
    if len(content) > MAX_FILE_BYTES or len(fields) != 3 or fields[0] != FORMAT:
        raise KeyFileError(f"{path} is not a key file (expected '{FORMAT} {purpose} ...')")
    if fields[1] != purpose:
        known = fields[1] if fields[1] in set(Purpose) else "unknown"
        raise KeyFileError(f"{path} is a key for another purpose: {known!r}, not {purpose.value!r}; check the path")
    try:
        seed = base64.b64decode(fields[2], validate=True)
    except (binascii.Error, ValueError) as error:
        raise KeyFileError(f"{path} is damaged: its key is not base64; restore it from a backup") from error
    if len(seed) != KEY_BYTES:
        raise KeyFileError(
            f"{path} is damaged: its key has {len(seed)} bytes, not {KEY_BYTES}; restore it from a backup"
        )
    return seed
