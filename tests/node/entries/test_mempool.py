"""The mempool: bounds by count and memory, and a share for each class, member and key."""

from collections import Counter
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.consortium import Consortium, key

from notarium.ledger_access.client import REQUEST_BYTES
from notarium_ledger.entries.commitment import EntryClass, entry_class
from notarium_ledger.entries.entry import Entry, decode_entry, sign_batch
from notarium_ledger.state.chain_state import CLASS_LIMITS, select_entries
from notarium_ledger.types import Hash
from notarium_node.config.sections import MEMPOOL_TIMES, ApiSection, MempoolSection
from notarium_node.entries.footprint import MOST_PER_BYTE, footprint
from notarium_node.entries.mempool import KEY_PART, Mempool, MempoolFull

ENTRIES = Consortium(1).entries(40)
BLOCK = 4096, 2 << 20
FOUR = Consortium(4, researchers=8)


def research(*members):
    """One entry of each of these members."""
    return [FOUR.entry(commit(0, member)) for member in members]


def commit(number, member):
    return FOUR.body(issuer=f"m{member}")


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
    assert pool.oldest(100) == list(pool) == ENTRIES[:5]
    assert pool.oldest(2) == ENTRIES[:2]
    assert (len(pool), pool.bytes) == (5, sum(map(footprint, ENTRIES[:5])))
    assert ENTRIES[3].id in pool
    assert pool.get(ENTRIES[3].id) is ENTRIES[3]
    assert pool.get(ENTRIES[9].id) is None


def test_the_number_of_entries_is_bounded():
    pool = Mempool(4, 1 << 20)  # Three for research.
    for entry in research(0, 1, 2):
        pool.add(entry)
    with pytest.raises(MempoolFull, match=r"3 researchers' entries wait, with [0-9]+ bytes of memory; at most 3 with"):
        pool.room_for(research(3))
    with pytest.raises(MempoolFull, match="at most 3"):
        pool.add(FOUR.entry())
    first, second, third = pool
    pool.add(first)  # It is there already, so it needs no room.
    pool.remove([second.id])
    [fourth] = research(3)
    pool.add(fourth)
    assert pool.oldest(9) == [first, third, fourth]


def test_their_memory_is_bounded():
    one, other = research(0, 1)
    pool = Mempool(100, (footprint(one) + footprint(other) - 1) * 16 // 11)
    pool.add(one)
    with pytest.raises(MempoolFull, match=f"{footprint(one)} bytes of memory"):
        pool.add(other)
    pool.remove([one.id])
    pool.add(other)
    assert pool.bytes == footprint(other)


def test_a_block_target_in_bytes_cuts_but_leaves_at_least_one():
    pool = Mempool(100, 1 << 20)
    for entry in ENTRIES[:10]:
        pool.add(entry)
    three = sum(len(entry.raw) for entry in ENTRIES[:3])
    assert pool.oldest(10, three) == ENTRIES[:3]
    assert pool.oldest(10, three - 1) == ENTRIES[:2]
    assert pool.oldest(2, three) == ENTRIES[:2]
    assert pool.oldest(10, 1) == ENTRIES[:1]


SEVERAL = [FOUR.entry(FOUR.body(issuer=f"m{n % 4}"), signer=FOUR.researcher_keys[n % 8]) for n in range(40)]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, len(SEVERAL) - 1)), max_size=80))
def test_sums_are_those_of_what_is_held_and_no_key_ever_has_more_than_is_free(steps):
    pool = Mempool(16, 100_000)
    most, most_bytes = 11, 100_000 - 25_000 - 6_250  # The rest is for keys and governance.
    model: dict[Hash, Entry] = {}
    for add, number in steps:
        entry = SEVERAL[number]
        if not add:
            pool.remove([entry.id])
            model.pop(entry.id, None)
        else:
            try:
                pool.add(entry)
            except MempoolFull:
                assert entry.id not in pool
            else:
                of_key = [each for each in model.values() if each.key == entry.key]
                of_member = [each for each in model.values() if each.body["issuer"] == entry.body["issuer"]]
                free = most - len(model) - 1
                assert entry.id in model or not of_member or len(of_member) <= free
                assert entry.id in model or not of_key or len(of_key) + len(of_member) <= free
                model.setdefault(entry.id, entry)
        assert pool.oldest(99) == list(pool) == list(model.values())
        assert (len(pool), pool.bytes) == (len(model), sum(map(footprint, model.values())))
        assert len(pool) <= most
        assert pool.bytes <= most_bytes


@pytest.fixture(scope="module")
def flood():
    return enrolments(4200)


def test_enrolments_of_one_member_leave_room_for_research_and_votes(flood):
    pool = Mempool(100_000, 160 << 20)
    commitments, vote = FOUR.entries(1000), proposals(1)
    for entry in (*flood, *commitments, *vote):
        pool.add(entry)
    oldest = pool.oldest(*BLOCK, CLASS_LIMITS)
    assert oldest == [*flood[:192], *commitments, *vote], "in the order of arrival"
    chosen, rejected = select_entries(FOUR.state, oldest, lambda _: False, 1)
    assert (chosen, rejected) == (oldest, [])


def test_research_leaves_room_for_keys_and_votes(flood):
    pool = Mempool(100_000, 160 << 20)
    commitments, votes = FOUR.entries(5000), proposals(70)
    for entry in (*commitments, *flood[:200], *votes):
        pool.add(entry)
    oldest = pool.oldest(*BLOCK, CLASS_LIMITS)
    assert [entry for entry in oldest if entry_class(entry.body) is EntryClass.GOVERNANCE] == votes[:64]
    assert [entry for entry in oldest if entry_class(entry.body) is EntryClass.KEY] == flood[:192]
    assert len(oldest) <= BLOCK[0]
    assert sum(len(entry.raw) for entry in oldest) <= BLOCK[1]
    assert kinds(oldest)[EntryClass.RESEARCH] > 1000


def test_a_class_takes_what_the_others_leave(flood):
    pool = Mempool(6400, 64 << 20)
    for entry in (*flood[:100], *proposals(90), *FOUR.entries(5)):
        pool.add(entry)
    assert kinds(pool.oldest(160)) == {EntryClass.GOVERNANCE: 90, EntryClass.KEY: 65, EntryClass.RESEARCH: 5}
    assert kinds(pool.oldest(999)) == {EntryClass.GOVERNANCE: 90, EntryClass.KEY: 100, EntryClass.RESEARCH: 5}
    assert kinds(pool.oldest(40)) == {EntryClass.GOVERNANCE: 25, EntryClass.KEY: 10, EntryClass.RESEARCH: 5}
    size = len(flood[0].raw)
    least = pool.oldest(999, 3 * size)
    assert kinds(least)[EntryClass.GOVERNANCE] >= 1, "one, even if its share is smaller"


BODIES = {EntryClass.RESEARCH: commit, EntryClass.KEY: enrol, EntryClass.GOVERNANCE: propose}
ROOMS = {EntryClass.RESEARCH: 330, EntryClass.KEY: 120, EntryClass.GOVERNANCE: 30}


@pytest.mark.parametrize("of_class", EntryClass)
def test_one_that_floods_has_a_third_of_the_room_of_its_class(of_class):
    pool, third = Mempool(480, 64 << 20), ROOMS[of_class] // 3
    flood = [FOUR.entry(BODIES[of_class](number, 0)) for number in range(third + 1)]
    others = [FOUR.entry(body(number, member)) for body in BODIES.values() for number, member in ((900, 1), (901, 2))]
    add_all(pool, flood[:third])
    with pytest.raises(MempoolFull, match=rf"{third} .* entries of the key [0-9a-f]{{64}} of m0 wait") as caught:
        pool.add(flood[third])
    assert f"can have {third} entries at most" in caught.value.remedy
    add_all(pool, others)
    pool.remove([flood[0].id, others[0].id])
    assert len(pool) == third - 1 + 5


@pytest.mark.parametrize("of_class", EntryClass)
def test_four_that_flood_leave_room_for_a_fifth(of_class):
    pool = Mempool(480, 64 << 20)
    counts = [0] * 4
    for number in range(ROOMS[of_class]):
        with suppress(MempoolFull):
            pool.add(FOUR.entry(BODIES[of_class](number, number % 4)))
            counts[number % 4] += 1
    sixth = ROOMS[of_class] // 6
    assert max(counts) - min(counts) <= 1
    assert abs(counts[0] - sixth) <= 1
    assert kinds(pool)[of_class] == sum(counts) < ROOMS[of_class] * 0.8


def test_a_member_with_many_keys_has_at_most_half_of_the_room_and_leaves_something_for_each_key():
    pool = Mempool(480, 64 << 20)
    club = Consortium(2, researchers=20)
    mine = [number for number in range(20) if number % 2 == 0]
    for researcher in mine * 60:
        entry = club.entry(club.body(issuer="m0"), signer=club.researcher_keys[researcher])
        with suppress(MempoolFull):
            pool.add(entry)
    counts = Counter(each.key for each in pool)
    assert len(counts) == 10, "each key has some"
    assert max(counts.values()) - min(counts.values()) <= 1
    assert 140 <= len(pool) <= 165
    for _ in range(50):
        pool.add(club.entry(club.body(issuer="m1"), signer=club.researcher_keys[1]))


def test_a_member_that_floods_leaves_room_for_the_others_and_they_take_turns():
    pool, flood = Mempool(16_000, 64 << 20), proposals(400)
    with pytest.raises(MempoolFull, match=r"334 propose and vote entries of the key [0-9a-f]{64} of m0 wait"):
        add_all(pool, flood)
    removal = FOUR.entry(FOUR.member_body("propose", 1, action={"type": "remove-member", "id": "m0"}))
    others = [removal, *of_all(propose, 12)[2::4]]
    for entry in others:
        pool.add(entry)
    assert pool.oldest(*BLOCK, CLASS_LIMITS) == [*flood[:60], *others]
    assert pool.oldest(3) == [flood[0], *others[:2]]
    pool.remove([flood[0].id, *(entry.id for entry in flood[2:])])
    assert pool.oldest(9) == [flood[1], *others]
    with pytest.raises(MempoolFull, match="332 propose and vote entries of the key"):
        pool.room_for(flood[2:])
    pool.remove(entry.id for entry in (flood[1], *others))
    assert (len(pool), pool.bytes, pool.fronts()) == (0, 0, [])


def test_an_honest_entry_behind_a_flood_of_large_ones_is_in_the_next_block():
    pool = Mempool(100_000, 160 << 20)
    subjects = [{"digest": bytes(32), "role": "x", "name": "y" * 200}] * 40
    bodies = [FOUR.body(issuer="m0", subjects=[{**each, "role": f"{n}"} for each in subjects]) for n in range(500)]
    add_all(pool, [decode_entry(raw) for raw in sign_batch(FOUR.researcher, FOUR.genesis.hash, bodies)])
    sibling = FOUR.entry(FOUR.body(issuer="m0"), signer=FOUR.researcher_keys[4])
    [honest] = research(1)
    add_all(pool, [sibling, honest])
    chosen = pool.oldest(*BLOCK, CLASS_LIMITS)
    assert len(chosen) < 500
    assert chosen[-2:] == [sibling, honest]


def test_the_memory_of_a_key_is_bounded_too():
    one, *flood = proposals(20)
    cost = max(map(footprint, (one, *flood)))
    pool = Mempool(16_000, 16 * 15 * cost)
    with pytest.raises(MempoolFull, match=r"5 propose and vote entries of the key [0-9a-f]{64} of m0 wait"):
        add_all(pool, [one, *flood])
    pool.add(FOUR.entry(propose(1, 1)))


def test_the_largest_entry_of_each_class_fits_the_least_mempool_that_a_configuration_allows():
    least = Mempool(100, 16 << 20)
    assert all(each.most_bytes >= MOST_PER_BYTE * 65_535 for each in least._rooms.values())


def test_the_configuration_reckons_with_the_memory_of_a_block_and_a_request():
    """Research has the least part of the mempool that a full block must fit."""
    assert MEMPOOL_TIMES * 11 // 16 >= MOST_PER_BYTE
    defaults = MempoolSection()
    assert defaults.max_bytes >= MEMPOOL_TIMES * ApiSection().max_request_bytes
    room = Mempool(defaults.max_entries, defaults.max_bytes)._rooms[EntryClass.RESEARCH]
    assert room.most_bytes // KEY_PART >= MOST_PER_BYTE * REQUEST_BYTES, "one request of the client always fits"
