"""Keys sort by number, and the position of a tree node is the order in which nodes are completed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notarium_ledger.log.frontier import EMPTY
from notarium_ledger.log.hashes import leaf_hash
from notarium_store import keys

numbers = st.integers(0, 2**64 - 1)


@given(numbers, numbers)
def test_keys_sort_as_their_numbers(one, other):
    for make in (
        lambda number: keys.numbered(keys.HEADER, number),
        lambda number: keys.named(keys.DIGEST, bytes(32), number),
        lambda number: keys.record(number, b"0/prepare"),
    ):
        assert (make(one) < make(other)) is (one < other)


@given(st.lists(st.integers(0, 200), min_size=1, max_size=4))
def test_a_position_counts_the_nodes_that_were_completed_before(sizes):
    frontier, position = EMPTY, 0
    for size in sizes:
        frontier, nodes = frontier.extend(leaf_hash(b"%d" % number) for number in range(size))
        for level, index, _ in nodes:
            assert keys.node_position(level, index) == position
            position += 1
        assert keys.nodes_before(frontier.size) == position


def test_no_prefix_begins_another():
    prefixes = [value for name, value in vars(keys).items() if name.isupper() and isinstance(value, bytes)]
    assert len(prefixes) == len(set(prefixes)) == 17
    assert {len(each) for each in prefixes} == {1}


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        (keys.numbered(keys.HEADER, 7), "header key 680000000000000007"),
        (keys.STATE, "state key 73"),
        (b"?1", "unknown key 3f31"),
    ],
)
def test_a_key_is_shown_by_its_kind(key, shown):
    assert keys.describe(key) == shown
