"""LevelDB as a simulated disk keeps it: the part of plyvel.DB that the store's Database uses, with the faults of disks.

The real Database and Store run on top. A batch is atomic, as LevelDB's log makes it; one that was not synced may be
lost at a crash, with all that came after it.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Mapping, Sequence

import plyvel

Item = tuple[bytes, bytes]
Written = Callable[[Sequence[Item], Sequence[bytes]], None]


class Disk:
    """What one process finds when it starts again."""

    def __init__(self, on_durable: Written, checkpoint: Callable[[str], None]) -> None:
        """`on_durable`: called for each batch as it becomes durable. `checkpoint`: called where the process may die."""
        self.data: dict[bytes, bytes] = {}
        self.is_full = False
        self.opened = 0
        self._keys: list[bytes] = []
        self._on_durable = on_durable
        self._checkpoint = checkpoint
        self._unsynced: list[tuple[list[Item], list[bytes], list[tuple[bytes, bytes | None]]]] = []

    def write(self, puts: list[Item], deleted: list[bytes], sync: bool) -> None:
        """One batch. Raises plyvel.IOError on a full disk, after which nothing of it is there."""
        self._checkpoint("before a write")
        if self.is_full:
            raise plyvel.IOError(b"IO error: 000003.log: No space left on device")
        before = [(key, self.data.get(key)) for key in (*(key for key, _ in puts), *deleted)]
        for key, value in puts:
            self._set(key, value)
        for key in deleted:
            self._set(key, None)
        self._unsynced.append((puts, deleted, before))
        if sync:
            self.sync()
        self._checkpoint("after a write")

    def sync(self) -> None:
        """fsync of the log: all batches so far are durable."""
        for puts, deleted, _ in self._unsynced:
            self._on_durable(puts, deleted)
        self._unsynced.clear()

    def crash(self, kept: int) -> None:
        """Power is lost: of the batches that were not synced the first `kept` are there, torn off behind."""
        for puts, deleted, _ in self._unsynced[:kept]:
            self._on_durable(puts, deleted)
        for _, _, before in reversed(self._unsynced[kept:]):
            for key, value in reversed(before):
                self._set(key, value)
        self._unsynced.clear()

    @property
    def unsynced(self) -> int:
        """Batches that a crash may take."""
        return len(self._unsynced)

    def replace(self, data: Mapping[bytes, bytes]) -> None:
        """Wiped, or restored from a backup. The process is down."""
        self.data = dict(data)
        self._keys = sorted(self.data)
        self._unsynced.clear()

    def from_key(self, start: bytes) -> Iterator[Item]:
        """Pairs from `start` on, in order; the disk must not change meanwhile."""
        keys = self._keys
        for at in range(bisect_left(keys, start), len(keys)):
            yield keys[at], self.data[keys[at]]

    def _set(self, key: bytes, value: bytes | None) -> None:
        if value is None:
            if self.data.pop(key, None) is not None:
                del self._keys[bisect_left(self._keys, key)]
            return
        if key not in self.data:
            insort(self._keys, key)
        self.data[key] = value


class Handle:
    """An open database: plyvel.DB."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        disk.opened += 1

    def get(self, key: bytes, verify_checksums: bool = False) -> bytes | None:
        """The value, or None."""
        return self._disk.data.get(key)

    def iterator(
        self,
        start: bytes = b"",
        prefix: bytes | None = None,
        include_value: bool = True,
        verify_checksums: bool = False,
    ) -> _Iterator:
        """As plyvel's, forwards only."""
        return _Iterator(self._disk.from_key(prefix if prefix is not None else start), prefix, include_value)

    def write_batch(self, sync: bool = False) -> _Batch:
        """A batch to be written."""
        return _Batch(self._disk, sync)

    def close(self) -> None:
        """Nothing is held."""


class _Iterator:
    def __init__(self, items: Iterator[Item], prefix: bytes | None, with_values: bool) -> None:
        self._items = items
        self._prefix = prefix
        self._with_values = with_values

    def __iter__(self) -> _Iterator:
        return self

    def __next__(self) -> Item | bytes:
        item = next(self._items)
        if self._prefix is not None and not item[0].startswith(self._prefix):
            raise StopIteration
        return item if self._with_values else item[0]

    def close(self) -> None:
        """Nothing is held."""


class _Batch:
    def __init__(self, disk: Disk, sync: bool) -> None:
        self._disk = disk
        self._sync = sync
        self._puts: list[Item] = []
        self._deleted: list[bytes] = []

    def put(self, key: bytes, value: bytes) -> None:
        """Set."""
        self._puts.append((key, value))

    def delete(self, key: bytes) -> None:
        """Remove."""
        self._deleted.append(key)

    def write(self) -> None:
        """All of it, or nothing."""
        self._disk.write(self._puts, self._deleted, self._sync)
