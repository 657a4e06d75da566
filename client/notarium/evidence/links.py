"""Symbolic links of an artifact: where they lead, and which are followed.

What counts is the content behind a link. It is recorded where the link leads to something in the artifact or in its
project. A project is a folder with `.notarium/`, a Git or DVC repository, or a repository in the cache of Hugging Face,
whose snapshots are links to its blobs. Other links are followed on request only: a link may lead to anything.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from notarium.errors import InvalidRecordFile
from notarium.naming import FOLDER

_MARKS: Final = (FOLDER, ".git", ".dvc")
"""A folder that holds one of these is a project."""
_HUGGING_FACE: Final = ("models--", "datasets--", "spaces--")
"""What the folder of a repository begins with in its cache."""


class Leads(StrEnum):
    """Where a link leads whose content is not recorded."""

    OUTSIDE = "outside"
    """Out of the artifact and its project, and it was not to be followed."""
    NOWHERE = "nowhere"
    """Its target does not exist, or it leads in a circle."""


@dataclass(frozen=True, slots=True)
class SymbolicLink:
    """A symbolic link. Its content is recorded beside it, at the place it names, or not at all."""

    target: str | None
    """As it is written; None where that is absolute, because it says how the author's disk is organised."""
    at: str | None = None
    """Where in the artifact that is recorded which it leads to: another file, another folder ("." for the artifact), or
    its own path where a folder is recorded below it."""
    leads: Leads | None = None
    """Only where its content is not recorded."""

    def to_json(self) -> dict[str, Any]:
        """{symlink, at?, leads?}."""
        named: dict[str, Any] = {"symlink": self.target}
        if self.at is not None:
            named["at"] = self.at
        return named if self.leads is None else {**named, "leads": str(self.leads)}

    @classmethod
    def from_json(cls, value: Any) -> SymbolicLink:
        """Raises InvalidRecordFile, ValueError or KeyError."""
        target, at, leads = value["symlink"], value.get("at"), value.get("leads")
        if not isinstance(target, str | None) or not isinstance(at, str | None) or (at is not None and leads):
            raise InvalidRecordFile("a link has a target, and leads to a place in the artifact or is not followed")
        if at is not None and (not at or at.startswith("/") or "\0" in at or ".." in at.split("/")):
            # Whoever asks for the link is shown what is there.
            raise InvalidRecordFile(f"{at!r} is not a path inside a folder")
        return cls(target, at, None if leads is None else Leads(leads))


@dataclass(frozen=True, slots=True)
class Boundary:
    """Where links may lead."""

    roots: tuple[str, ...]
    """Real paths of folders."""
    is_open: bool = False
    """Whether every link is followed."""

    @classmethod
    def around(cls, artifact: Path, *, follow: bool = False) -> Boundary:
        """The artifact and the projects that it lies in."""
        real = os.path.realpath(artifact)
        return cls((real, *_projects(real)), follow)

    def holds(self, real: str) -> bool:
        """Whether a link to this real path is followed."""
        return self.is_open or any(is_below(real, root) for root in self.roots)


def is_below(path: str, root: str) -> bool:
    """Whether `path` is `root` or inside of it."""
    return path == root or path.startswith(root.rstrip("/") + "/")


def _projects(real: str) -> list[str]:
    """The innermost project of each kind that `real` lies in."""
    found: list[str] = []
    left = list(_MARKS)
    for folder in Path(real).parents:
        if folder.name.startswith(_HUGGING_FACE) and (folder / "snapshots").is_dir():
            found.append(str(folder))
        marks = [each for each in left if (folder / each).exists()]
        left = [each for each in left if each not in marks]
        if marks:
            found.append(str(folder))
    return found
