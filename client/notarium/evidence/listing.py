"""What is in a folder: its files, links and empty folders, without what is left out, and without reading a file.

Links are followed where they lead into the artifact or its project (`links.py`). What is in a folder is listed once: a
further link to it names the place where its content stands. So circles and mazes of links have an end.

The folder may come from a stranger, so the listing goes step by step: whoever has seen enough stops.
"""

from __future__ import annotations

import heapq
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from notarium.errors import UnreadableArtifact
from notarium.evidence.contents import Item
from notarium.evidence.digest_cache import FileState
from notarium.evidence.hashing import NOT_REGULAR
from notarium.evidence.ignore import DEFAULTS, IGNORE_FILE, NAMED, Ignored, Rules, read_patterns
from notarium.evidence.links import Boundary, Leads, SymbolicLink
from notarium.evidence.names import printable
from notarium.files import read_regular
from notarium.naming import FOLDER

MAX_IGNORE_BYTES: Final = 64 * 1024

OnError = Callable[[str, OSError], None]
"""Gets a folder that cannot be listed, by its path in the artifact."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One step of a listing."""

    item: Item | None
    """Without its digest. None for a folder or a link that was met: it follows when the others are listed."""
    state: FileState | None = None
    """Of a regular file."""


@dataclass(frozen=True, slots=True)
class _Met:
    """A link that is followed."""

    path: str
    target: str | None
    real: str
    status: os.stat_result


@dataclass(slots=True)
class Listing:
    """A folder that is being listed. Use it once."""

    root: Path
    rules: Rules
    boundary: Boundary
    excludes: int = 0
    """How many of the last rules stay the last; -1: the ignore files inside are not read."""
    stands_at: Mapping[str, str] = field(default_factory=dict)
    """Links that are not followed, because their content stands at another place of the artifact."""
    visited: dict[str, str] = field(default_factory=dict)
    """Real path -> path in the artifact, of each folder whose content is listed."""
    left_out: list[str] = field(default_factory=list)
    count_left_out: int = 0
    _folders: list[tuple[str, str]] = field(default_factory=list)
    """Path in the artifact and real path of folders that wait to be listed; the last is next."""
    _links: list[tuple[bytes, _Met]] = field(default_factory=list)
    """A heap by paths of links that are followed. They wait until every folder is listed that needs no link."""
    _followed: set[str] = field(default_factory=set)
    _real_folders: dict[str, str] = field(default_factory=dict)

    def begin(self) -> None:
        """Put the whole artifact on the list of what is to be listed."""
        self._folders.append(("", os.path.realpath(self.root)))

    def look(self, path: str) -> Seen | None:
        """One file, link or folder by its path; what a folder contains comes in `steps`. Raises OSError."""
        place = str(self.root / path)
        status = os.lstat(place)
        if stat.S_ISLNK(status.st_mode):
            return self._link(path, place, os.path.realpath(os.path.dirname(place)))
        if not stat.S_ISDIR(status.st_mode):
            return _seen(path, status, None)
        self._folders.append((path, os.path.realpath(place)))
        return Seen(None)

    def steps(self, on_error: OnError) -> Iterator[Seen]:
        """All that is in what was put on the list. Raises UnreadableArtifact for an ignore file."""
        while self._folders or self._links:
            while self._folders:
                yield from self._folder(*self._folders.pop(), on_error)
            if self._links:
                yield self._follow(heapq.heappop(self._links)[1])

    def ignored(self) -> Ignored:
        """What was left out, so far."""
        return Ignored(self.rules.patterns, tuple(sorted(map(printable, self.left_out))), self.count_left_out)

    def _folder(self, folder: str, real: str, on_error: OnError) -> Iterator[Seen]:
        self.visited[real] = folder
        if self.excludes >= 0:
            self._read_ignore_file(folder)
        is_empty = True
        found: list[tuple[str, str]] = []
        try:
            with os.scandir(self.root / folder) as entries:
                for entry in entries:
                    path = f"{folder}/{entry.name}" if folder else entry.name
                    seen = self._entry(path, entry, f"{real.rstrip('/')}/{entry.name}", found)
                    if seen is not None:
                        is_empty = False
                        yield seen
        except OSError as error:
            on_error(folder, error)
            return
        self._folders += sorted(found, key=lambda each: os.fsencode(each[0]), reverse=True)
        if is_empty and folder and folder not in self._followed:
            yield Seen(Item(folder, is_folder=True))

    def _entry(self, path: str, entry: os.DirEntry[str], real: str, folders: list[tuple[str, str]]) -> Seen | None:
        """None where it is left out. Raises OSError."""
        if entry.is_symlink():
            return self._link(path, entry.path, real.rpartition("/")[0])
        is_folder = entry.is_dir(follow_symlinks=False)
        if self._is_left_out(path, is_folder):
            return None
        if is_folder:
            folders.append((path, real))
            return Seen(None)
        return _seen(path, entry.stat(follow_symlinks=False), None)

    def _link(self, path: str, place: str, folder: str) -> Seen | None:
        """`folder`: the real path of the one that the link lies in."""
        written, status = os.readlink(place), None
        target = None if os.path.isabs(written) else written
        # It leads nowhere, or in a circle, or through a folder that is closed to this user.
        with suppress(OSError):
            status = os.stat(place)
        is_folder = status is not None and stat.S_ISDIR(status.st_mode)
        if self._is_left_out(path, is_folder):
            return None
        if status is None:
            return Seen(Item(path, link=SymbolicLink(target, leads=Leads.NOWHERE)))
        real = self._real(os.path.join(folder, written))
        if path not in self.stands_at and not self.boundary.holds(real):
            return Seen(Item(path, link=SymbolicLink(target, leads=Leads.OUTSIDE)))
        heapq.heappush(self._links, (os.fsencode(path), _Met(path, target, real, status)))
        return Seen(None)

    def _real(self, place: str) -> str:
        """As os.path.realpath, which asks for each folder on the way again for each link into it."""
        above, name = os.path.split(place)
        if name in ("", ".", "..") or os.path.islink(place):
            return os.path.realpath(place)
        real = self._real_folders.get(above)
        if real is None:
            real = self._real_folders[above] = os.path.realpath(above)
        return os.path.join(real, name)

    def _follow(self, link: _Met) -> Seen:
        at = self.stands_at.get(link.path)
        if at is not None:
            is_there = os.path.realpath(self.root / at) == link.real
            return Seen(Item(link.path, link=SymbolicLink(link.target, at if is_there else None)))
        at = self._listed_at(link)
        if at is None and stat.S_ISDIR(link.status.st_mode):
            at = link.path
            self._followed.add(at)
            self._folders.append((at, link.real))
        return (
            _seen(link.path, link.status, SymbolicLink(link.target))
            if at is None
            else Seen(Item(link.path, link=SymbolicLink(link.target, at)))
        )

    def _listed_at(self, link: _Met) -> str | None:
        """Where that is listed which the link leads to."""
        if stat.S_ISDIR(link.status.st_mode):
            folder = self.visited.get(link.real)
            return None if folder is None else folder or "."
        above, _, name = link.real.rpartition("/")
        folder = self.visited.get(above or "/")
        path = f"{folder}/{name}" if folder else name
        return None if folder is None or self.rules.leave_out(path, False) else path

    def _is_left_out(self, path: str, is_folder: bool) -> bool:
        if not self.rules.leave_out(path, is_folder):
            return False
        self.count_left_out += 1
        if len(self.left_out) < NAMED:
            self.left_out.append(f"{path}/" if is_folder else path)
        return True

    def _read_ignore_file(self, folder: str) -> None:
        place = self.root / folder / IGNORE_FILE
        text = read_ignore_file(place)
        if text:
            try:
                self.rules = self.rules.with_file(text, folder, self.excludes)
            except ValueError as error:
                raise UnreadableArtifact(str(place), f"not usable: {error}") from error


def read_ignore_file(place: Path) -> str:
    """Its text, or "" where no such file is. Raises UnreadableArtifact."""
    try:
        data = read_regular(place, MAX_IGNORE_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        raise UnreadableArtifact(str(place), f"not usable: {error.strerror or error}") from error
    if len(data) > MAX_IGNORE_BYTES:
        raise UnreadableArtifact(str(place), f"not usable: it has more than {MAX_IGNORE_BYTES} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise UnreadableArtifact(str(place), "not usable: it is not UTF-8") from error


def rules_for(root: Path, exclude: Sequence[str]) -> Rules:
    """The defaults, what the ignore files of the project above `root` say about it, and `exclude`.

    Raises UnreadableArtifact for an ignore file.
    """
    return Rules([*DEFAULTS, *_above(Path(os.path.realpath(root))), *exclude])


def _above(root: Path) -> list[str]:
    """From the project's folder down to the one that `root` lies in; the ignore file of `root` itself is read later."""
    if (root / FOLDER).exists():
        return []
    way: list[Path] = []
    for folder in root.parents:
        way.append(folder)
        if (folder / FOLDER).exists():
            break
    else:
        return []
    found: list[str] = []
    for folder in reversed(way):
        place = folder / IGNORE_FILE
        try:
            patterns = read_patterns(read_ignore_file(place))
        except ValueError as error:
            raise UnreadableArtifact(str(place), f"not usable: {error}") from error
        inside = root.relative_to(folder).parts
        found += [written for each in patterns if (written := each.inside(inside)) is not None]
    return found


def _seen(path: str, status: os.stat_result, link: SymbolicLink | None) -> Seen:
    if not stat.S_ISREG(status.st_mode):
        return Seen(Item(path, link=link, unread=NOT_REGULAR))
    return Seen(Item(path, status.st_size, link=link), FileState.of(status))
