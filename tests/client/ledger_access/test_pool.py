"""Which node is asked next."""

import pytest

from notarium.errors import LyingNode
from notarium.ledger_access.pool import FIRST_PAUSE_S, LIAR_PAUSE_S, LONGEST_PAUSE_S, NodePool

A, B, C = "http://a", "http://b", "http://c"


@pytest.fixture
def pool():
    return NodePool([A, f"{B}/", C, A])


def test_at_first_in_the_order_given_each_once(pool):
    assert pool.order(0) == [A, B, C]
    assert pool.urls == (A, B, C)


def test_the_last_good_one_comes_first(pool):
    pool.succeeded(C)
    assert pool.order(0) == [C, A, B]


def test_one_that_failed_is_left_alone_for_a_while_longer_each_time(pool):
    pool.failed(A, 100)
    assert pool.order(100) == [B, C, A]
    assert pool.order(100 + FIRST_PAUSE_S) == [A, B, C]
    pool.failed(A, 200)
    assert pool.order(200 + FIRST_PAUSE_S) == [B, C, A]
    for _ in range(100):
        pool.failed(A, 300)
    assert pool.order(300 + LONGEST_PAUSE_S) == [A, B, C]


def test_a_success_forgives(pool):
    for _ in range(10):
        pool.failed(A, 0)
    pool.succeeded(A)
    assert pool.order(0) == [A, B, C]
    pool.failed(A, 100)
    assert pool.order(100 + FIRST_PAUSE_S) == [A, B, C]


def test_a_liar_is_asked_last_for_long_and_remembered(pool):
    lie = LyingNode(A, "step 5")
    pool.lied(lie, 0)
    assert pool.order(LIAR_PAUSE_S - 1) == [B, C, A]
    assert pool.lies == [lie]
    for _ in range(500):
        pool.lied(lie, 0)
    assert len(pool.lies) == 100


def test_an_observer_is_asked_last_for_writing_only(pool):
    pool.is_read_only(A)
    assert pool.order(0) == [A, B, C]
    assert pool.order(0, writing=True) == [B, C, A]
