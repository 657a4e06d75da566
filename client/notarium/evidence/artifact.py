"""An artifact of a record: a file or folder by its name, with its role and what it contains."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from notarium.errors import InvalidRecordFile
from notarium.evidence.contents import SHA256, Contents, Item

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
        """Every file and link; a file has one item with the path ""."""
        return self.content.items

    def to_json(self) -> dict[str, Any]:
        """{name, role, type, size, sha256, files?, digests?}."""
        return {"name": self.name, "role": self.role, **self.content.to_json()}

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
            content = Contents.of_folder([_item(each) for each in value["files"]], vouched)
        else:
            content = Contents.of_file(int(value["size"]), str(value["sha256"]), vouched)
        return cls(name, str(value["role"]), content)


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


def _item(value: Any) -> Item:
    path = value["path"]
    if not isinstance(path, str) or path.startswith("/") or "\0" in path or ".." in path.split("/") or not path:
        raise InvalidRecordFile(f"{path!r} is not a path inside a folder")
    if "symlink" in value:
        return Item.link(path, str(value["symlink"]))
    return Item(path, int(value["size"]), str(value["sha256"]))
