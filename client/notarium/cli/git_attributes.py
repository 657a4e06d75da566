"""Keeps Git from changing line ends in the files that Notarium writes: `.gitattributes` in the project's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from notarium.errors import Unwritable
from notarium.files import read_regular, write_atomically
from notarium.naming import DRAFT_SUFFIX, FOLDER, RECEIPT_SUFFIX, RECORD_SUFFIX

FILE: Final = ".gitattributes"
LINES: Final = tuple(
    f"{each} -text" for each in (f"*{RECEIPT_SUFFIX}", f"*{RECORD_SUFFIX}", f"*{DRAFT_SUFFIX}", f"{FOLDER}/**")
)
_MAX_BYTES: Final = 1024 * 1024


def keep_from_git(root: Path) -> None:
    """Add the lines that `.gitattributes` in `root` lacks; what is there stays. Raises Unwritable."""
    place = root / FILE
    try:
        if place.is_symlink():
            # Git reads no link of that name, and what a stranger's link leads to must not get into the project.
            return
        there = read_regular(place, _MAX_BYTES) if place.exists() else b""
        missing = [each for each in LINES if each.encode() not in there.splitlines()]
        if not missing or len(there) > _MAX_BYTES:
            return
        separate = b"\n" if there and not there.endswith(b"\n") else b""
        added = "\n".join(["# Notarium: these files are what was signed", *missing])
        write_atomically(place, there + separate + added.encode() + b"\n")
    except OSError as error:
        raise Unwritable(f"{place} cannot be written", root, error) from error
