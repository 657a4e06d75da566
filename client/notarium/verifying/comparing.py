"""Compares the files of an artifact with its record.

Both may come from a stranger. So the names and sizes are listed first, and only files whose name and size the record
has are read: every other file differs already. Links are not followed, and the listing ends at `MAX_UNNAMED` files and
folders that the record does not name.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from notarium.errors import UnreadableArtifact
from notarium.evidence.artifact import Artifact
from notarium.evidence.contents import Item
from notarium.evidence.digest_cache import DigestCache
from notarium.evidence.hashing import OnProgress, hash_files, reason_of
from notarium.verifying.locating import is_behind_link, is_within
from notarium.verifying.result import Finding, FindingKind

MAX_UNNAMED = 1000
_MAX_PATH_BYTES = 4096
"""No file on the disk has a longer path."""


@dataclass(frozen=True, slots=True)
class Comparing:
    """How files are read."""

    cache: DigestCache | None = None
    deep: bool = False
    on_progress: OnProgress | None = None

    def compare(self, artifact: Artifact, location: Path, only: str | None) -> tuple[list[Finding], int]:
        """The differences of one artifact, and how many of its files were compared. `only`: a path inside it."""
        try:
            is_folder = stat.S_ISDIR(location.stat().st_mode)
            if is_folder != artifact.is_folder:
                kind = "folder" if artifact.is_folder else "file"
                return [Finding(FindingKind.CHANGED, str(location), f"was a {kind} and is not one now")], 1
            expected = {item.path: item for item in artifact.items if is_within(item.path, only)}
            listing = _Listing(location, expected)
            listing.add(only or "")
        except (FileNotFoundError, NotADirectoryError):
            reason = f"{artifact.role}; not here, so it was not checked"
            return [Finding(FindingKind.ABSENT, str(location), reason)], 0
        except OSError as error:
            return [Finding(FindingKind.UNREADABLE, str(location), reason_of(error))], 0
        findings, same_size = listing.differences()
        unreadable: list[UnreadableArtifact] = []
        hashed = hash_files(
            location,
            same_size,
            cache=self.cache,
            deep=self.deep,
            on_progress=self.on_progress,
            unreadable=unreadable,
        )
        findings += [
            Finding(FindingKind.CHANGED, str(location / item.path), "same size, other content")
            for item in hashed
            if item.sha256 != expected[item.path].sha256
        ]
        unread = len(unreadable) + len(listing.unseen)
        findings += [Finding(FindingKind.UNREADABLE, error.path, error.reason) for error in unreadable]
        findings.sort(key=lambda finding: finding.path)
        return findings, len(expected.keys() | listing.found.keys()) - unread


@dataclass(slots=True)
class _Listing:
    """What is in an artifact, by path inside it, without its content."""

    location: Path
    expected: Mapping[str, Item]
    found: dict[str, Item | None] = field(default_factory=dict)
    """Without digests; None for a pipe, a socket or a device."""
    unreadable: dict[str, str] = field(default_factory=dict)
    """Folder -> why it could not be listed."""
    files_left: int = field(init=False)
    """So many more that the record does not name are listed."""
    folders_left: int = field(init=False)
    unseen: set[str] = field(default_factory=set)
    """Named, and it is not known whether they are there."""

    def __post_init__(self) -> None:
        self.files_left = MAX_UNNAMED
        # A named file is in as many folders as its path has slashes.
        self.folders_left = MAX_UNNAMED + sum(name.count("/") for name in self.expected)

    @property
    def is_cut(self) -> bool:
        """Whether there is more than was listed."""
        return min(self.files_left, self.folders_left) < 0

    def add(self, inside: str) -> None:
        """List `inside`, a path inside the artifact, or "" for all of it. Raises OSError."""
        place = self.location / inside
        if inside and (not os.path.lexists(place) or is_behind_link(self.location, inside)):
            return
        # The artifact itself may be reached over a link; the links inside it are not followed.
        status = place.lstat() if inside else place.stat()
        if not stat.S_ISDIR(status.st_mode):
            self.found[inside] = _item(inside, place, status)
            return
        folders = [inside]
        while folders and not self.is_cut:
            folder = folders.pop()
            try:
                folders += self._list(folder)
            except OSError as error:
                self.unreadable[folder] = reason_of(error)

    def _list(self, folder: str) -> list[str]:
        """Add what is in `folder`, except its folders, which are returned. Raises OSError."""
        folders: list[str] = []
        with os.scandir(self.location / folder) as entries:
            for entry in entries:
                name = f"{folder}/{entry.name}" if folder else entry.name
                is_folder = entry.is_dir(follow_symlinks=False)
                self.folders_left -= is_folder
                self.files_left -= not is_folder and name not in self.expected
                if self.is_cut:
                    break
                if is_folder:
                    folders.append(name)
                else:
                    self.found[name] = _item(name, self.location / name, entry.stat(follow_symlinks=False))
        return folders

    def differences(self) -> tuple[list[Finding], list[str]]:
        """What differs in name, kind or size, and the files that have to be read."""
        findings: list[Finding] = []
        same_size: list[str] = []
        for name, item in self.expected.items():
            if name not in self.found:
                if self.is_cut or any(folder in self.unreadable for folder in _folders_of(name)):
                    self.unseen.add(name)
                else:
                    findings.append(Finding(FindingKind.MISSING, str(self.location / name), "is gone"))
            elif difference := _difference(item, self.found[name]):
                findings.append(Finding(FindingKind.CHANGED, str(self.location / name), difference))
            elif not item.is_link:
                same_size.append(name)
        findings += [
            Finding(FindingKind.EXTRA, str(self.location / name), "was not part of what was anchored")
            for name in self.found.keys() - self.expected.keys()
        ]
        findings += [
            Finding(FindingKind.UNREADABLE, str(self.location / folder), reason)
            for folder, reason in self.unreadable.items()
        ]
        if self.is_cut:
            reason = f"and more: over {MAX_UNNAMED} files or folders were not part of what was anchored"
            findings.append(Finding(FindingKind.UNREADABLE, str(self.location), f"{reason}; the rest was not checked"))
        return findings, same_size


def _folders_of(name: str) -> Iterator[str]:
    """The folders that lie on the way to `name`, up to the artifact itself, which is ""."""
    while name and len(name) <= _MAX_PATH_BYTES:
        name = name.rpartition("/")[0]
        yield name


def _item(name: str, place: Path, status: os.stat_result) -> Item | None:
    """Without its digest; None where it is neither a file nor a link. Raises OSError."""
    if stat.S_ISLNK(status.st_mode):
        return Item.link(name, os.readlink(place))
    return Item(name, status.st_size, "") if stat.S_ISREG(status.st_mode) else None


def _difference(expected: Item, found: Item | None) -> str:
    """What differs without the content, or ""."""
    if found is None:
        return "is neither a regular file nor a link now"
    if expected.link_target != found.link_target:
        return "a link with another target, or not a link any more"
    if expected.size != found.size:
        return f"{expected.size} bytes then, {found.size} now"
    return ""
