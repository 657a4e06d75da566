"""Ids as people give them: in full, or as `notarium log` prints them."""

from __future__ import annotations

import re
from pathlib import Path

from notarium.anchoring import journal
from notarium.anchoring.journal import JournalLine
from notarium.errors import ProjectError
from notarium.ledger_access.client import entry_id
from notarium.project import Project

ID_DIGITS = 64
_DIGITS = re.compile(r"[0-9A-Fa-f]{1,64}")


def id_digits(target: str) -> str:
    """The digits that `target` gives of an id, in lower case; "" where it cannot be one."""
    # What `log` prints of an id ends so.
    digits = target.removesuffix("…")
    return digits.lower() if _DIGITS.fullmatch(digits) else ""


def wanted_id(here: Project, target: str, what: str = "an id") -> bytes:
    """The id that `target` is, or begins. `what`: else could be given in full. Raises ProjectError."""
    digits = id_digits(target)
    if not digits:
        raise _no_such(target, f"{what}: {ID_DIGITS} hexadecimal digits")
    if len(digits) == ID_DIGITS:
        return entry_id(digits)
    line = logged(here, digits)
    if line is None:
        raise _no_such(
            target.removesuffix("…"),
            f"{what}: {ID_DIGITS} hexadecimal digits, or the beginning of an id that 'notarium log' lists",
        )
    return entry_id(line.id)


def logged(here: Project, digits: str) -> JournalLine | None:
    """The line of the project's log whose id begins with `digits`. Raises ProjectError where several do."""
    found = {each.id: each for each in journal.read(here.folder) if each.id.startswith(digits)}
    if len(found) > 1:
        raise ProjectError(
            f"{len(found)} ids in this project's log begin with {digits!r}: give more digits; "
            "run 'notarium log --json' to list them in full"
        )
    return next(iter(found.values()), None)


def receipt_logged(here: Project, line: JournalLine) -> Path:
    """Where the receipt of a line was to be written."""
    return here.folder.absolute().parent / line.receipt


def _no_such(target: str, expected: str) -> ProjectError:
    return ProjectError(f"no such file or folder: {target}, and not {expected}")
