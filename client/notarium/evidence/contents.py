"""What an artifact contains: one value for a file and for a folder, with digests by algorithm.

A folder lists every regular file below it by its relative POSIX path, its links, and the folders in which nothing is
recorded. Of a link it says where it leads; the content behind it is recorded too, if it was followed (`links.py`).
What was left out of a folder is said beside its list (`ignore.py`).

SHA-256 is always there and is what verification compares. Digests by other algorithms (an MD5, an ETag) are what a tool
that manages the artifact vouches for: they are recorded and not checked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from notarium.errors import InvalidRecordFile
from notarium.evidence.ignore import Ignored
from notarium.evidence.json_text import canonical_json
from notarium.evidence.links import Leads, SymbolicLink
from notarium.evidence.names import difference, look_alikes

SHA256 = "sha256"


@dataclass(frozen=True, slots=True)
class Item:
    """One regular file, symbolic link or empty folder of an artifact."""

    path: str
    """Relative POSIX path; "" for the artifact itself where it is a file."""
    size: int = 0
    """Bytes; 0 without content."""
    sha256: str = ""
    """Hex; "" where no content is recorded."""
    link: SymbolicLink | None = None
    """Set for a symbolic link."""
    unread: str = ""
    """Of a file whose content is not recorded: why."""
    is_folder: bool = False
    """Whether it is a folder in which nothing is recorded."""

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic link, whose content may be recorded all the same."""
        return self.link is not None

    @property
    def link_target(self) -> str | None:
        """Of a link, as it is written; None where that is absolute, and for anything else."""
        return self.link.target if self.link else None

    @property
    def has_content(self) -> bool:
        """Whether the bytes of a file are recorded, be it behind a link."""
        return bool(self.sha256)

    @property
    def is_file(self) -> bool:
        """Whether a file is there, be it behind a link or unread."""
        return bool(self.sha256 or self.unread)

    def to_json(self) -> dict[str, Any]:
        """{path} and: {size, sha256} for content, {symlink, at?, leads?}, {size, unread}, or {empty: true}."""
        named: dict[str, Any] = {"path": self.path}
        if self.is_folder:
            return {**named, "empty": True}
        if self.link is not None:
            named |= self.link.to_json()
        if self.unread:
            return {**named, "size": self.size, "unread": self.unread}
        return {**named, "size": self.size, "sha256": self.sha256} if self.sha256 else named

    @classmethod
    def from_json(cls, value: Any) -> Item:
        """Raises InvalidRecordFile, ValueError, KeyError or TypeError."""
        path = value["path"]
        if not isinstance(path, str) or path.startswith("/") or "\0" in path or ".." in path.split("/") or not path:
            raise InvalidRecordFile(f"{path!r} is not a path inside a folder")
        if "empty" in value:
            return cls(path, is_folder=True)
        link = SymbolicLink.from_json(value) if "symlink" in value else None
        if link is not None and "size" not in value:
            return cls(path, link=link)
        return cls(path, int(value["size"]), str(value.get("sha256", "")), link, str(value.get("unread", "")))


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file or a folder contains. Made by `of_file` and `of_folder`."""

    is_folder: bool
    items: tuple[Item, ...]
    """In ascending order of paths (by their UTF-8 bytes); a file has one item with the path ""."""
    digests: Mapping[str, str]
    """Algorithm -> digest of the whole artifact. "sha256" (hex) is always there."""
    ignored: Ignored | None = None
    """What was left out of a folder."""

    @classmethod
    def of_file(cls, size: int, sha256: str, vouched: Mapping[str, str] | None = None) -> Contents:
        """The contents of one regular file. `vouched`: digests by other algorithms."""
        return cls(False, (Item("", size, sha256),), _digests(sha256, vouched))

    @classmethod
    def of_folder(
        cls, items: Sequence[Item], vouched: Mapping[str, str] | None = None, ignored: Ignored | None = None
    ) -> Contents:
        """The contents of a folder. Its SHA-256 is that of the canonical JSON (RFC 8785) of its items."""
        sha256 = hashlib.sha256(canonical_json([item.to_json() for item in items])).hexdigest()
        return cls(True, tuple(items), _digests(sha256, vouched), ignored)

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

    @property
    def files(self) -> int:
        """How many files have their content recorded."""
        return sum(item.has_content for item in self.items)

    def has_same_bytes(self, other: Contents) -> bool:
        """Whether both are files or both folders and contain the same, whatever else is said about either."""
        return self.is_folder == other.is_folder and self.sha256 == other.sha256

    def to_json(self) -> dict[str, Any]:
        """{type, size, sha256, files?, ignored?, digests?}: `digests` where a tool vouches for some."""
        described: dict[str, Any] = {"sha256": self.sha256, "size": self.size}
        if self.is_folder:
            described |= {"type": "folder", "files": [item.to_json() for item in self.items]}
            if self.ignored is not None:
                described["ignored"] = self.ignored.to_json()
        else:
            described["type"] = "file"
        return {**described, "digests": self.vouched} if self.vouched else described


def gaps_of(content: Contents) -> list[str]:
    """What the list of a folder does not vouch for, as sentences that name the file."""
    said = [f"{item.path} is not recorded: {item.unread}" for item in content.items if item.unread]
    for item in content.items:
        if item.link is not None and item.link.leads is Leads.OUTSIDE:
            said.append(
                f"the link {item.path} leads out of the artifact and its project; what is behind it is not recorded "
                "(--follow records it)"
            )
        elif item.link is not None and item.link.leads is Leads.NOWHERE:
            said.append(f"the link {item.path} leads nowhere")
    for names in look_alikes(item.path for item in content.items):
        for first, second in pairwise(names):
            said.append(
                f"{first} and {second} differ {difference(first, second)}: where a file system takes both for one, "
                "one of them is lost"
            )
    return said


def _digests(sha256: str, vouched: Mapping[str, str] | None) -> dict[str, str]:
    if vouched and SHA256 in vouched:
        raise ValueError("sha256 is always computed, so no tool can vouch for it")
    return {SHA256: sha256, **(vouched or {})}
