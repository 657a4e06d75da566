"""What a run was given: each input as it was when it was named, and what became of it until the run's end.

Naming an input lists it: sizes, times, inodes. Its content is read at once where that is quick, otherwise by one thread
beside the training. A file that changes before it was read is a gap, and is not recorded with its later content. At the
end each input is listed again: one that changed during the run is recorded before and after, and is a gap.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from notarium.errors import UnreadableArtifact
from notarium.evidence.artifact import Artifact, relative_name
from notarium.evidence.contents import Contents, Item, gaps_of
from notarium.evidence.digest_cache import DigestCache
from notarium.evidence.inventory import Inventory, Selection, hash_path
from notarium.evidence.names import check_name, printable

AT_ONCE_BYTES: Final = 64 * 1024 * 1024
AT_ONCE_FILES: Final = 1000
"""More files, or more bytes, are read in the background."""
_NAMED: Final = 10
"""So many changed files of one input are named."""
_LATE_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Used:
    """An input or output at the end of a run."""

    path: Path
    role: str
    content: Contents | UnreadableArtifact
    """Or why it cannot be recorded."""
    after: Contents | None = None
    """Where it changed during the run."""
    gaps: tuple[str, ...] = ()
    """What is to be said of it, to be preceded by its name."""

    @classmethod
    def now(cls, path: Path, role: str, selection: Selection, cache: DigestCache | None) -> Used:
        """What the run wrote, as it is now."""
        try:
            return cls(path, role, hash_path(path, selection, cache=cache))
        except UnreadableArtifact as error:
            return cls(path, role, error)

    def recorded(self, directory: Path) -> tuple[Artifact | None, list[str], UnreadableArtifact | None]:
        """As a record in `directory` has it: the artifact, or the error that kept it out, and the gaps."""
        name = relative_name(self.path, directory)
        try:
            check_name(directory, name)
            if isinstance(self.content, UnreadableArtifact):
                raise self.content
        except UnreadableArtifact as error:
            return None, [f"{self.role} {printable(name)} is not recorded: {error.reason}"], error
        gaps = [f"{self.role} {name} {gap}" for gap in self.gaps]
        gaps += [f"{self.role} {name}: {gap}" for gap in gaps_of(self.content)]
        return Artifact.of(name, self.role, self.content, self.after), gaps, None


@dataclass(frozen=True, slots=True)
class _Named:
    path: Path
    role: str
    selection: Selection
    inventory: Inventory
    taken_ns: int
    content: Future[Contents]
    gaps: tuple[str, ...]


class Inputs:
    """The inputs of one run."""

    def __init__(self) -> None:
        self._named: dict[tuple[Path, str], _Named | UnreadableArtifact] = {}
        self._reading: ThreadPoolExecutor | None = None

    def name(
        self,
        path: Path,
        role: str,
        selection: Selection,
        *,
        cache: DigestCache | None,
        named_ms: int,
    ) -> None:
        """An input that the run uses from now on. The first time counts. Raises UnreadableArtifact.

        `named_ms`: when it was named, where that was in another process and some time ago.
        """
        if (path, role) in self._named:
            return
        taken_ns = time.time_ns()
        try:
            inventory = Inventory.take(path, selection)
        except UnreadableArtifact as error:
            self._named[path, role] = error
            raise
        read = partial(inventory.contents, cache=cache, threads=1, is_lenient=True)
        content: Future[Contents]
        if inventory.size <= AT_ONCE_BYTES and len(inventory.seen) <= AT_ONCE_FILES:
            content = Future()
            try:
                content.set_result(read())
            except UnreadableArtifact as error:
                content.set_exception(error)
        else:
            # One thread: the cores belong to the training.
            self._reading = self._reading or ThreadPoolExecutor(1, "notarium-input")
            content = self._reading.submit(read)
        gaps = _changed_since(inventory, named_ms * 1_000_000) if taken_ns - named_ms * 1_000_000 > _LATE_NS else ()
        self._named[path, role] = _Named(path, role, selection, inventory, taken_ns, content, gaps)

    def used(self, cache: DigestCache | None) -> Iterator[Used]:
        """Each of them at the end of the run. Waits until all is read."""
        try:
            for (path, role), named in self._named.items():
                if isinstance(named, UnreadableArtifact):
                    yield Used(path, role, named)
                    continue
                try:
                    content = named.content.result()
                except UnreadableArtifact as error:
                    yield Used(path, role, error)
                else:
                    after, gaps = _what_became(named, content, cache)
                    yield Used(path, role, content, after, (*named.gaps, *gaps))
        finally:
            if self._reading is not None:
                self._reading.shutdown(wait=False, cancel_futures=True)


def _what_became(named: _Named, before: Contents, cache: DigestCache | None) -> tuple[Contents | None, Sequence[str]]:
    try:
        now = Inventory.take(named.path, named.selection)
        if now.is_folder != named.inventory.is_folder:
            return None, ["was replaced by something of another kind during the run"]
        after = now.contents(cache=cache, known=_unchanged(named, now, before), is_lenient=True)
    except UnreadableArtifact as error:
        return None, [f"was not there to be compared at the end of the run: {error.reason}"]
    if after.has_same_bytes(before):
        return None, ()
    which = _list(_differing(before, after))
    return after, [f"changed during the run{which}: it is recorded as it was before and after"]


def _unchanged(named: _Named, now: Inventory, before: Contents) -> dict[str, str]:
    """The digests of files that have the same state as then.

    A small file that was new when it was named is read again: a second write within the same tick of the file system's
    clock would leave no other trace.
    """
    then = named.inventory.states
    known = {item.path: item.sha256 for item in before.items if item.sha256}
    return {
        path: known[path]
        for path, state in now.states.items()
        if path in known
        and then.get(path) == state
        and (state.is_settled(named.taken_ns) or now.size > AT_ONCE_BYTES or len(now.seen) > AT_ONCE_FILES)
    }


def _changed_since(inventory: Inventory, named_ns: int) -> tuple[str, ...]:
    late = [path for path, state in inventory.states.items() if max(state.mtime_ns, state.ctime_ns) > named_ns]
    if not late:
        return ()
    return (f"changed after another process of the run named it, and before it was read{_list(late)}",)


def _differing(before: Contents, after: Contents) -> list[str]:
    were: dict[str, Item] = {item.path: item for item in before.items}
    are: dict[str, Item] = {item.path: item for item in after.items}
    return sorted(path for path in were.keys() | are.keys() if were.get(path) != are.get(path))


def _list(paths: Sequence[str]) -> str:
    """The first of them in brackets; nothing for a file, whose path inside itself is ""."""
    named = [path for path in paths if path][:_NAMED]
    more = f", and {len(paths) - len(named)} more" if len(paths) > len(named) else ""
    return f" ({', '.join(named)}{more})" if named else ""
