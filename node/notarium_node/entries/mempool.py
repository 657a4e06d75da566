"""The verified entries that wait for a block, in the order of arrival, bounded by count and bytes."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate, islice

from notarium_ledger.entries.entry import Entry
from notarium_ledger.types import Hash


class MempoolFull(Exception):
    """There is no room for another entry; the submitter has to try again later."""


class Mempool:
    """Holds only entries whose signature was verified and that were not decided when they arrived."""

    def __init__(self, max_entries: int, max_bytes: int) -> None:
        self._entries: dict[Hash, Entry] = {}
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self.bytes = 0
        """The sum of the lengths of the entries."""

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, entry_id: object) -> bool:
        return entry_id in self._entries

    def get(self, entry_id: Hash) -> Entry | None:
        """The waiting entry with this id, or None."""
        return self._entries.get(entry_id)

    def has_room(self, count: int, size: int) -> bool:
        """Whether `count` more entries of `size` bytes together would fit."""
        return len(self._entries) + count <= self._max_entries and self.bytes + size <= self._max_bytes

    def add(self, entry: Entry) -> None:
        """Append a verified entry. Raises MempoolFull."""
        if entry.id in self._entries:
            return
        if not self.has_room(1, len(entry.raw)):
            raise MempoolFull(
                f"{len(self._entries)} entries of {self.bytes} bytes wait, "
                f"at most {self._max_entries} of {self._max_bytes} allowed"
            )
        self._entries[entry.id] = entry
        self.bytes += len(entry.raw)

    def remove(self, ids: Iterable[Hash]) -> None:
        """Remove entries that were decided or became invalid."""
        for each in ids:
            entry = self._entries.pop(each, None)
            if entry is not None:
                self.bytes -= len(entry.raw)

    def oldest(self, count: int, size: int | None = None) -> list[Entry]:
        """Up to `count` entries of up to `size` bytes together (but at least one), in the order of arrival."""
        entries = list(islice(self._entries.values(), count))
        if size is not None and self.bytes > size:
            ends = accumulate(len(entry.raw) for entry in entries)
            return entries[: max(1, bisect_right(list(ends), size))]
        return entries
