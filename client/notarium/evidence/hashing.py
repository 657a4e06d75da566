"""SHA-256 of files and folders, in parallel (hashlib releases the interpreter lock), with progress and a cache.

Sockets, pipes and devices are refused, because their content is not a fact that can be checked later.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from notarium.errors import UnreadableArtifact
from notarium.evidence.digest_cache import DigestCache, FileState
from notarium.files import NotRegularFile, open_regular

CHUNK_BYTES = 1024 * 1024
REPORT_BYTES = 16 * CHUNK_BYTES
"""Inside a long file, progress is reported each time that so many bytes were read."""
MAX_THREADS = 8
NOT_REGULAR = "neither a regular file nor a folder; leave it out"
CHANGED = "changed while it was being hashed; try again when nothing writes to it"


@dataclass(frozen=True, slots=True)
class HashingProgress:
    """How far hashing is."""

    files_done: int
    files: int
    bytes_done: int
    bytes: int


OnProgress = Callable[[HashingProgress], None]
"""Called by any thread, one at a time."""
Hashable = tuple[str, FileState]
"""A file by its path below a folder, and what the file system said about it when it was listed."""
_Hashed = tuple[int, str | UnreadableArtifact]


def hash_files(
    root: Path,
    files: Sequence[Hashable],
    *,
    cache: DigestCache | None = None,
    deep: bool = False,
    on_progress: OnProgress | None = None,
    threads: int | None = None,
    unreadable: list[UnreadableArtifact] | None = None,
) -> dict[str, str]:
    """The digests of the files below `root`. Raises UnreadableArtifact for the first that is not as it was listed.

    `deep` reads every byte even where the cache knows the file. `threads`: default one for each core, at most 8.
    `unreadable`: where it is given, it gets these errors instead, and the other files are hashed.
    """
    began_ns = time.time_ns()
    known: dict[int, str] = {}
    if cache is not None and not deep:
        found = cache.get_many([state for _, state in files])
        known = {number: digest for number, digest in enumerate(found) if digest is not None}
    todo = [number for number in range(len(files)) if number not in known]
    progress = _Progress(on_progress, len(files), sum(state.size for _, state in files))
    progress.add(len(known), sum(files[number][1].size for number in known))

    def work(number: int) -> _Hashed:
        name, state = files[number]
        try:
            digest = _hash_file(root / name, state, progress)
        except UnreadableArtifact as error:
            if unreadable is None:
                raise
            return number, error
        progress.add(1, 0)
        return number, digest

    fresh: dict[int, str] = {}
    with ThreadPoolExecutor(threads or min(MAX_THREADS, os.cpu_count() or 1), "notarium-hash") as pool:
        for number, result in _finish_all(pool.map(work, todo), pool):
            if isinstance(result, str):
                fresh[number] = result
            elif unreadable is not None:
                unreadable.append(result)
    if cache is not None:
        cache.put_many([(files[number][1], sha256) for number, sha256 in fresh.items()], began_ns)
    known |= fresh
    return {files[number][0]: known[number] for number in sorted(known)}


class _Progress:
    """Counts what several threads have read."""

    def __init__(self, report: OnProgress | None, files: int, size: int) -> None:
        self._report, self._files, self._size = report, files, size
        self._files_done = self._bytes_done = self._unsaid = 0
        self._lock = threading.Lock()

    def add(self, files: int, size: int) -> None:
        with self._lock:
            self._files_done += files
            self._bytes_done += size
            self._unsaid += size
            if self._report is not None and (files or not self._bytes_done or self._unsaid >= REPORT_BYTES):
                self._unsaid = 0
                self._report(HashingProgress(self._files_done, self._files, self._bytes_done, self._size))


def _finish_all(results: Iterator[_Hashed], pool: ThreadPoolExecutor) -> Iterator[_Hashed]:
    """`results`, but the first error cancels what is still queued instead of hashing on for hours."""
    try:
        yield from results
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise


def _hash_file(path: Path, expected: FileState, progress: _Progress) -> str:
    digest = hashlib.sha256()
    try:
        descriptor = open_regular(path)
        try:
            if FileState.of(os.fstat(descriptor)) != expected:
                raise UnreadableArtifact(str(path), "changed after it was named and before it was hashed")
            buffer = memoryview(bytearray(min(CHUNK_BYTES, max(expected.size, 1))))
            size = 0
            # Files as in /proc claim to be empty and may have no end: one byte too many is enough to know.
            while size <= expected.size and (count := os.readv(descriptor, [buffer])):
                digest.update(buffer[:count])
                size += count
                progress.add(0, count)
            if size != expected.size or FileState.of(os.fstat(descriptor)) != expected:
                raise UnreadableArtifact(str(path), CHANGED)
        finally:
            os.close(descriptor)
    except NotRegularFile as error:
        raise UnreadableArtifact(str(path), NOT_REGULAR) from error
    except OSError as error:
        raise UnreadableArtifact(str(path), reason_of(error)) from error
    return digest.hexdigest()


def reason_of(error: OSError) -> str:
    """Why a file or folder cannot be read, in words."""
    if isinstance(error, FileNotFoundError):
        return "does not exist"
    if isinstance(error, PermissionError):
        return "is not readable by this user; check its permissions"
    return error.strerror or str(error)
