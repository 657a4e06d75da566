"""Finds the receipts in a folder, and the files in it that no receipt names.

A file without a receipt is a finding: otherwise, to hide that a file has changed, it would be enough to remove its
receipt.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from notarium.evidence.ignore import DEFAULTS, IGNORE_FILE, Rules
from notarium.evidence.links import is_below
from notarium.naming import OWN_FILES, is_receipt, record_of

_SHOWN = 10
_KEPT_BY_TOOLS = Rules([*DEFAULTS, *(f"!{each}" for each in OWN_FILES if "*" in each)])
"""What programs keep beside the data: nobody verifies a file in there. Receipts, records and drafts count."""
_FOR_TOOLS = frozenset({IGNORE_FILE, ".gitattributes", ".gitignore"})
"""Files that only say what tools do with others."""


@dataclass(frozen=True, slots=True)
class Unnamed:
    """Files that no receipt names."""

    count: int
    first: tuple[str, ...]
    """The first of them, by their paths inside the folder."""

    def __str__(self) -> str:
        files = "1 file here has" if self.count == 1 else f"{self.count} files here have"
        return f"{files} no receipt: {', '.join(self.first)}"


def receipts_in(root: Path, on_error: Callable[[Path, OSError], None]) -> list[Path]:
    """The receipts below `root`, except those in folders that programs keep."""
    return sorted(each for each in _walk(root, (), on_error) if is_receipt(each))


def unnamed_in(root: Path, receipts: Collection[Path], named: Collection[Path]) -> Unnamed:
    """The files below `root` that are neither `named`, nor in a folder that is, nor receipts, nor their records."""
    known = {os.path.abspath(each) for each in named}
    if any(is_below(os.path.abspath(root), each) for each in known):
        return Unnamed(0, ())
    known |= {os.path.abspath(each) for receipt in receipts for each in (receipt, record_of(receipt))}
    count, first = 0, list[str]()
    # What cannot be listed was reported when the receipts were looked for.
    for each in _walk(root, known, lambda _, __: None):
        if each.name in _FOR_TOOLS:
            continue
        count += 1
        first = sorted([*first, str(each.relative_to(root))])[:_SHOWN]
    if count > len(first):
        first.append("…")
    return Unnamed(count, tuple(first))


def _walk(root: Path, leave_out: Collection[str], on_error: Callable[[Path, OSError], None]) -> Iterator[Path]:
    """Everything below `root` that is no folder. Links are not followed."""
    folders = [root]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    place = folder / entry.name
                    if leave_out and os.path.abspath(place) in leave_out:
                        continue
                    is_folder = entry.is_dir(follow_symlinks=False)
                    if _KEPT_BY_TOOLS.leave_out(entry.name, is_folder):
                        continue
                    if is_folder:
                        folders.append(place)
                    else:
                        yield place
        except OSError as error:
            on_error(folder, error)
