"""How old the oldest waiting entry is, and how long decided ones waited; what is forgotten costs no memory."""

import pytest

from notarium_ledger.types import Hash
from notarium_node.health.arrivals import SPARE, Arrivals


class World:
    """A clock, and the entries that wait."""

    def __init__(self):
        self.now = 100.0
        self.waiting: set[Hash] = set()
        self.arrivals = Arrivals(lambda: self.now, self.waiting, lambda: len(self.waiting))

    def arrive(self, *ids):
        self.waiting.update(ids)
        self.arrivals.note(ids)

    def decide(self, *ids):
        self.waiting.difference_update(ids)
        self.arrivals.decided(ids)


@pytest.fixture
def world():
    return World()


def decided(world):
    return dict(world.arrivals.decided_after.buckets())


def test_the_oldest_is_the_first_that_still_waits(world):
    assert world.arrivals.oldest_s() == 0
    world.arrive(b"a")
    world.now += 5
    world.arrive(b"b")
    world.now += 2
    assert world.arrivals.oldest_s() == 7
    world.decide(b"a")
    assert world.arrivals.oldest_s() == 2
    world.decide(b"b")
    assert world.arrivals.oldest_s() == 0


def test_one_that_became_invalid_is_not_the_oldest(world):
    world.arrive(b"a")
    world.now += 60
    world.arrive(b"b")
    world.waiting.remove(b"a")
    assert world.arrivals.oldest_s() == 0
    world.now += 1
    assert world.arrivals.oldest_s() == 1


def test_one_that_comes_again_waits_from_then_on(world):
    world.arrive(b"a")
    world.waiting.remove(b"a")
    world.now += 60
    world.arrive(b"a")
    world.now += 1
    assert world.arrivals.oldest_s() == 1


def test_only_what_waited_here_is_counted_when_it_is_decided(world):
    world.arrive(b"a", b"b")
    world.now += 0.3
    world.decide(b"a", b"from elsewhere")
    world.now += 50
    world.decide(b"b")
    assert (decided(world)["0.25"], decided(world)["0.5"], decided(world)["60.0"], decided(world)["+Inf"]) == (
        0, 1, 2, 2,
    )  # fmt: skip


def test_what_is_dropped_undecided_does_not_fill_the_memory(world):
    world.arrive(b"stays")
    for number in range(10 * SPARE):
        each = number.to_bytes(4, "big")
        world.arrive(each)
        world.waiting.remove(each)
    assert len(world.arrivals._arrived_s) <= SPARE + 2
    world.now += 1
    assert world.arrivals.oldest_s() == 1
