"""Compares the files of an artifact with its record.

Both may come from a stranger. So the names and sizes are listed first, and only files whose name and size the record
has are read: every other file differs already. Links are followed inside the artifact and its project only, unless the
user wants more, and the listing ends at `MAX_UNNAMED` files and folders that the record does not name.

What counts is content: a link and a file with the same bytes are equal. A link whose content is not recorded is equal
where its target is, and counts as no file.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from notarium.errors import UnreadableArtifact
from notarium.evidence.artifact import Artifact
from notarium.evidence.contents import Contents, Item
from notarium.evidence.digest_cache import DigestCache, FileState
from notarium.evidence.hashing import NOT_REGULAR, OnProgress, hash_files, reason_of
from notarium.evidence.ignore import Rules
from notarium.evidence.links import Boundary, Leads
from notarium.evidence.listing import Listing, Seen
from notarium.evidence.names import difference, folded
from notarium.verifying.locating import is_within
from notarium.verifying.result import Finding, FindingKind

MAX_UNNAMED = 1000
_MAX_PATH_BYTES = 4096
"""No file on the disk has a longer path."""
_EXTRA = "was not part of what was anchored"


@dataclass(frozen=True, slots=True)
class Comparing:
    """How files are read."""

    cache: DigestCache | None = None
    deep: bool = False
    on_progress: OnProgress | None = None
    follow: bool = False
    """Follow links also out of the artifact and its project."""

    def compare(self, artifact: Artifact, location: Path, only: str | None) -> tuple[list[Finding], int]:
        """The differences of one artifact, and how many of its files were compared. `only`: a path inside it."""
        content = artifact.last
        try:
            is_folder = stat.S_ISDIR(location.stat().st_mode)
            if is_folder != artifact.is_folder:
                kind = "folder" if artifact.is_folder else "file"
                return [Finding(FindingKind.CHANGED, str(location), f"was a {kind} and is not one now")], 1
            there = _There(location, content, only, Boundary.around(location, follow=self.follow))
            there.look_at()
        except (FileNotFoundError, NotADirectoryError):
            reason = f"{artifact.role}; not here, so it was not checked"
            return [Finding(FindingKind.ABSENT, str(location), reason)], 0
        except OSError as error:
            return [Finding(FindingKind.UNREADABLE, str(location), reason_of(error))], 0
        findings, same_size = there.differences()
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
            Finding(FindingKind.CHANGED, str(location / path), "same size, other content")
            for path, sha256 in hashed.items()
            if sha256 != there.expected[path].sha256
        ]
        findings += [Finding(FindingKind.UNREADABLE, error.path, error.reason) for error in unreadable]
        findings.sort(key=lambda finding: finding.path)
        return findings, there.compared() - len(unreadable)


class _There:
    """What is in an artifact now, by path inside it, without its content."""

    def __init__(self, location: Path, content: Contents, only: str | None, boundary: Boundary) -> None:
        self.location = location
        at = {item.path: item.link.at for item in content.items if item.link and item.link.at}
        stands_at = {path: place for path, place in at.items() if path != place}
        self._followed = at.keys() - stands_at.keys()
        """Links to folders whose content is recorded below them."""
        # Whoever asks for a link asks for what it leads to.
        self._asked = None if only is None else {only, *(at[path] for path in at if is_within(path, only))} - {"."}
        self.expected = {item.path: item for item in content.items if self._is_asked(item.path)}
        self._copied = {item.path: item for item in content.items if item.path in stands_at.values()}
        self.found: dict[str, Item] = {}
        """Without digests."""
        self.states: dict[str, FileState] = {}
        self.unreadable: dict[str, str] = {}
        """Folder -> why it could not be listed."""
        self.unseen: set[str] = set()
        """Named with content, and not compared."""
        self.files_left = MAX_UNNAMED
        """So many more that the record does not name are listed."""
        # A named file is in as many folders as its path has slashes; a named link or empty folder is one more step.
        named = sum(name.count("/") + (item.link is not None or item.is_folder) for name, item in self.expected.items())
        self.folders_left = MAX_UNNAMED + named
        rules = Rules(content.ignored.patterns if content.ignored else ())
        self._listing = Listing(location, rules, boundary, -1, stands_at)

    def _is_asked(self, path: str) -> bool:
        return self._asked is None or any(is_within(path, each) for each in self._asked)

    @property
    def is_cut(self) -> bool:
        """Whether there is more than was listed."""
        return min(self.files_left, self.folders_left) < 0

    def look_at(self) -> None:
        """List what was asked for. Raises OSError."""
        for inside in sorted(self._asked or ()):
            if os.path.lexists(self.location / inside) and self._is_open(inside):
                self._add(self._listing.look(inside))
        if self._asked is None and self.location.is_dir():
            self._listing.begin()
        elif self._asked is None:
            # The artifact itself may be reached over any link.
            status = self.location.stat()
            is_file = stat.S_ISREG(status.st_mode)
            self._add(Seen(Item("", status.st_size, unread="" if is_file else NOT_REGULAR), FileState.of(status)))
        for seen in self._listing.steps(self._on_error):
            self._add(seen)
            if self.is_cut:
                break

    def _is_open(self, inside: str) -> bool:
        """Whether no link lies on the way to `inside` but those that the record followed."""
        for parent in PurePosixPath(inside).parents:
            place = self.location / parent
            if parent.parts and place.is_symlink():
                real = os.path.realpath(place)
                if str(parent) not in self._followed or not self._listing.boundary.holds(real):
                    return False
        return True

    def _add(self, seen: Seen | None) -> None:
        if seen is None:
            return
        if seen.item is None:
            self.folders_left -= 1
            return
        path = seen.item.path
        self.files_left -= path not in self.expected and not seen.item.is_folder
        if not self.is_cut:
            self.found[path] = seen.item
            if seen.state is not None:
                self.states[path] = seen.state

    def _on_error(self, folder: str, error: OSError) -> None:
        self.unreadable[folder] = reason_of(error)

    def compared(self) -> int:
        """How many files were compared: links without recorded content do not count."""
        named = {name for name, item in self.expected.items() if item.has_content} - self.unseen
        return len(named) + sum(not item.is_folder for name, item in self.found.items() if name not in self.expected)

    def differences(self) -> tuple[list[Finding], list[tuple[str, FileState]]]:
        """What differs without the content, and the files that have to be read."""
        findings: list[Finding] = []
        same_size: list[tuple[str, FileState]] = []
        missing: list[str] = []
        folders = set(self._listing.visited.values())
        for name, item in list(self.expected.items()):
            here = self.found.get(name)
            if here is not None and here.link is None and item.link is not None:
                # A copy of what the link led to, as tools make it, has the same content.
                item = self.expected[name] = self._copied.get(item.link.at or "", item)
            if here is None:
                if name in folders and not item.is_file:
                    # What is in it is compared by itself.
                    continue
                if self.is_cut or any(folder in self.unreadable for folder in _folders_of(name)):
                    self.unseen.add(name)
                else:
                    missing.append(name)
            elif (problem := _difference(item, here)) is not None:
                findings.append(Finding(problem[0], str(self.location / name), problem[1]))
                if problem[0] in _NOT_COMPARED:
                    self.unseen.add(name)
            elif item.has_content:
                same_size.append((name, self.states[name]))
        findings += self._strays(missing)
        findings += [
            Finding(FindingKind.UNREADABLE, str(self.location / folder), reason)
            for folder, reason in self.unreadable.items()
        ]
        if self.is_cut:
            reason = f"and more: over {MAX_UNNAMED} files or folders were not part of what was anchored"
            findings.append(Finding(FindingKind.UNREADABLE, str(self.location), f"{reason}; the rest was not checked"))
        return findings, same_size

    def _strays(self, missing: Sequence[str]) -> list[Finding]:
        """What is gone and what is new. Where one name became the other, each says what distinguishes them."""
        ways = {folder for name in self.expected for folder in _folders_of(name)}
        extra = [name for name in self.found if name not in self.expected]
        extra = [name for name in extra if not (self.found[name].is_folder and name in ways)]
        gone, new = ({folded(name): name for name in names} for names in (missing, extra))
        findings = []
        for name in missing:
            detail = "is gone"
            if self.expected[name].is_folder:
                detail = "an empty folder, is gone; Git and some archives keep no empty folders"
            if (other := new.get(folded(name))) is not None:
                detail = f"is gone; a name that looks like it is here, which differs {difference(name, other)}"
            findings.append(Finding(FindingKind.MISSING, str(self.location / name), detail))
        for name in extra:
            detail = f"an empty folder, {_EXTRA}" if self.found[name].is_folder else _EXTRA
            if (other := gone.get(folded(name))) is not None:
                detail = f"{_EXTRA}; one looked like it, which differs {difference(other, name)}"
            findings.append(Finding(FindingKind.EXTRA, str(self.location / name), detail))
        return findings


_NOT_COMPARED = frozenset({FindingKind.OUTSIDE, FindingKind.ABSENT, FindingKind.UNRECORDED})
_LEADS_OUT = "leads out of the artifact and its project, so it was not checked; --follow checks it"


def _folders_of(name: str) -> Iterator[str]:
    """The folders that lie on the way to `name`, up to the artifact itself, which is ""."""
    while name and len(name) <= _MAX_PATH_BYTES:
        name = name.rpartition("/")[0]
        yield name


def _difference(expected: Item, here: Item) -> tuple[FindingKind, str] | None:
    """What differs without the content, or why the content cannot be compared."""
    if expected.unread:
        return FindingKind.UNRECORDED, f"its content is not recorded: {expected.unread}"
    if expected.is_folder:
        return None if here.is_folder else (FindingKind.CHANGED, "was an empty folder and is not one now")
    if here.link is not None and here.link.leads is not None and expected.has_content:
        if here.link.leads is Leads.OUTSIDE:
            return FindingKind.OUTSIDE, _LEADS_OUT
        if expected.link is not None:
            return FindingKind.ABSENT, "its link leads nowhere, so the content is not here"
        return FindingKind.MISSING, "is a link now, which leads nowhere"
    if expected.has_content:
        return _difference_of_files(expected, here)
    if here.link is None or expected.link is None:
        return FindingKind.CHANGED, "was a link and is not one now"
    is_same = expected.link.target == here.link.target
    if expected.link.at is not None and not (is_same and here.link.leads is Leads.NOWHERE):
        # Where it leads nowhere, that is missing which it led to, and this is said there.
        if expected.link.at == expected.path and here.link.leads is Leads.OUTSIDE:
            return FindingKind.OUTSIDE, _LEADS_OUT
        is_same = expected.link.at == here.link.at
        return None if is_same else (FindingKind.CHANGED, "a link that leads to something else")
    return None if is_same else (FindingKind.CHANGED, "a link with another target")


def _difference_of_files(expected: Item, here: Item) -> tuple[FindingKind, str] | None:
    if here.is_folder:
        return FindingKind.CHANGED, "was a file and is an empty folder now"
    if here.link is not None and here.link.at is not None:
        return FindingKind.CHANGED, f"was a file and is a link to {here.link.at} now"
    if here.unread:
        return FindingKind.CHANGED, "is neither a regular file nor a link now"
    if expected.size != here.size:
        return FindingKind.CHANGED, f"{expected.size} bytes then, {here.size} now"
    return None
