"""Members take turns, and so do the keys of one member; a turn is counted in bytes."""

from itertools import islice

from hypothesis import given
from hypothesis import strategies as st
from tests.support.consortium import Consortium

from notarium_node.entries.turns import FairQueue, Queued, entries_in_turn, in_turn, member_of

CLUB = Consortium(3, researchers=6)
"""Researchers 0 and 3 belong to m0, 1 and 4 to m1, 2 and 5 to m2."""


def entry(researcher, **more):
    return CLUB.entry(CLUB.body(issuer=f"m{researcher % 3}", **more), signer=CLUB.researcher_keys[researcher])


def waiting(number, each):
    return Queued(each, member_of(each), number, 1000)


def turns(*entries):
    made = FairQueue()
    for number, each in enumerate(entries):
        made.add(waiting(number, each))
    return made


def order(made):
    return [each.number for each in made]


def test_a_queue_that_gave_fewest_is_next_and_of_several_the_first():
    assert list(in_turn([], abs)) == []
    assert list(in_turn([[1, 1, 1]], abs)) == [1, 1, 1]
    assert list(in_turn([[9, 10], [1, 2, 3, 4], [5]], abs)) == [9, 1, 5, 2, 3, 4, 10]


@given(st.lists(st.lists(st.integers(1, 50), min_size=1, max_size=20), max_size=8))
def test_nobody_who_still_waits_is_ahead_of_another_by_more_than_one_item(queues):
    """Fairness, as far as items are not divided: at any moment, of two that wait on, one has had 50 more at most."""
    tagged = [[(place, size) for size in queue] for place, queue in enumerate(queues)]
    given_, left = [0] * len(queues), [len(queue) for queue in queues]
    taken = list(in_turn(tagged, lambda item: item[1]))
    for place, size in taken:
        given_[place] += size
        left[place] -= 1
        waits = [each for each, rest in zip(given_, left, strict=True) if rest]
        assert not waits or max(waits) - min(waits) <= 50
    assert sorted(taken) == sorted(item for queue in tagged for item in queue)


def test_a_member_with_many_keys_has_no_more_than_one_with_one():
    many = [entry(researcher) for researcher in (0, 3) * 10]
    made = turns(*many, *[entry(1) for _ in range(10)])
    first = list(islice(made, 10))
    assert [each.member for each in first] == ["m0", "m1"] * 5
    assert {each.entry.key for each in first if each.member == "m0"} == {CLUB.researcher_keys[n].public for n in (0, 3)}


def test_large_entries_bring_no_more_bytes_than_small_ones():
    subjects = [{"digest": bytes([n]) * 32, "role": "data"} for n in range(40)]
    made = turns(*[entry(0, subjects=subjects) for _ in range(10)], *[entry(1) for _ in range(100)])
    sizes = {"m0": 0, "m1": 0}
    for each in islice(made, 50):
        sizes[each.member] += len(each.entry.raw)
    assert abs(sizes["m0"] - sizes["m1"]) < 4000


def test_who_had_a_turn_is_the_last_of_the_next_round():
    entries = [entry(researcher) for researcher in (0, 0, 3, 1, 1, 2)]
    made = turns(*entries)
    assert order(made)[:3] == [0, 3, 5]
    made.remove(waiting(0, entries[0]))
    assert order(made) == [3, 5, 2, 4, 1], "m0 is last, and of it the other key comes first"
    made.remove(waiting(3, entries[3]))
    assert order(made)[:3] == [5, 2, 4]


def test_sums_are_those_of_what_waits_and_nothing_stays_of_what_left():
    entries = [entry(researcher) for researcher in (0, 3, 1)]
    made = turns(*entries)
    assert (made.count, made.cost) == (3, 3000)
    assert (made.of_member("m0"), made.of_key("m0", entries[0].key)) == ((2, 2000), (1, 1000))
    assert (made.of_member("m2"), made.of_key("m0", entries[2].key)) == ((0, 0), (0, 0))
    for number, each in enumerate(entries):
        made.remove(waiting(number, each))
    assert (made.count, made.cost, made.members, list(made)) == (0, 0, {}, [])


def test_entries_that_are_sent_take_turns_too():
    flood, honest = [entry(0) for _ in range(5)], entry(1)
    assert list(entries_in_turn([*flood, honest])) == [flood[0], honest, *flood[1:]]
