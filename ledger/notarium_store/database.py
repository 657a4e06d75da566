"""LevelDB with named errors, without knowledge of the ledger. The only file that imports plyvel.

One thread writes at a time; any thread may read. A failed write may leave half a record at the end of LevelDB's log,
and the next recovery would lose what was written after it. Therefore nothing is written after a failed write until
`reopen` has read the log again.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import plyvel

from notarium_store import keys
from notarium_store.errors import StoreCorruption, StoreError, StoreFull, StoreLocked

BLOOM_BITS = 10
MAX_OPEN_FILES = 138
"""LevelDB reserves ten and maps up to that many other tables of MAX_FILE_BYTES into memory.

Measured with a million entries and random reads all over the log: 138 files leave 130 MB resident, and a lookup of an
id takes 6 µs. 74 files: 85 MB and 15 µs. 512 files: 400 MB and 5 µs. Opening a table costs more than ten lookups in an
open one.
"""
MAX_FILE_BYTES = 2 * 1024 * 1024
REOPEN_SPARE_BYTES = 256 * 1024
"""Room for a new manifest and log, in addition to what recovery writes from the old log."""
PAGE_PAIRS = 4096
"""Pairs read at a time where there may be very many."""

Item = tuple[bytes, bytes]


class Database:
    """An open LevelDB directory."""

    def __init__(self, path: Path, *, cache_bytes: int, write_buffer_bytes: int, min_free_bytes: int) -> None:
        """Open or create. Raises StoreLocked, StoreCorruption, StoreFull or StoreError."""
        self.path = path
        self._cache_bytes = cache_bytes
        self._write_buffer_bytes = write_buffer_bytes
        self.min_free_bytes = min_free_bytes
        """With less, nothing is written."""
        self.timed: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext
        """Surrounds each synced write; whoever runs the store may measure it."""
        self._write_lock = threading.RLock()
        # Held while the handle is used or replaced: closing LevelDB during a read is undefined behaviour.
        self._handle_lock = threading.RLock()
        self.failed = False
        """Whether a write failed since the directory was opened. Only `reopen` makes it writable again."""
        self.damage = ""
        """The first damage found, with its remedy; "" while no damage is known. `reopen` does not repair it."""
        path.mkdir(parents=True, exist_ok=True)
        if not (path / "CURRENT").exists() and any(path.glob("*.ldb")):
            raise StoreCorruption(path, "LevelDB tables are present, but the file CURRENT is missing")
        self._db: plyvel.DB | None = self._open()

    def close(self) -> None:
        """Release the directory. Closing twice is harmless."""
        with self._write_lock, self._handle_lock:
            if self._db is not None:
                self._db.close()
                self._db = None

    def get(self, key: bytes) -> bytes | None:
        """The value of `key`, or None."""
        # _reading inlined for speed: each new entry is looked up here once.
        with self._handle_lock:
            if self._db is None:
                raise StoreError(self.path, "the store is closed")
            try:
                return self._db.get(key, verify_checksums=True)
            except (plyvel.CorruptionError, plyvel.IOError) as error:
                raise self.corruption(f"reading {keys.describe(key)}: {_message(error)}") from error

    def require(self, key: bytes) -> bytes:
        """The value of a key that must exist. Raises StoreCorruption."""
        value = self.get(key)
        if value is None:
            raise self.corruption(f"{keys.describe(key)} is missing")
        return value

    def seek(self, start: bytes, prefix: bytes) -> Item | None:
        """The least key ≥ `start` that begins with `prefix`, with its value, or None."""
        with (
            self._reading(start) as db,
            contextlib.closing(db.iterator(start=start, verify_checksums=True)) as iterator,
        ):
            found = next(iterator, None)
        return found if found is not None and found[0].startswith(prefix) else None

    def scan(self, prefix: bytes, start: bytes = b"", limit: int | None = None) -> list[Item]:
        """Up to `limit` pairs whose key begins with `prefix`, from `start` on, in order."""
        result: list[Item] = []
        with (
            self._reading(prefix) as db,
            contextlib.closing(db.iterator(start=max(start, prefix), verify_checksums=True)) as iterator,
        ):
            for item in iterator:
                if not item[0].startswith(prefix) or (limit is not None and len(result) >= limit):
                    break
                result.append(item)
        return result

    def pairs(self, prefix: bytes) -> Iterator[Item]:
        """All pairs whose key begins with `prefix`, in order, read in pages: they need not fit in memory at once."""
        start = prefix
        while found := self.scan(prefix, start, PAGE_PAIRS):
            yield from found
            start = found[-1][0] + b"\0"

    def count(self, prefix: bytes = b"") -> int:
        """The number of keys that begin with `prefix`. Reads all of them."""
        with (
            self._reading(prefix) as db,
            contextlib.closing(db.iterator(prefix=prefix, include_value=False, verify_checksums=True)) as iterator,
        ):
            return sum(1 for _ in iterator)

    def corruption(self, reason: str, height: int | None = None) -> StoreCorruption:
        """The error to raise for data that differs from what was written. `damage` records it, even if it is caught."""
        error = StoreCorruption(self.path, reason, height)
        self.damage = self.damage or str(error)
        return error

    def write(self, items: Iterable[Item], deleted: Iterable[bytes] = ()) -> None:
        """Write and delete in one batch, on the disk (fsync) when this returns. After an error, all of it or nothing is
        there.

        Raises StoreFull, or StoreError for any other failure. After either, call `reopen` before the next write.
        """
        with self._write_lock:
            if self.failed:
                raise StoreError(self.path, "an earlier write failed; reopen the store first")
            self._check_free(self.min_free_bytes)
            db = self._db
            if db is None:
                raise StoreError(self.path, "the store is closed")
            batch = db.write_batch(sync=True)
            put = batch.put
            for key, value in items:
                put(key, value)
            for key in deleted:
                batch.delete(key)
            try:
                with self.timed():
                    batch.write()
            except plyvel.Error as error:
                self.failed = True
                if isinstance(error, plyvel.CorruptionError):
                    self.corruption(
                        f"writing: {_message(error)}"
                    )  # LevelDB read damaged data while it compacted tables.
                raise self._write_error(error) from error

    def reopen(self) -> None:
        """Close and open again, so that LevelDB recovers from its log. Raises StoreFull while the disk is full."""
        with self._write_lock, self._handle_lock:
            self._check_free(max(self.min_free_bytes, 2 * self._write_buffer_bytes + REOPEN_SPARE_BYTES))
            self.close()
            self._db = self._open()
            self.failed = False

    def _open(self) -> plyvel.DB:
        try:
            return plyvel.DB(
                str(self.path),
                create_if_missing=True,
                paranoid_checks=True,
                write_buffer_size=self._write_buffer_bytes,
                max_open_files=MAX_OPEN_FILES,
                lru_cache_size=self._cache_bytes,
                max_file_size=MAX_FILE_BYTES,
                bloom_filter_bits=BLOOM_BITS,
                # Hashes and signatures do not compress. Without compression, reads come directly from the mapped file
                # and cost a third (measured with a million entries).
                compression=None,
            )
        except plyvel.CorruptionError as error:
            raise StoreCorruption(self.path, f"LevelDB cannot open it: {_message(error)}") from error
        except plyvel.Error as error:
            text = str(error)
            if "lock" in text.lower():
                raise StoreLocked(self.path, "another process has it open; stop that process first") from error
            if "No such file" in text or "missing" in text:
                raise StoreCorruption(self.path, f"LevelDB cannot open it: {_message(error)}") from error
            raise self._write_error(error) from error

    @contextlib.contextmanager
    def _reading(self, key: bytes) -> Iterator[plyvel.DB]:
        with self._handle_lock:
            if self._db is None:
                raise StoreError(self.path, "the store is closed")
            try:
                yield self._db
            except (plyvel.CorruptionError, plyvel.IOError) as error:
                raise self.corruption(f"reading {keys.describe(key)}: {_message(error)}") from error

    def _check_free(self, needed_bytes: int) -> None:
        if needed_bytes:
            free = self.free_bytes()
            if free < needed_bytes:
                raise StoreFull(self.path, free, needed_bytes)

    def free_bytes(self) -> int:
        """What this user may still write to the disk."""
        status = os.statvfs(self.path)
        return status.f_bavail * status.f_frsize

    def _write_error(self, error: plyvel.Error) -> StoreError:
        if os.strerror(errno.ENOSPC) in str(error):
            needed = max(self.min_free_bytes, 2 * self._write_buffer_bytes + REOPEN_SPARE_BYTES)
            return StoreFull(self.path, self.free_bytes(), needed)
        return StoreError(
            self.path, f"cannot be written: {_message(error)}; check the disk and the directory's permissions"
        )


def _message(error: plyvel.Error) -> str:
    """LevelDB's message, which plyvel passes on as bytes."""
    message = error.args[0] if error.args else ""
    return message.decode(errors="replace") if isinstance(message, bytes) else str(error)
