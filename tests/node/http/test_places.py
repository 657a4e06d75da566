"""Nobody holds more than his part, and what is given back is free again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notarium_node.http.places import Held, Places, address_of

ADDRESSES = st.sampled_from("abc")


def test_the_part_of_one_comes_before_the_whole():
    places = Places(10)
    assert [places.take("a") for _ in range(6)] == [None] * 5 + [Held.BY_ADDRESS]
    assert [places.take("b") for _ in range(5)] == [None] * 5
    assert places.take("c") is Held.BY_ALL
    places.release("a")
    assert places.take("c") is None


def test_one_that_is_larger_than_a_part_is_alone_or_waits():
    places = Places(10)
    assert places.take("a", 50) is None
    assert places.take("b", 1) is Held.BY_ALL
    places.release("a", 50)
    assert places.take("b", 1) is None
    assert places.take("a", 50) is Held.BY_ADDRESS


@given(st.lists(st.tuples(ADDRESSES, st.integers(1, 4), st.booleans())))
def test_what_is_held_is_what_was_taken_and_not_given_back(steps):
    places, held = Places(12, 6), list[tuple[str, int]]()
    for address, amount, gives in steps:
        if gives and held:
            places.release(*held.pop())
        elif places.take(address, amount) is None:
            held.append((address, amount))
        assert places.taken == sum(amount for _, amount in held) <= 12
        for each in "abc":
            assert places.held_by(each) == sum(amount for address, amount in held if address == each) <= 6


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "1.2.3.4", "10.0.0.1"),
        ("10.0.0.9", "1.2.3.4", "1.2.3.4"),
        ("10.0.0.9", "6.6.6.6, 1.2.3.4", "1.2.3.4"),
        ("10.0.0.9", "6.6.6.6, 1.2.3.4, 10.0.0.8", "1.2.3.4"),
        ("10.0.0.9", "nonsense", "?"),
        ("10.0.0.9", "6.6.6.6, nonsense", "?"),
        ("::ffff:10.0.0.9", "1.2.3.4", "1.2.3.4"),
        ("2001:db8:1:2:3:4:5:6", "", "2001:db8:1:2::"),
        ("fe80::1%eth0", "", "fe80::"),
        ("::1", "", "::1"),
        (None, "", "?"),
        ("", "1.2.3.4", "?"),
    ],
)
def test_whose_place_it_is(peer, forwarded, address):
    assert address_of(peer, forwarded, {"10.0.0.9", "10.0.0.8"}) == address
