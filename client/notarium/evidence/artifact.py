"""An artifact of a record: a file or folder by its name, with its role and what it contains."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from notarium.errors import InvalidRecordFile
from notarium.evidence.contents import SHA256, Contents, Item
from notarium.evidence.ignore import Ignored
from notarium.evidence.media_types import media_type

BY_PRODUCTS: Final = ("log", "figure", "stdout")
"""Roles of what a run made beside its outputs, and that shows how it went."""
MADE: Final = ("output", *BY_PRODUCTS)
"""Roles of what a run made, and not used."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file or folder that a commitment is about, or that went into it."""

    name: str
    """POSIX path relative to the folder the record lies in; may begin with "..", is never absolute."""
    role: str
    """"subject" (of the commitment), one of `MADE`, "input", "config", or a name that a run gave to an input."""
    content: Contents
    """Of an input: as it was when it was named."""
    after: Contents | None = None
    """Of an input that changed during the run: as it was at the run's end."""
    media_type: str = ""
    """Of a file, by its name; "" where that says nothing."""

    @classmethod
    def of(cls, name: str, role: str, content: Contents, after: Contents | None = None) -> Artifact:
        """With the media type that its name says."""
        return cls(name, role, content, after, "" if content.is_folder else media_type(name))

    @property
    def sha256(self) -> str:
        """Hex SHA-256 of the file, or of the folder's list of items."""
        return self.content.sha256

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return self.content.is_folder

    @property
    def items(self) -> tuple[Item, ...]:
        """What is in it; a file has one item with the path ""."""
        return self.content.items

    @property
    def last(self) -> Contents:
        """As it was when it was last seen: what verification compares with."""
        return self.after or self.content

    def to_json(self) -> dict[str, Any]:
        """{name, role, type, media_type?, size, sha256, files?, ignored?, digests?, after?}."""
        named: dict[str, Any] = {"name": self.name, "role": self.role}
        if self.media_type:
            named["media_type"] = self.media_type
        named |= self.content.to_json()
        return named if self.after is None else {**named, "after": _changes(self.content, self.after)}

    @classmethod
    def from_json(cls, value: Any) -> Artifact:
        """Raises InvalidRecordFile, ValueError, KeyError, TypeError or AttributeError for anything else."""
        name = value["name"]
        if not isinstance(name, str) or not name or name.startswith("/") or "\0" in name:
            raise InvalidRecordFile(f"{name!r} is not a relative path")
        vouched = value.get("digests")
        if vouched is not None and not _is_vouched(vouched):
            raise InvalidRecordFile(f"{name}: digests must map algorithms other than sha256 to text")
        if value["type"] == "folder":
            ignored = Ignored.from_json(value["ignored"]) if "ignored" in value else None
            content = Contents.of_folder([Item.from_json(each) for each in value["files"]], vouched, ignored)
        else:
            content = Contents.of_file(int(value["size"]), str(value["sha256"]), vouched)
        after = _changed(content, value["after"]) if "after" in value else None
        return cls(name, str(value["role"]), content, after, str(value.get("media_type", "")))


def relative_name(path: Path, folder: Path) -> str:
    """`path` as it is named in a record that lies in `folder`."""
    return PurePosixPath(os.path.relpath(path.absolute(), folder.absolute())).as_posix()


def _is_vouched(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and bool(value)
        and SHA256 not in value
        and all(isinstance(digest, str) for digest in value.values())
    )


def _changes(before: Contents, after: Contents) -> dict[str, Any]:
    """{size, sha256}, and for a folder {changed: [item], gone: [path]}: only what is not as it was."""
    said: dict[str, Any] = {"size": after.size, "sha256": after.sha256}
    if not after.is_folder:
        return said
    were, paths = set(before.items), {item.path for item in after.items}
    changed = [item.to_json() for item in after.items if item not in were]
    return {**said, "changed": changed, "gone": [item.path for item in before.items if item.path not in paths]}


def _changed(before: Contents, value: Any) -> Contents:
    """What `_changes` described. Raises InvalidRecordFile, ValueError, KeyError or TypeError."""
    if not before.is_folder:
        return Contents.of_file(int(value["size"]), str(value["sha256"]))
    changed = {item.path: item for item in map(Item.from_json, value["changed"])}
    gone = set(value["gone"])
    kept = {item.path: item for item in before.items if item.path not in gone}
    items = sorted({**kept, **changed}.values(), key=lambda item: item.path.encode())
    return Contents.of_folder(items, ignored=before.ignored)
