"""Targets that read a file."""

from __future__ import annotations

import atexit
import os
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any


@cache
def _folder() -> Path:
    # In memory where there is such a place: a fuzzer writes thousands of files a second.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    folder = tempfile.TemporaryDirectory(prefix="notarium-fuzz-", dir=memory)
    atexit.register(folder.cleanup)
    return Path(folder.name)


def from_file(name: str, read: Callable[[Path], Any], mode: int = 0o644) -> Callable[[bytes], Any]:
    """A decoder of the bytes of the file `name`, in a folder of its own, which `read` reads."""
    number = next(_numbers)

    def decode(data: bytes) -> Any:
        folder = _folder() / str(number)
        folder.mkdir(exist_ok=True)
        path = folder / name
        path.write_bytes(data)
        path.chmod(mode)
        return read(path)

    return decode


_numbers = iter(range(1000))
