"""What a waiting entry costs in memory: several times its bytes, because it is kept as bytes and decoded."""

from __future__ import annotations

from sys import getsizeof
from typing import Any

from notarium_ledger.entries.entry import Entry

FIXED_BYTES = 800
"""What each entry costs whatever it says: the objects of entry, id, key and signature, and its places in the mempool's
tables (measured in tests/node/entries/test_footprint.py)."""
MOST_PER_BYTE = 9
"""No entry costs more for each of its bytes. The smallest come closest, then those of many short records."""


def footprint(entry: Entry) -> int:
    """Bytes of memory; costs 2 µs, and half a microsecond for each further value in the body."""
    path = 0 if entry.batch is None else _size(entry.batch.path)
    return FIXED_BYTES + len(entry.raw) + len(entry.body_bytes) + path + _size(entry.body)


def _size(value: Any) -> int:
    """Of a value and all that it holds; the names of fields are the same objects in all bodies."""
    of_type = type(value)
    if of_type is dict:
        return getsizeof(value) + sum(map(_size, value.values()))
    if of_type is list or of_type is tuple:
        return getsizeof(value) + sum(map(_size, value))
    return getsizeof(value)
