"""Finds the receipt that is about a path, and the path of an artifact that a record names.

A record may come from a stranger: no name in it leads out of the folder that its receipt lies in.
"""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from notarium.evidence.artifact import Artifact
from notarium.evidence.record import Record
from notarium.naming import is_receipt, receipt_beside, stem_of


def without_dots(path: Path) -> Path:
    """`path` without "..". Links are resolved only where it has ".." in it: a link may lead to an artifact."""
    return path.parent.resolve() / path.name if ".." in path.parts else path


def receipt_for(asked: Path) -> Path | None:
    """The receipt that should be about `asked`: its own, or else that of the next folder above it that has one."""
    for place in (asked, *asked.absolute().parents):
        if place.name and receipt_beside(place).exists():
            return receipt_beside(place)
    return None


def locate(artifact: Artifact, record: Record, receipt: Path) -> Path | None:
    """Where an artifact should be: beside the receipt under the receipt's name, or where the record says.

    None where the record names a place outside the receipt's folder. A run may have inputs there, but a stranger's
    record must not choose which files of this machine are read.
    """
    if (
        len(record.artifacts) == 1
        and artifact.role == "subject"
        and is_receipt(receipt)
        and (beside := receipt.parent / stem_of(receipt)).exists()
    ):
        return beside
    name = PurePosixPath(artifact.name)
    return None if name.is_absolute() or ".." in name.parts else receipt.parent / name


def leads_out(location: Path, receipt: Path) -> bool:
    """Whether a link on the way to `location` leads out of the receipt's folder."""
    return not Path(os.path.realpath(location)).is_relative_to(os.path.realpath(receipt.parent))


def asked_inside(asked: Path, artifact: Artifact, location: Path | None) -> str | None:
    """`asked` as a path inside the artifact: "" for the artifact itself, None where it is not part of it."""
    if location is None or not asked.absolute().is_relative_to(location.absolute()):
        return None
    inside = PurePosixPath(asked.absolute().relative_to(location.absolute()))
    if not inside.parts:
        return ""
    # A file has one item with the path "", so nothing is inside it.
    return str(inside) if any(is_within(item.path, str(inside)) for item in artifact.items) else None


def is_within(path: str, only: str | None) -> bool:
    """Whether the item at `path` is the one at `only`, or below it; true for every item where `only` is None."""
    return only is None or path == only or path.startswith(f"{only}/")
