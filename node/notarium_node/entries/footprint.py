"""What a waiting entry costs in memory: several times its bytes, because it is kept as bytes and decoded."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from sys import getsizeof
from typing import Any

from notarium_ledger.entries.commitment import Body
from notarium_ledger.entries.entry import Entry

FIXED_BYTES = 800
"""What each entry costs whatever it says: the objects of entry, id, key and signature, and its places in the mempool's
tables (measured in tests/node/entries/test_footprint.py)."""
MOST_PER_BYTE = 9
"""No entry costs more for each of its bytes. The smallest come closest, then those of many short records."""


def footprint(entry: Entry) -> int:
    """Bytes of memory; costs 1 µs for a small entry and 40 µs for the largest."""
    path = 0 if entry.batch is None else _flat(entry.batch.path)
    return FIXED_BYTES + len(entry.raw) + len(entry.body_bytes) + path + getsizeof(entry.body) + _values(entry.body)


def _values(record: Body) -> int:
    """What a record holds; the names of its fields are the same objects in all records."""
    size = _flat(record.values())
    for value in record.values():
        if type(value) is dict:
            size += _values(value)
        elif type(value) is list:  # Of flat records: no schema has any other.
            size += _flat(value) + _flat(chain.from_iterable(map(dict.values, value)))
    return size


def _flat(values: Iterable[Any]) -> int:
    return sum(map(getsizeof, values))
