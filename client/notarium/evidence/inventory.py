"""An artifact as the file system shows it at one moment: what a run used is what was there when it was named.

An inventory is taken at once; its content may be read later. A file that is no longer as it was then is not recorded
with the content that it got since.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from notarium.errors import UnreadableArtifact
from notarium.evidence.contents import Contents, Item
from notarium.evidence.digest_cache import DigestCache, FileState
from notarium.evidence.hashing import NOT_REGULAR, OnProgress, hash_files, reason_of
from notarium.evidence.ignore import Ignored, check_exclude
from notarium.evidence.links import Boundary
from notarium.evidence.listing import Listing, Seen, rules_for
from notarium.evidence.names import check_name


@dataclass(frozen=True, slots=True)
class Selection:
    """What of a folder belongs to the artifact, where that is not the usual."""

    exclude: tuple[str, ...] = ()
    """Patterns as in `.notariumignore`; they decide last."""
    follow: bool = False
    """Follow links also out of the artifact and its project."""

    @classmethod
    def of(cls, exclude: Sequence[str], follow: bool) -> Selection:
        """Raises ProjectError for a pattern that nobody can use."""
        check_exclude(exclude)
        return cls(tuple(exclude), follow)


@dataclass(frozen=True, slots=True)
class Inventory:
    """What was in an artifact when it was taken."""

    root: Path
    is_folder: bool
    seen: tuple[Seen, ...]
    """In ascending order of paths."""
    ignored: Ignored | None = None

    @classmethod
    def take(cls, root: Path, selection: Selection = Selection()) -> Inventory:
        """Of the file or folder at `root`. Raises UnreadableArtifact."""
        try:
            # The artifact itself may be reached over any link.
            status = root.stat()
        except OSError as error:
            raise UnreadableArtifact(str(root), reason_of(error)) from error
        if stat.S_ISREG(status.st_mode):
            return cls(root, False, (Seen(Item("", status.st_size), FileState.of(status)),))
        if not stat.S_ISDIR(status.st_mode):
            raise UnreadableArtifact(str(root), NOT_REGULAR)
        boundary = Boundary.around(root, follow=selection.follow)
        listing = Listing(root, rules_for(root, selection.exclude), boundary, len(selection.exclude))
        listing.begin()
        seen = [each for each in listing.steps(partial(_refuse, root)) if each.item is not None]
        for each in seen:
            check_names(root, each)
        seen.sort(key=_path_bytes)
        return cls(root, True, tuple(seen), listing.ignored())

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(each.state.size for each in self.seen if each.state)

    @property
    def states(self) -> dict[str, FileState]:
        """Of its files, by their paths."""
        return {each.item.path: each.state for each in self.seen if each.item and each.state}

    def contents(
        self,
        *,
        cache: DigestCache | None = None,
        deep: bool = False,
        on_progress: OnProgress | None = None,
        threads: int | None = None,
        is_lenient: bool = False,
        known: Mapping[str, str] | None = None,
    ) -> Contents:
        """With the digests of its files. Raises UnreadableArtifact for one that is not as it was when it was listed.

        `is_lenient`: a file of a folder that cannot be read is recorded with the reason instead. `known`: digests of
        files that need not be read. See `hash_files` for the others.
        """
        known = known or {}
        unreadable: list[UnreadableArtifact] | None = [] if is_lenient and self.is_folder else None
        todo = [(path, state) for path, state in self.states.items() if path not in known]
        found = hash_files(
            self.root,
            todo,
            cache=cache,
            deep=deep,
            on_progress=on_progress,
            threads=threads,
            unreadable=unreadable,
        )
        digests = {**known, **found}
        reasons = {each.path: each.reason for each in unreadable or ()}
        items = [self._item(each, digests, reasons, is_lenient) for each in self.seen]
        if not self.is_folder:
            return Contents.of_file(items[0].size, items[0].sha256)
        return Contents.of_folder(items, ignored=self.ignored)

    def _item(self, seen: Seen, digests: Mapping[str, str], reasons: Mapping[str, str], is_lenient: bool) -> Item:
        item = seen.item or Item("")
        if item.unread and not is_lenient:
            raise UnreadableArtifact(str(self.root / item.path), item.unread)
        if seen.state is None:
            return item
        digest = digests.get(item.path, "")
        return replace(item, sha256=digest, unread="" if digest else reasons[str(self.root / item.path)])


def hash_path(
    path: Path,
    selection: Selection = Selection(),
    *,
    cache: DigestCache | None = None,
    deep: bool = False,
    on_progress: OnProgress | None = None,
    threads: int | None = None,
) -> Contents:
    """The contents of the file or folder at `path`, as it is now. Raises UnreadableArtifact."""
    taken = Inventory.take(path, selection)
    return taken.contents(cache=cache, deep=deep, on_progress=on_progress, threads=threads)


def check_names(root: Path, seen: Seen) -> None:
    """Raise UnreadableArtifact where a record cannot hold the name of what was seen, or the target of a link."""
    if seen.item is not None:
        check_name(root, seen.item.path)
        if seen.item.link is not None:
            check_name(root, seen.item.link.target or "")


def _refuse(root: Path, folder: str, error: OSError) -> None:
    raise UnreadableArtifact(str(root / folder), reason_of(error)) from error


def _path_bytes(seen: Seen) -> bytes:
    return seen.item.path.encode() if seen.item else b""
