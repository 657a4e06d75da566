"""What an artifact contains: one value for a file and for a folder, with digests by algorithm.

A folder lists every regular file below it by its relative POSIX path. Symbolic links are never followed: they are
recorded by their target, so a link with another target is a change. Empty folders leave no trace.

SHA-256 is always there and is what verification compares. Digests by other algorithms (an MD5, an ETag) are what a tool
that manages the artifact vouches for: they are recorded and not checked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import rfc8785

SHA256 = "sha256"


@dataclass(frozen=True, slots=True)
class Item:
    """One regular file or symbolic link of an artifact."""

    path: str
    """Relative POSIX path; "" for the artifact itself where it is a file."""
    size: int
    """Bytes; 0 for a link."""
    sha256: str
    """Hex; "" for a link, whose content is its target."""
    link_target: str | None = None
    """Where a symbolic link points to; None for a file."""

    @classmethod
    def link(cls, path: str, target: str) -> Item:
        """A symbolic link, recorded and not followed."""
        return cls(path, 0, "", target)

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic link."""
        return self.link_target is not None

    def to_json(self) -> dict[str, Any]:
        """{path, size, sha256}, or {path, symlink} for a link."""
        if self.is_link:
            return {"path": self.path, "symlink": self.link_target}
        return {"path": self.path, "size": self.size, "sha256": self.sha256}


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file or a folder contains. Made by `of_file` and `of_folder`."""

    is_folder: bool
    items: tuple[Item, ...]
    """Every file and link, in ascending order of paths (by their UTF-8 bytes); a file has one item with the path ""."""
    digests: Mapping[str, str]
    """Algorithm -> digest of the whole artifact. "sha256" (hex) is always there."""

    @classmethod
    def of_file(cls, size: int, sha256: str, vouched: Mapping[str, str] | None = None) -> Contents:
        """The contents of one regular file. `vouched`: digests by other algorithms."""
        return cls(False, (Item("", size, sha256),), _digests(sha256, vouched))

    @classmethod
    def of_folder(cls, items: Sequence[Item], vouched: Mapping[str, str] | None = None) -> Contents:
        """The contents of a folder. Its SHA-256 is that of the canonical JSON (RFC 8785) of its items."""
        sha256 = hashlib.sha256(rfc8785.dumps([item.to_json() for item in items])).hexdigest()
        return cls(True, tuple(items), _digests(sha256, vouched))

    @property
    def sha256(self) -> str:
        """Hex SHA-256 of the file, or of the folder's list of items."""
        return self.digests[SHA256]

    @property
    def vouched(self) -> dict[str, str]:
        """The digests by other algorithms than SHA-256, which nothing here checks."""
        return {algorithm: digest for algorithm, digest in self.digests.items() if algorithm != SHA256}

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(item.size for item in self.items)

    def has_same_bytes(self, other: Contents) -> bool:
        """Whether both are files or both folders and contain the same, whatever else is said about either."""
        return self.is_folder == other.is_folder and self.sha256 == other.sha256

    def to_json(self) -> dict[str, Any]:
        """{type, size, sha256, files?, digests?}: `files` for a folder, `digests` where a tool vouches for some."""
        described: dict[str, Any] = {"sha256": self.sha256, "size": self.size}
        if self.is_folder:
            described |= {"type": "folder", "files": [item.to_json() for item in self.items]}
        else:
            described["type"] = "file"
        return {**described, "digests": self.vouched} if self.vouched else described


def _digests(sha256: str, vouched: Mapping[str, str] | None) -> dict[str, str]:
    if vouched and SHA256 in vouched:
        raise ValueError("sha256 is always computed, so no tool can vouch for it")
    return {SHA256: sha256, **(vouched or {})}
