"""What a waiting entry costs in memory: several times its bytes, because it is kept as bytes and decoded."""

from __future__ import annotations

from sys import getsizeof

from notarium_ledger.entries.commitment import Body
from notarium_ledger.entries.entry import Entry

FIXED_BYTES = 800
"""What each entry costs whatever it says: the objects of entry, id, key and signature, and its places in the mempool's
tables (measured in tests/node/entries/test_footprint.py)."""
MOST_PER_BYTE = 9
"""No entry costs more for each of its bytes. The smallest come closest, then those of many short records."""


def footprint(entry: Entry) -> int:
    """Bytes of memory; costs 1 µs for a small entry and 40 µs for the largest."""
    size = FIXED_BYTES + len(entry.raw) + len(entry.body_bytes) + _record(entry.body)
    return size if entry.batch is None else size + sum(map(getsizeof, entry.batch.path))


def _record(record: Body) -> int:
    """What a record costs; the names of its fields are the same objects in all records."""
    size = getsizeof(record)
    for value in record.values():
        of_type = type(value)
        if of_type is dict:
            size += _record(value)
            continue
        size += getsizeof(value)
        if of_type is list:  # Of flat records: no schema has any other.
            for each in value:
                size += getsizeof(each) + sum(map(getsizeof, each.values()))
    return size
