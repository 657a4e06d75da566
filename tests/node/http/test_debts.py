"""Who sends junk waits, nobody else does, and nobody waits long."""

from hypothesis import given
from hypothesis import strategies as st

from notarium_node.http import debts
from notarium_node.http.debts import ADDRESSES, LONGEST_S, Debts


def test_an_address_is_refused_from_its_limit_on_until_enough_is_forgiven():
    owed = Debts(most=100, forgiven_per_s=10)
    owed.add("a", 99, 0.0)
    assert owed.wait_s("a", 0.0) == 0
    owed.add("a", 26, 0.0)
    assert [owed.wait_s("a", now) for now in (0.0, 1.0, 2.4, 2.6)] == [3, 2, 1, 0]
    assert owed.wait_s("b", 0.0) == 0


def test_what_was_done_long_ago_is_forgiven():
    owed = Debts(most=100, forgiven_per_s=10)
    owed.add("a", 99, 0.0)
    owed.add("a", 50, 60.0)
    assert owed.wait_s("a", 60.0) == 0


@given(st.lists(st.tuples(st.integers(0, 5_000), st.floats(0, 3)), max_size=30))
def test_nobody_waits_longer_than_the_longest(faults):
    owed, now = Debts(most=100, forgiven_per_s=10), 0.0
    for amount, pause in faults:
        now += pause
        owed.add("a", amount, now)
        assert owed.wait_s("a", now) <= LONGEST_S
    assert owed.wait_s("a", now + LONGEST_S + 0.1) == 0


def test_the_table_is_bounded_and_forgets_who_was_at_fault_longest_ago(monkeypatch):
    monkeypatch.setattr(debts, "ADDRESSES", 2)
    owed = Debts(most=1, forgiven_per_s=1)
    for address in ("a", "b", "a", "c"):
        owed.add(address, 1, 0.0)
    assert [owed.wait_s(each, 0.0) > 0 for each in "abc"] == [True, False, True]
    assert ADDRESSES <= 100_000
