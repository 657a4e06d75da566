"""Small files of the system and of installations, read whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from notarium.files import read_regular

MAX_BYTES: Final = 64 * 1024 * 1024


def bytes_of(path: Path) -> bytes | None:
    """The bytes of a regular file; None where there is no such file, it may not be read, or it has more than 64 MiB."""
    try:
        data = read_regular(path, MAX_BYTES)
    except OSError:
        return None
    return data if len(data) <= MAX_BYTES else None


def text_of(path: Path) -> str | None:
    """As `bytes_of`, as text; what is not UTF-8 is replaced."""
    data = bytes_of(path)
    return None if data is None else data.decode(errors="replace")
