"""Which node is asked next."""

import pytest

from notarium.errors import LyingNode
from notarium.ledger_access.pool import (
    FIRST_PATIENCE_S,
    FIRST_PAUSE_S,
    HUNG_PAUSE_S,
    LIAR_PAUSE_S,
    LONGEST_PATIENCE_S,
    LONGEST_PAUSE_S,
    SEEN,
    SHORTEST_PATIENCE_S,
    NodePool,
)

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


# How long one node is waited for alone.


def test_a_node_that_hung_is_asked_last_for_a_while(pool):
    pool.hung(A, 100)
    assert pool.order(100 + HUNG_PAUSE_S - 1) == [B, C, A]
    assert pool.order(100 + HUNG_PAUSE_S) == [A, B, C]
    pool.hung(A, 200)
    pool.failed(A, 200)
    assert pool.order(200 + HUNG_PAUSE_S - 1) == [B, C, A], "a failure does not shorten it"


def test_a_node_is_waited_for_alone_as_long_as_answers_usually_take_within_bounds(pool):
    assert pool.patience_s(60, waiting=False) == FIRST_PATIENCE_S
    for _ in range(SEEN):
        pool.answered(0.5, waiting=False)
    assert pool.patience_s(60, waiting=False) == 0.5
    assert pool.patience_s(60, waiting=True) == FIRST_PATIENCE_S, "decisions take longer than reads"
    for _ in range(SEEN):
        pool.answered(0.001, waiting=False)
    for _ in range(2):
        pool.answered(9, waiting=False)
    assert pool.patience_s(60, waiting=False) == SHORTEST_PATIENCE_S, "two in 64 are not usual"
    for _ in range(SEEN):
        pool.answered(9, waiting=False)
    assert pool.patience_s(60, waiting=False) == LONGEST_PATIENCE_S


def test_no_node_is_waited_for_alone_longer_than_its_share_of_the_time(pool):
    assert pool.patience_s(0.2, waiting=True) == 0.2


def test_a_ledger_that_is_slow_as_a_whole_is_not_asked_twice_by_everyone(pool):
    """At most one request in ten asks another node after the usual time; the others wait for their share."""
    soon = 0
    for _ in range(1000):
        if pool.patience_s(7, waiting=True) < 7:
            soon += 1
            pool.asked_another()
        pool.answered(5, waiting=True)
    assert 100 <= soon <= 111
