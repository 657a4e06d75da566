"""A cache of file digests, so that one new file does not cause a terabyte to be read again.

The key of a digest is (device, inode, size, mtime_ns, ctime_ns): a program can set a file's modification time back, but
not its change time. A file that changed less than two seconds before it was read is not stored, because another write
within the same tick of the file system's clock would look the same (a tick is two seconds on some file systems). So the
cache never holds the digest of a file that may have changed since. The cache is a convenience: where it cannot be used,
files are read.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

SETTLED_NS = 2_000_000_000
_BUSY_S = 2.0
_SHA256 = re.compile("[0-9a-f]{64}")
_UNUSABLE = (sqlite3.Error, UnicodeDecodeError, OSError)
"""UnicodeDecodeError: of SQLite's own text about a damaged file."""
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS digest (device INTEGER, inode INTEGER, size INTEGER, mtime_ns INTEGER,"
    " ctime_ns INTEGER, sha256 TEXT NOT NULL, PRIMARY KEY (device, inode)) WITHOUT ROWID"
)


@dataclass(frozen=True, slots=True)
class FileState:
    """What the file system reports about a file. Two contents can have equal states only within one clock tick."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> FileState:
        """From os.stat."""
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)

    def is_settled(self, now_ns: int) -> bool:
        """Whether its last change is old enough to be distinguished from the next."""
        return max(self.mtime_ns, self.ctime_ns) <= now_ns - SETTLED_NS


class DigestCache:
    """Digests by file state, in one SQLite file that several processes may share."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.problem = ""
        """Why the cache is not being used, or "". Hashing works without it."""

    def get_many(self, states: Sequence[FileState]) -> list[str | None]:
        """The digest of each file that is known."""
        try:
            with closing(self._open()) as database:
                return [self._get(database, state) for state in states]
        except _UNUSABLE as error:
            self._give_up(error)
            return [None] * len(states)

    def put_many(self, digests: Sequence[tuple[FileState, str]], read_ns: int) -> None:
        """Remember the digests of files that were settled at `read_ns`, when reading them began (time.time_ns)."""
        rows = [
            (_signed(state.device), _signed(state.inode), state.size, state.mtime_ns, state.ctime_ns, sha256)
            for state, sha256 in digests
            if state.is_settled(read_ns)
        ]
        if not rows:
            return
        try:
            with closing(self._open()) as database, database:
                database.executemany("INSERT OR REPLACE INTO digest VALUES (?, ?, ?, ?, ?, ?)", rows)
        except _UNUSABLE as error:
            self._give_up(error)

    def _get(self, database: sqlite3.Connection, state: FileState) -> str | None:
        row = database.execute(
            "SELECT sha256 FROM digest WHERE device = ? AND inode = ? AND size = ? AND mtime_ns = ? AND ctime_ns = ?",
            (_signed(state.device), _signed(state.inode), state.size, state.mtime_ns, state.ctime_ns),
        ).fetchone()
        # A damaged database may hold anything here; then the file is read.
        return row[0] if row and isinstance(row[0], str) and _SHA256.fullmatch(row[0]) else None

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        database = sqlite3.connect(self._path, timeout=_BUSY_S)
        try:
            database.execute(_SCHEMA)
        except _UNUSABLE:
            database.close()
            raise
        return database

    def _give_up(self, error: Exception) -> None:
        self.problem = f"digest cache {self._path} is not used: {error}"
        is_damaged = isinstance(error, sqlite3.DatabaseError | UnicodeDecodeError)
        if is_damaged and not isinstance(error, sqlite3.OperationalError):
            # Damaged, not merely busy: remove it, and the next use starts a new one. If that fails, there is no cache.
            with suppress(OSError):
                self._path.unlink(missing_ok=True)


def _signed(value: int) -> int:
    """SQLite integers are signed 64-bit; some file systems use all 64 bits of an inode."""
    return value - 2**64 if value >= 2**63 else value
