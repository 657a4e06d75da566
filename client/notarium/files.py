"""Reads regular files within bounds; writes files so that they are complete or absent, also after a power cut."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from notarium.errors import Unwritable

READ_BYTES = 1024 * 1024
"""Of one call to the operating system."""


class NotRegularFile(OSError):
    """A pipe, a socket or a device where a file was expected."""


def read_regular(path: Path, limit: int) -> bytes:
    """The first `limit` bytes of a regular file and one more, by which the caller sees that it is longer.

    Raises OSError, also for anything but a regular file: a pipe would hang the program, a device has no end.
    """
    descriptor = open_regular(path)
    try:
        # In one piece where the file says how long it is: putting pieces together takes the memory twice.
        at_once = max(READ_BYTES, min(os.fstat(descriptor).st_size, limit) + 1)
        parts, left = [], limit + 1
        while left and (part := os.read(descriptor, min(left, at_once))):
            parts.append(part)
            left -= len(part)
    finally:
        os.close(descriptor)
    return b"".join(parts)


def open_regular(path: Path) -> int:
    """A descriptor to read a regular file. Raises OSError, also for anything but a regular file."""
    # O_NONBLOCK: a pipe that nobody writes must not hang the program. O_NOCTTY: nor may a terminal take it over.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        # Of the open file, not of the path, which another process could exchange in between.
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(mode):
            raise NotRegularFile(errno.EINVAL, "not a regular file; copy what it gives into a file", str(path))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def write_atomically(path: Path, data: bytes, *, private: bool = False) -> None:
    """Put `data` at `path`: write a temporary file, sync it, rename it, sync the folder. Raises OSError.

    A private file is readable by its owner only; others get the usual permissions of a new file.
    """
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name[:64]}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if not private:
                os.fchmod(descriptor, 0o666 & ~_umask())
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    sync_folder(path.parent)


def check_writable(folder: Path) -> None:
    """Raise Unwritable unless a file can be made in `folder`, which is made if need be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise Unwritable("the receipt cannot be written", folder, error) from error


def sync_folder(folder: Path) -> None:
    """Make a rename or a removal in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    # The only portable way to read the umask sets it, which affects other threads; Linux also reports it here.
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:
            for line in status:
                if line.startswith("Umask:"):
                    return int(line.split()[1], 8)
    except OSError:
        pass
    return 0o022
