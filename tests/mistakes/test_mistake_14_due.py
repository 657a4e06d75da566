"""Mistake 14: round changes before a block is due, and starvation by empty blocks (besu#2095, #10917).

The round timer runs only while a block is due, and a block is due only while something is pending.
"""

# Plain integers stand for heights and rounds here.
# mypy: disable-error-code="arg-type"

from __future__ import annotations

import pytest
from tests.consensus.harness import Bench
from tests.mistakes.network import Net
from tests.mistakes.planted import SIZES, must_fail
from tests.support.consortium import START_MS, Consortium

from notarium_consensus.effects import RequestBlock
from notarium_consensus.engine import Engine
from notarium_consensus.inputs import WorkPending
from notarium_consensus.instance import Instance
from notarium_ledger.errors import InvalidBlock
from notarium_ledger.state.chain_state import advance

HOUR_MS = 3_600_000


def the_timer_always_runs(patch: pytest.MonkeyPatch) -> None:
    """A height begins with its timer."""
    begin = Engine._advance

    def begin_due(self: Engine, event) -> None:
        begin(self, event)
        if self._instance is not None:
            self._instance._become_due("a height began")

    patch.setattr(Engine, "_advance", begin_due)


def nothing_is_asked_for_again(patch: pytest.MonkeyPatch) -> None:
    """A proposer that once had nothing is not asked again."""

    def work_pending(self: Instance) -> None:
        self._become_due("work is pending")
        self._run()

    patch.setattr(Instance, "work_pending", work_pending)


def an_empty_block_is_a_block(patch: pytest.MonkeyPatch) -> None:
    """No least number of entries."""
    patch.setattr("notarium_ledger.state.chain_state.check_sizes", lambda parameters, raws: None)


@pytest.mark.parametrize("size", SIZES)
def test_mistake_14_an_idle_network_changes_no_rounds_and_says_nothing_for_hours(size: int) -> None:
    net = Net(size)
    net.start()
    net.run(5_000)
    assert net.sent == [], "nobody has anything to say"
    net.run(10 * HOUR_MS)
    assert {node.engine.round for node in net.nodes} == {0}
    assert net.sent == []
    # And the first entry after that is decided at once, in round 0.
    net.work()
    assert net.run(500, lambda: set(net.heights()) == {1})
    assert net.nodes[0].decisions[0].certificate.round == 0
    # Then it is idle again.
    net.run(1_000)
    said = len(net.sent)
    net.run(10 * HOUR_MS)
    assert len(net.sent) == said
    assert {node.engine.round for node in net.nodes} == {0}


@pytest.mark.parametrize("size", SIZES)
def test_mistake_14_a_proposer_that_has_nothing_proposes_nothing_until_there_is_something(size: int) -> None:
    bench = Bench(own=1, size=size)
    bench.step(WorkPending())
    assert len(bench.of(RequestBlock)) == 1
    bench.built(None)
    assert bench.said() == []
    bench.step(WorkPending())
    assert len(bench.of(RequestBlock)) == 1, "asked again as soon as work comes"
    bench.built(bench.club.block(1))
    assert "PROPOSAL" in bench.said()


@pytest.mark.parametrize("size", SIZES)
def test_mistake_14_one_liar_cannot_make_an_idle_network_produce_blocks_or_hinder_the_next_entry(size: int) -> None:
    """Its messages start the others' timers, as a vote would; no block comes of it, and work ends the round at once."""
    net = Net(size, max_timeout_ms=10_000)
    net.start()
    liar = Bench(own=None, size=size).club
    for victim in range(1, size):
        net.send(0, victim, liar.change(0, 1))
    net.run(60_000)
    assert net.agreed() is None
    assert set(net.heights()) == {0}
    net.work()
    assert net.run(500, lambda: min(net.heights()) == 1)
    assert net.agreed() is not None


def test_mistake_14_a_block_without_entries_is_invalid() -> None:
    """By the state machine itself, whoever proposes it."""
    consortium = Consortium(4)
    with pytest.raises(InvalidBlock, match="0 entries, 1 to"):
        advance(consortium.state, [], START_MS + 1, consortium.validator_keys[0].public)


def test_mistake_14_planted_is_caught_by_each_test() -> None:
    for size in SIZES:
        must_fail(
            the_timer_always_runs,
            test_mistake_14_an_idle_network_changes_no_rounds_and_says_nothing_for_hours,
            size,
        )
        must_fail(
            nothing_is_asked_for_again,
            test_mistake_14_a_proposer_that_has_nothing_proposes_nothing_until_there_is_something,
            size,
        )
        must_fail(
            nothing_is_asked_for_again,
            test_mistake_14_one_liar_cannot_make_an_idle_network_produce_blocks_or_hinder_the_next_entry,
            size,
        )
    must_fail(an_empty_block_is_a_block, test_mistake_14_a_block_without_entries_is_invalid)
