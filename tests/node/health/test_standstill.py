"""A ledger that decides nothing although something waits says so, with the names of those who do not vote."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.mistakes.nodes import cluster, eventually
from tests.node.health.fake_node import fake_node

from notarium_ledger.types import Height
from notarium_node.health.condition import Condition
from notarium_node.health.reason import ReasonKind
from notarium_node.health.standstill import Standstill
from notarium_node.peers import wire


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class World:
    """A fake node and its condition on a clock that the test sets."""

    def __init__(self) -> None:
        self.node = fake_node()
        self.clock = Clock()
        self.condition = Condition(self.node, self.clock)
        self.condition.look()

    def after(self, seconds: float) -> list[ReasonKind]:
        self.clock.now += seconds
        self.condition.look()
        return [each.kind for each in self.condition.reasons()]

    def text(self) -> str:
        [reason] = [each for each in self.condition.reasons() if each.kind is not ReasonKind.TOO_FEW_VOTERS]
        return reason.text


@pytest.fixture
def world() -> World:
    return World()


def test_it_counts_from_when_something_waits_and_again_at_each_height():
    clock = Clock()
    standstill = Standstill(clock)
    for height, is_due, seconds in (
        (1, True, 0),
        (1, True, 5),
        (2, True, 0),
        (2, True, 5),
        (2, False, 0),
        (2, True, 0),
    ):
        clock.now += 5
        standstill.look(Height(height), is_due)
        assert standstill.seconds == seconds


def test_a_block_that_is_due_for_longer_than_dead_proposers_cost_makes_the_node_unready(world):
    patience_s = world.node.engine.patience_ms / 1000
    assert world.after(patience_s) == [], "so long f dead proposers and a slow round may take"
    assert world.after(0.5) == [ReasonKind.NOTHING_DECIDED]


def test_an_idle_ledger_stays_ready(world):
    world.node.mempool.entries = 0
    assert world.after(3600) == []
    assert world.after(3600) == []


def test_a_busy_ledger_is_ready_as_long_as_blocks_come(world):
    for height in range(10):
        world.node.store.state = replace(world.node.store.state, height=Height(height))
        assert world.after(6) == []


def test_a_locked_block_waits_though_no_entry_does(world):
    world.node.mempool.entries, world.node.engine.prepared_round = 0, 3
    world.after(0)
    assert world.after(8) == [ReasonKind.NOTHING_DECIDED]


def test_it_names_who_does_not_vote_and_who_is_not_connected(world):
    keys = {each.member: each.key for each in world.node.genesis.registry.nodes.values()}
    world.node.engine.votes_missing = lambda: (keys["m2"], keys["m3"])
    world.after(8)
    assert world.text() == (
        "nothing is decided: a block has been due for 8 s at height 1; 2 of 4 validators are heard in round 2, "
        "3 needed; no vote from: m2, m3 (not connected); start or connect their nodes; the status of one that runs "
        "says why it does not vote"
    )
    world.node.engine.votes_missing, world.node.engine.is_voting = (lambda: (keys["m3"],)), False
    assert "no vote from: m3 (not connected), m0 (this node: its status says why); start" in world.text()


def test_where_enough_are_heard_the_log_says_why_rounds_fail(world):
    world.after(8)
    assert "4 of 4 validators are heard in round 2, 3 needed; no vote from: nobody; the log says why" in world.text()


def test_an_observer_and_a_node_whose_disk_is_full_wait_for_no_votes(world):
    world.node.driver.stalled = "the disk is full"
    assert world.after(60) == [ReasonKind.DISK_REFUSES_WRITES]
    observer = Condition(fake_node("observer"), world.clock)
    observer.look()
    world.clock.now += 60
    observer.look()
    assert observer.reasons() == []


def test_where_others_have_decided_the_blocks_are_what_is_missing(world):
    world.node.sync.credible = 2
    world.after(8)
    assert world.text() == "catching up: 2 blocks behind, and none has come for 8 s"


async def test_of_four_that_are_connected_the_votes_of_two_are_lost(tmp_path):
    async with cluster(tmp_path, base_timeout_ms=100, max_timeout_ms=200, resend_ms=50) as made:
        await made.decided(await made.submit(0))
        silent = {made.keys[number].public for number in (2, 3)}
        made.passes = lambda sender, receiver, data: sender not in silent or data[0] != wire.Kind.CONSENSUS
        entry = await made.submit(0)
        for number in (0, 1):
            condition = made.nodes[number].condition
            await eventually(condition.reasons)
            [reason] = condition.reasons()
            assert reason.kind is ReasonKind.NOTHING_DECIDED
            members = sorted(made.records[made.keys[each].public].member for each in (2, 3))
            assert f"no vote from: {', '.join(members)}; the status of one that runs" in reason.text
        made.passes = lambda sender, receiver, data: True
        await made.decided(entry)
        await eventually(lambda: not any(node.condition.reasons() for node in made.nodes.values()))
