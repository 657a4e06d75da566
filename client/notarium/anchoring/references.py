"""References to other entries, by what a researcher has at hand: an id, a receipt file, or an artifact."""

from __future__ import annotations

from pathlib import Path

from notarium.anchoring.commit import Ref
from notarium.anchoring.earlier import signed_at
from notarium.errors import ProjectError
from notarium.ledger_access.receipt_file import receipt_named
from notarium.naming import artifact_path, check_no_draft, stem_of
from notarium.project import Project


def reference(project: Project, rel: str, target: bytes | str | Path) -> Ref:
    """A reference to an entry by its id, by its receipt file, or by an artifact that has a receipt beside it.

    Raises ProjectError where there is no valid receipt.
    """
    if isinstance(target, bytes):
        return Ref(rel, target)
    if isinstance(target, str) and len(target) == 64:
        try:
            return Ref(rel, bytes.fromhex(target))
        except ValueError:
            pass
    path = artifact_path(target)
    place = receipt_named(path)
    found, pending = signed_at(project, place)
    if found is not None:
        return Ref(rel, found.id)
    if pending is not None:
        return Ref(rel, bytes.fromhex(pending.id))
    check_no_draft(path)
    raise ProjectError(f"{target} is not an entry id, and there is no valid receipt {stem_of(place)}.receipt.json")
