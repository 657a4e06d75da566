"""Mistake 9: time. Whoever has more than a third of the power controls a median clock (tendermint#2840); proposer-based
timestamps need a message delay that grows with the round; and where re-proposals are rejected because their time is
old, rounds change without end (indy-plenum#1488).
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from tests.consensus.harness import NOW_MS, PRECISION_MS
from tests.mistakes.network import Net
from tests.mistakes.planted import SIZES, must_fail
from tests.simulation.chain import build

from notarium_consensus import height_state, justification
from notarium_consensus.effects import Effect, RequestBlock, RoundTimer
from notarium_consensus.events import ProposalRejected
from notarium_consensus.inputs import BlockBuilt
from notarium_consensus.timers import HeightTimers
from notarium_ledger.blocks.statements import StatementKind
from notarium_ledger.types import Height, Round

HOUR_MS = 3_600_000


def any_time_is_timely(patch: pytest.MonkeyPatch) -> None:
    """The proposer's word is taken."""
    patch.setattr(height_state, "untimely", lambda time_ms, length_ms, context, now_ms: None)


def the_delay_does_not_grow(patch: pytest.MonkeyPatch) -> None:
    """A fixed message delay."""
    untimely = justification.untimely
    patch.setattr(
        height_state,
        "untimely",
        lambda time_ms, length_ms, context, now_ms: untimely(time_ms, context.lengths.base_ms, context, now_ms),
    )


def the_proposer_does_not_wait(patch: pytest.MonkeyPatch) -> None:
    """A block a millisecond after its parent, whatever the clock says."""
    patch.setattr(HeightTimers, "may_propose", lambda self, round_: True)


def old_blocks_are_held_to_the_clock(patch: pytest.MonkeyPatch) -> None:
    """A block proposed again must be as timely as a new one."""
    patch.setattr(height_state, "is_fresh", lambda proposal: True)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("skew_ms", [HOUR_MS, -HOUR_MS, -30_000, PRECISION_MS + 50, 365 * 24 * HOUR_MS])
def test_mistake_09_f_wrong_clocks_do_not_move_the_ledgers_time(size: int, skew_ms: int) -> None:
    """They belong to the first f proposers, so that their blocks come first."""
    net = Net(size)
    faulty = (size - 1) // 3
    for number in range(1, 1 + faulty):
        net.nodes[number].skew_ms = skew_ms
    net.start()
    net.work()
    assert net.run(60_000, lambda: min(net.heights()) == 1)
    net.agreed()
    time_ms = net.nodes[0].decisions[0].block.header.time_ms
    assert NOW_MS - PRECISION_MS - net.delay_ms <= time_ms <= net.now_ms + PRECISION_MS


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("latency_ms", [2_600, 5_000, 9_000])
def test_mistake_09_a_network_slower_than_the_configured_delay_decides_in_a_later_round(
    size: int, latency_ms: int
) -> None:
    net = Net(size)
    net.latency_ms = latency_ms
    net.start()
    net.work()
    assert net.run(5 * 60_000, lambda: min(net.heights()) == 1), "always too late"
    assert net.agreed() is not None
    assert net.nodes[0].decisions[0].certificate.round > 0


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("outage_ms", [HOUR_MS, 30 * 24 * HOUR_MS])
def test_mistake_09_a_block_locked_before_a_long_outage_is_decided_after_it_with_its_old_time(
    size: int, outage_ms: int
) -> None:
    net = Net(size)
    net.start()
    net.work()
    net.drop = lambda sender, receiver, message: message.kind is StatementKind.COMMIT
    net.run(900)
    assert {node.engine.prepared_round for node in net.nodes} == {0}
    net.drop = lambda sender, receiver, message: True
    net.run(100)
    # The machines are switched off: no timer runs, and all clocks go on.
    for node in net.nodes:
        node.timers.clear()
    net.now_ms += outage_ms
    net.drop = lambda sender, receiver, message: False
    for node in net.nodes:
        node.expire(RoundTimer(node.engine.height, node.engine.round))
    assert net.run(60_000, lambda: min(net.heights()) == 1), "rounds change without end"
    net.agreed()
    decision = net.nodes[0].decisions[0]
    assert decision.block.header.time_ms < NOW_MS + 1_000
    assert decision.certificate.round > 0


def liar_at_the_edge_of_time(skews_ms: Sequence[int]) -> Net:
    """Two heights. v1, a liar, proposes the first block as late as two others accept it, and does not vote again.

    The proposer of the second, v2, has the slowest clock. Work for it waits from the start.
    """
    net = Net(4)
    for node, skew_ms in zip(net.nodes, skews_ms, strict=True):
        node.skew_ms = skew_ms
    liar = net.nodes[1]
    perform = liar._perform
    latest_ms = NOW_MS + sorted(skews_ms[number] for number in (0, 2, 3))[1] + PRECISION_MS

    def lie(effect: Effect) -> None:
        if isinstance(effect, RequestBlock) and effect.height == 1:
            block = build(liar.tip, liar.waiting, latest_ms, liar.key.public, net.set_of(1))
            net.later(0, lambda: liar.feed(BlockBuilt(Height(1), Round(0), block)))
        else:
            perform(effect)

    liar._perform = lie  # type: ignore[method-assign]
    net.drop = lambda sender, receiver, message: sender == 1 and message.height == 2
    net.start()
    net.work(b"ok 1")
    net.work(b"ok 2", at=[2])
    return net


@pytest.mark.parametrize("slow_ms", [-PRECISION_MS // 2, -PRECISION_MS // 4, 0])
def test_mistake_09_a_liar_at_the_edge_of_time_costs_no_round_and_blames_nobody(slow_ms: int) -> None:
    """The next proposer waits until its clock has passed the parent's time, so all honest validators accept it."""
    fast_ms = PRECISION_MS // 2
    net = liar_at_the_edge_of_time([fast_ms, 0, slow_ms, fast_ms])
    assert net.run(60_000, lambda: min(net.heights([0, 2, 3])) == 2)
    assert net.nodes[0].decisions[1].certificate.round == 0
    assert [event for _, event in net.reported if isinstance(event, ProposalRejected) and event.height == 2] == []


def test_mistake_09_planted_is_caught_by_each_test_is_caught_by_each_test() -> None:
    for size in (4, 7):
        for skew_ms in (HOUR_MS, -30_000, PRECISION_MS + 50):
            must_fail(any_time_is_timely, test_mistake_09_f_wrong_clocks_do_not_move_the_ledgers_time, size, skew_ms)
        must_fail(
            the_delay_does_not_grow,
            test_mistake_09_a_network_slower_than_the_configured_delay_decides_in_a_later_round,
            size,
            5_000,
        )
        must_fail(
            old_blocks_are_held_to_the_clock,
            test_mistake_09_a_block_locked_before_a_long_outage_is_decided_after_it_with_its_old_time,
            size,
            HOUR_MS,
        )
    must_fail(
        the_proposer_does_not_wait,
        test_mistake_09_a_liar_at_the_edge_of_time_costs_no_round_and_blames_nobody,
        -PRECISION_MS // 2,
    )
