"""The mempool: order of arrival, bounds by count and bytes, and a share for each class of entries."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.consortium import Consortium, key

from notarium_ledger.entries.commitment import EntryClass, entry_class
from notarium_ledger.entries.entry import Entry
from notarium_ledger.state.chain_state import CLASS_LIMITS, select_entries
from notarium_ledger.types import Hash
from notarium_node.entries.mempool import Mempool, MempoolFull

ENTRIES = Consortium(1).entries(40)
BLOCK = 4096, 2 << 20
FOUR = Consortium(4)


def enrolments(count):
    return [FOUR.entry(FOUR.member_body("enrol", 3, key=key(f"flood {number}").public)) for number in range(count)]


def proposals(count):
    return [FOUR.entry(propose(number, 0)) for number in range(count)]


def of_all(body, count):
    """Entries of the four members in turn."""
    return [FOUR.entry(body(number, number % 4)) for number in range(count)]


def enrol(number, member):
    return FOUR.member_body("enrol", member, key=key(f"other {number}").public)


def propose(number, member):
    action = {"type": "set-parameter", "name": "max_entry_bytes", "value": 2000 + number}
    return FOUR.member_body("propose", member, action=action)


def add_all(pool, entries):
    for entry in entries:
        pool.add(entry)


def kinds(entries):
    return Counter(entry_class(entry.body) for entry in entries)


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
    with pytest.raises(MempoolFull):
        pool.check_room([ENTRIES[3]])
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
    pool = Mempool(16, 4000)
    limit_entries, limit_bytes = 11, 4000 - 1000 - 250  # The rest is for keys and governance.
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


@pytest.fixture(scope="module")
def flood():
    return enrolments(4200)


def test_enrolments_of_one_member_leave_room_for_research_and_votes(flood):
    pool = Mempool(50_000, 64 << 20)
    research, vote = FOUR.entries(1000), proposals(1)
    for entry in (*flood, *research, *vote):
        pool.add(entry)
    oldest = pool.oldest(*BLOCK, CLASS_LIMITS)
    assert oldest == [*flood[:192], *research, *vote], "in the order of arrival"
    chosen, rejected = select_entries(FOUR.state, oldest, lambda _: False, 1)
    assert (chosen, rejected) == (oldest, [])


def test_research_leaves_room_for_keys_and_votes(flood):
    pool = Mempool(50_000, 64 << 20)
    research, votes = FOUR.entries(5000), proposals(70)
    for entry in (*research, *flood[:200], *votes):
        pool.add(entry)
    oldest = pool.oldest(*BLOCK, CLASS_LIMITS)
    assert [entry for entry in oldest if entry_class(entry.body) is EntryClass.GOVERNANCE] == votes[:64]
    assert [entry for entry in oldest if entry_class(entry.body) is EntryClass.KEY] == flood[:192]
    assert len(oldest) <= BLOCK[0]
    assert sum(len(entry.raw) for entry in oldest) <= BLOCK[1]
    assert kinds(oldest)[EntryClass.RESEARCH] > 1000


def test_a_class_takes_what_the_others_leave(flood):
    pool = Mempool(3200, 16 << 20)
    for entry in (*flood[:100], *proposals(90), *FOUR.entries(5)):
        pool.add(entry)
    assert kinds(pool.oldest(160)) == {EntryClass.GOVERNANCE: 90, EntryClass.KEY: 65, EntryClass.RESEARCH: 5}
    assert kinds(pool.oldest(999)) == {EntryClass.GOVERNANCE: 90, EntryClass.KEY: 100, EntryClass.RESEARCH: 5}
    assert kinds(pool.oldest(40)) == {EntryClass.GOVERNANCE: 25, EntryClass.KEY: 10, EntryClass.RESEARCH: 5}
    size = len(flood[0].raw)
    least = pool.oldest(999, 3 * size)
    assert kinds(least)[EntryClass.GOVERNANCE] >= 1, "one, even if its share is smaller"


def test_each_class_has_its_own_room():
    pool = Mempool(160, 16 << 20)
    research, keys, votes = FOUR.entries(111), of_all(enrol, 48), of_all(propose, 12)
    room = {EntryClass.RESEARCH: 110, EntryClass.KEY: 32, EntryClass.GOVERNANCE: 8}
    for entry in research[:-1]:
        pool.add(entry)
    with pytest.raises(MempoolFull, match="110 researchers' entries of"):
        pool.add(research[-1])
    # Four members at once, each of which may have no more than is free: a fifth of the room is free in the end.
    for entries, most, what in ((keys, 32, "8 enrol and revoke"), (votes, 8, "2 propose and vote")):
        for entry in entries[:most]:
            pool.add(entry)
        for entry in entries[most : most + 4]:
            with pytest.raises(MempoolFull, match=f"{what} entries of m[0-3] wait"):
                pool.add(entry)
    assert kinds(pool.oldest(999)) == room
    assert len(pool) == 150
    pool.remove([keys[0].id])
    pool.add(keys[32])


def test_a_member_that_floods_leaves_room_for_the_others_and_they_take_turns():
    pool, flood = Mempool(16_000, 16 << 20), proposals(600)
    with pytest.raises(MempoolFull, match="500 propose and vote entries of m0 wait, with"):
        add_all(pool, flood)
    removal = FOUR.entry(FOUR.member_body("propose", 1, action={"type": "remove-member", "id": "m0"}))
    others = [removal, *of_all(propose, 12)[2::4]]
    for entry in others:
        pool.add(entry)
    assert pool.oldest(*BLOCK, CLASS_LIMITS) == [*flood[:60], *others]
    assert pool.oldest(3) == [flood[0], *others[:2]]
    pool.remove([flood[0].id, *(entry.id for entry in flood[2:])])
    assert pool.oldest(9) == [flood[1], *others]
    with pytest.raises(MempoolFull, match="498 propose and vote entries of m0"):
        pool.check_room(flood[2:])
    pool.remove(entry.id for entry in (flood[1], *others))
    assert (len(pool), pool.bytes, pool._of_member) == (0, 0, {})


def test_the_bytes_of_a_member_are_bounded_too():
    one, *flood = proposals(20)
    size = len(one.raw)
    pool = Mempool(16_000, 16 * 10 * size)
    pool.add(one)
    with pytest.raises(MempoolFull, match=rf"entries of m0 wait, with {5 * size} bytes"):
        add_all(pool, flood)
    pool.add(FOUR.entry(propose(1, 1)))


def test_the_largest_entry_of_each_class_fits_the_least_mempool_that_a_configuration_allows():
    assert all(most_bytes >= 65_535 for _, most_bytes in Mempool(100, 1 << 20)._room.values())
