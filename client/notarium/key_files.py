"""The researcher's key file: one secret in one file that only its owner can read, never in the repository.

Format: one line, ``notarium-key-v1 researcher <base64 of the 32-byte seed>\\n``.
"""

from __future__ import annotations

import base64
import binascii
import os
import stat
from pathlib import Path

from notarium.errors import ProjectError
from notarium_ledger.signing import SigningKey
from notarium_ledger.types import KEY_BYTES

FORMAT = "notarium-key-v1"
PURPOSE = "researcher"
MAX_FILE_BYTES = 256


def create_key(path: Path) -> SigningKey:
    """Draw a new key and write it to `path`, mode 0600. Never overwrites. Raises ProjectError."""
    seed = os.urandom(KEY_BYTES)
    line = f"{FORMAT} {PURPOSE} {base64.b64encode(seed).decode()}\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError as error:
        raise ProjectError(f"{path} exists already and is not overwritten") from error
    except OSError as error:
        raise ProjectError(f"cannot create the key file {path}: {error.strerror}") from error
    with os.fdopen(descriptor, "w") as file:
        os.fchmod(descriptor, 0o600)
        file.write(line)
        file.flush()
        os.fsync(descriptor)
    return SigningKey(seed)


def load_key(path: Path) -> SigningKey:
    """The signing key in `path`. Raises ProjectError; messages never quote the content."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise ProjectError(
            f"your key {path} does not exist: 'notarium init' makes one, or point NOTARIUM_KEY at yours"
        ) from error
    except OSError as error:
        raise ProjectError(f"cannot read your key {path}: {error.strerror}") from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ProjectError(f"your key {path} is not a regular file")
        if status.st_mode & 0o077:
            raise ProjectError(
                f"your key {path} can be read by others (mode {stat.S_IMODE(status.st_mode):04o}): "
                f"run 'chmod 600 {path}'; "
                "if others had access to this machine, have the key revoked and make a new one"
            )
        content = os.read(descriptor, MAX_FILE_BYTES + 1)
    finally:
        os.close(descriptor)
    return SigningKey(_seed(content, path))


def _seed(content: bytes, path: Path) -> bytes:
    fields = content.decode("ascii", errors="replace").split()
    if len(content) > MAX_FILE_BYTES or len(fields) != 3 or fields[0] != FORMAT:
        raise ProjectError(f"{path} is not a key file (expected '{FORMAT} {PURPOSE} ...')")
    if fields[1] != PURPOSE:
        raise ProjectError(f"{path} is a key for another purpose, not a researcher's: wrong file?")
    try:
        seed = base64.b64decode(fields[2], validate=True)
    except (binascii.Error, ValueError) as error:
        raise ProjectError(f"{path} is damaged: its key is not base64; restore it from a backup") from error
    if len(seed) != KEY_BYTES:
        raise ProjectError(f"{path} is damaged: its key has {len(seed)} bytes, not {KEY_BYTES}; restore a backup")
    return seed
