"""The mempool: order of arrival, and bounds by count and bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.consortium import Consortium

from notarium_ledger.entries.entry import Entry
from notarium_ledger.types import Hash
from notarium_node.entries.mempool import Mempool, MempoolFull

ENTRIES = Consortium(1).entries(40)


def test_entries_come_out_in_the_order_of_arrival_and_only_once():
    pool = Mempool(100, 1 << 20)
    for entry in (*ENTRIES[:5], ENTRIES[2]):
        pool.add(entry)
    assert pool.oldest(100) == ENTRIES[:5]
    assert pool.oldest(2) == ENTRIES[:2]
    assert (len(pool), pool.bytes) == (5, sum(len(entry.raw) for entry in ENTRIES[:5]))
    assert ENTRIES[3].id in pool
    assert pool.get(ENTRIES[3].id) is ENTRIES[3]
    assert pool.get(ENTRIES[9].id) is None


def test_the_number_of_entries_is_bounded():
    pool = Mempool(3, 1 << 20)
    for entry in ENTRIES[:3]:
        pool.add(entry)
    assert not pool.has_room(1, 0)
    with pytest.raises(MempoolFull, match="at most 3"):
        pool.add(ENTRIES[3])
    pool.add(ENTRIES[0])  # It is there already, so it needs no room.
    pool.remove([ENTRIES[1].id])
    pool.add(ENTRIES[3])
    assert pool.oldest(9) == [ENTRIES[0], ENTRIES[2], ENTRIES[3]]


def test_their_bytes_are_bounded():
    size = len(ENTRIES[0].raw)
    pool = Mempool(100, size + len(ENTRIES[1].raw) - 1)
    pool.add(ENTRIES[0])
    with pytest.raises(MempoolFull, match=f"{size} bytes"):
        pool.add(ENTRIES[1])
    pool.remove([ENTRIES[0].id])
    pool.add(ENTRIES[1])
    assert pool.bytes == len(ENTRIES[1].raw)


def test_a_block_target_in_bytes_cuts_but_leaves_at_least_one():
    pool = Mempool(100, 1 << 20)
    for entry in ENTRIES[:10]:
        pool.add(entry)
    three = sum(len(entry.raw) for entry in ENTRIES[:3])
    assert pool.oldest(10, three) == ENTRIES[:3]
    assert pool.oldest(10, three - 1) == ENTRIES[:2]
    assert pool.oldest(2, three) == ENTRIES[:2]
    assert pool.oldest(10, 1) == ENTRIES[:1]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, len(ENTRIES) - 1)), max_size=80))
def test_count_and_bytes_are_always_those_of_what_is_held(steps):
    limit_entries, limit_bytes = 10, 2500
    pool = Mempool(limit_entries, limit_bytes)
    model: dict[Hash, Entry] = {}
    for add, number in steps:
        entry = ENTRIES[number]
        if not add:
            pool.remove([entry.id])
            model.pop(entry.id, None)
            continue
        try:
            pool.add(entry)
        except MempoolFull:
            sizes = sum(len(each.raw) for each in model.values())
            assert len(model) == limit_entries or sizes + len(entry.raw) > limit_bytes
        else:
            model.setdefault(entry.id, entry)
        assert pool.oldest(99) == list(model.values())
        assert (len(pool), pool.bytes) == (len(model), sum(len(each.raw) for each in model.values()))
        assert len(pool) <= limit_entries
        assert pool.bytes <= limit_bytes
