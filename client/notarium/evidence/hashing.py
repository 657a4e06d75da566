"""SHA-256 of files and folders, in parallel (hashlib releases the interpreter lock), with progress and a cache.

Sockets, pipes and devices are refused, because their content is not a fact that can be checked later.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from notarium.errors import UnreadableArtifact
from notarium.evidence.contents import Contents, Item
from notarium.evidence.digest_cache import DigestCache, FileState
from notarium.files import NotRegularFile, open_regular

CHUNK_BYTES = 1024 * 1024
MAX_THREADS = 8
NOT_REGULAR = "neither a regular file nor a folder; leave it out"


@dataclass(frozen=True, slots=True)
class HashingProgress:
    """How far hashing is."""

    files_done: int
    files: int
    bytes_done: int
    bytes: int


OnProgress = Callable[[HashingProgress], None]
_Hashed = tuple[int, str | UnreadableArtifact]


def hash_path(
    path: Path,
    *,
    cache: DigestCache | None = None,
    deep: bool = False,
    on_progress: OnProgress | None = None,
    threads: int | None = None,
) -> Contents:
    """The contents of the file or folder at `path`. Raises UnreadableArtifact.

    `deep` reads every byte even where the cache knows the file. `threads`: default one for each core, at most 8.
    """
    try:
        # The artifact itself may be reached over a link; the links inside it are not followed.
        status = path.stat()
    except OSError as error:
        raise UnreadableArtifact(str(path), reason_of(error)) from error
    if stat.S_ISDIR(status.st_mode):
        files, links = _walk(path)
        hashed = hash_files(path, files, cache=cache, deep=deep, on_progress=on_progress, threads=threads)
        return Contents.of_folder(sorted([*hashed, *links], key=lambda item: item.path.encode()))
    [item] = hash_files(path, [""], cache=cache, deep=deep, on_progress=on_progress, threads=1)
    return Contents.of_file(item.size, item.sha256)


def hash_files(
    root: Path,
    names: Sequence[str],
    *,
    cache: DigestCache | None = None,
    deep: bool = False,
    on_progress: OnProgress | None = None,
    threads: int | None = None,
    unreadable: list[UnreadableArtifact] | None = None,
) -> list[Item]:
    """The files `root`/`name` with their digests, in order. Raises UnreadableArtifact for the first unreadable one.

    `unreadable`: where it is given, it gets these errors instead, and the other files are hashed.
    """
    began_ns = time.time_ns()
    readable = [(name, state) for name in names if (state := _state_or_error(root / name, unreadable))]
    names, states = [name for name, _ in readable], [state for _, state in readable]
    known: dict[int, str] = {}
    if cache is not None and not deep:
        known = {number: found for number, found in enumerate(cache.get_many(states)) if found is not None}
    total = sum(state.size for state in states)
    done_files, done_bytes = len(known), sum(states[number].size for number in known)
    todo = [number for number in range(len(names)) if number not in known]

    def work(number: int) -> _Hashed:
        try:
            return number, _hash_file(root / names[number], states[number])
        except UnreadableArtifact as error:
            if unreadable is None:
                raise
            return number, error

    if on_progress:
        on_progress(HashingProgress(done_files, len(names), done_bytes, total))
    fresh: dict[int, str] = {}
    with ThreadPoolExecutor(threads or min(MAX_THREADS, os.cpu_count() or 1), "notarium-hash") as pool:
        for number, result in _finish_all(pool.map(work, todo), pool):
            if isinstance(result, str):
                fresh[number] = result
            elif unreadable is not None:
                unreadable.append(result)
            done_files, done_bytes = done_files + 1, done_bytes + states[number].size
            if on_progress:
                on_progress(HashingProgress(done_files, len(names), done_bytes, total))
    if cache is not None:
        cache.put_many([(states[number], sha256) for number, sha256 in fresh.items()], began_ns)
    known |= fresh
    return [Item(name, states[number].size, known[number]) for number, name in enumerate(names) if number in known]


def _finish_all(results: Iterator[_Hashed], pool: ThreadPoolExecutor) -> Iterator[_Hashed]:
    """`results`, but the first error cancels what is still queued instead of hashing on for hours."""
    try:
        yield from results
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise


def _walk(root: Path) -> tuple[list[str], list[Item]]:
    files: list[str] = []
    links: list[Item] = []
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(root / folder) as entries:
                for entry in entries:
                    name = f"{folder}/{entry.name}" if folder else entry.name
                    check_name(root, name)
                    if entry.is_symlink():
                        target = os.readlink(entry.path)
                        check_name(root, target)
                        links.append(Item.link(name, target))
                    elif entry.is_dir(follow_symlinks=False):
                        folders.append(name)
                    else:
                        files.append(name)
        except OSError as error:
            raise UnreadableArtifact(str(root / folder), reason_of(error)) from error
    return sorted(files, key=str.encode), links


def check_name(root: Path, name: str) -> None:
    """Raise UnreadableArtifact for a name in `root` that is not UTF-8: record is JSON and cannot hold it."""
    try:
        name.encode()
    except UnicodeEncodeError as error:
        shown = name.encode(errors="surrogateescape").decode(errors="replace")
        raise UnreadableArtifact(str(root / shown), "its name is not UTF-8; rename it") from error


def _state_or_error(path: Path, unreadable: list[UnreadableArtifact] | None) -> FileState | None:
    """None where it cannot be read and `unreadable` got the error."""
    try:
        return _state(path)
    except UnreadableArtifact as error:
        if unreadable is None:
            raise
        unreadable.append(error)
        return None


def _state(path: Path) -> FileState:
    try:
        status = path.stat()
    except OSError as error:
        raise UnreadableArtifact(str(path), reason_of(error)) from error
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableArtifact(str(path), NOT_REGULAR)
    return FileState.of(status)


def _hash_file(path: Path, expected: FileState) -> str:
    digest = hashlib.sha256()
    try:
        with os.fdopen(open_regular(path), "rb", buffering=0) as file:
            buffer = memoryview(bytearray(min(CHUNK_BYTES, max(expected.size, 1))))
            size = 0
            # Files as in /proc claim to be empty and may have no end: one byte too many is enough to know.
            while size <= expected.size and (count := file.readinto(buffer)):
                digest.update(buffer[:count])
                size += count
            if size != expected.size or FileState.of(os.fstat(file.fileno())) != expected:
                raise UnreadableArtifact(
                    str(path), "changed while it was being hashed; try again when nothing writes to it"
                )
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
