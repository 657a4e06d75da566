"""Mistake 12: rounds drift apart and never meet again (besu#7642: four validators in rounds 6, 9, 10 and 10 with a
quorum of four, and round 10 lasts 4,096 s). So: f+1 in higher rounds pull, timers are capped, current messages are sent
again.

With a cap all rounds are equally long, so that nobody catches up with a validator that went ahead alone. Therefore the
timer of a round above 0 starts only once a quorum is in the round or beyond.
"""

# Plain integers stand for heights and rounds here.
# mypy: disable-error-code="arg-type"

from __future__ import annotations

import pytest
from tests.mistakes.network import Net
from tests.mistakes.planted import SIZES, must_fail

from notarium_consensus.effects import RoundTimer
from notarium_consensus.instance import Instance
from notarium_consensus.patience import RoundLengths
from notarium_ledger.blocks.statements import StatementKind
from notarium_ledger.types import Round

CAP_MS = 10_000
"""A node's default."""


def nobody_is_pulled(patch: pytest.MonkeyPatch) -> None:
    """Each goes from round to round by its own timer alone."""
    patch.setattr(Instance, "_upon_higher_round_changes", lambda self: False)


def timers_have_no_cap(patch: pytest.MonkeyPatch) -> None:
    """T(r) = T0·2^r."""
    patch.setattr(RoundLengths, "of_level", lambda self, level: self.base_ms << level)


def nothing_is_sent_again(patch: pytest.MonkeyPatch) -> None:
    """A message is sent once."""
    patch.setattr(Instance, "_resend", lambda self: None)


def timers_start_at_once(patch: pytest.MonkeyPatch) -> None:
    """Whoever enters a round starts its timer, also if it is alone there."""
    start = Instance._start_round_timer
    patch.setattr(Instance, "_start_round_timer", lambda self, proven=False: start(self, proven=True))


def lasting_ms(size: int, first: int, last: int) -> int:
    """How long these rounds last, one after the other."""
    lengths = RoundLengths(1_000, CAP_MS, (size - 1) // 3)
    return sum(lengths.of_round(Round(round_), round_) for round_ in range(first, last + 1))


def drifted(size: int, rounds: list[int], dead: int = 0, **config: int) -> Net:
    """Engines that have gone through rounds each for itself; all that they said is lost. The last `dead` never live."""
    net = Net(size, max_timeout_ms=CAP_MS, **config)
    net.silent = set(range(size - dead, size))
    net.drop = lambda sender, receiver, message: True
    net.start()
    net.work()
    for node, round_ in zip(net.nodes, rounds, strict=False):
        for left in range(round_):
            node.expire(RoundTimer(node.engine.height, left))
    assert [node.engine.round for node in net.nodes[: len(rounds)]] == rounds
    net.drop = lambda sender, receiver, message: False
    return net


PULLED = [
    (5, [6, 9, 10, 10], 1),
    (4, [6, 9, 10, 10], 0),
    (6, [0, 9, 9, 12, 12], 1),
    (7, [6, 9, 10, 10, 10], 2),
    (10, [1, 2, 4, 16, 16, 16, 16], 3),
]
"""Size, rounds of the live and number of the dead: f+1 are ahead together."""

ALONE = [
    (4, [0, 0, 9], 1),
    (5, [5, 5, 5, 13], 1),
    (7, [0, 5, 10, 15, 20], 2),
    (10, [1, 2, 4, 8, 16, 20, 25], 3),
]
"""As above, but up to f are ahead of the others, and needed for the quorum."""


@pytest.mark.parametrize(("size", "rounds", "dead"), PULLED)
def test_mistake_12_where_f_plus_one_are_ahead_all_meet_within_a_resend_time_and_decide(
    size: int, rounds: list[int], dead: int
) -> None:
    net = drifted(size, rounds, dead)
    alive = range(size - dead)
    met = net.run(1_500, lambda: len({net.nodes[number].engine.round for number in alive}) == 1)
    assert met, [net.nodes[number].engine.round for number in alive]
    # At worst the dead propose in the next rounds.
    first = net.nodes[0].engine.round
    assert net.run(lasting_ms(size, first, first + dead), lambda: min(net.heights(alive)) == 1)
    assert net.agreed() is not None


@pytest.mark.parametrize(("size", "rounds", "dead"), ALONE)
def test_mistake_12_those_who_went_ahead_alone_wait_until_the_others_have_come(
    size: int, rounds: list[int], dead: int
) -> None:
    net = drifted(size, rounds, dead)
    alive = range(size - dead)
    limit_ms = lasting_ms(size, min(rounds), max(rounds) + dead + 1)
    assert net.run(limit_ms, lambda: min(net.heights(alive)) == 1), [node.engine.round for node in net.nodes]
    assert net.agreed() is not None
    assert net.nodes[0].decisions[0].certificate.round <= max(rounds) + dead + 1


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("hours", [0.02, 3])
def test_mistake_12_a_validator_that_was_cut_off_for_hours_with_work_is_where_the_others_are(
    size: int, hours: float
) -> None:
    """f others are dead when it returns, so that it is needed: the ledger moves within seconds."""
    faulty = (size - 1) // 3
    net = Net(size, max_timeout_ms=CAP_MS)
    net.start()
    net.silent = set(range(1, size))
    net.work(at=[0])
    net.run(round(hours * 3_600_000))
    assert net.nodes[0].engine.round <= 1
    net.silent = set(range(size - faulty, size))
    alive = range(size - faulty)
    net.reconnect()
    net.work(b"ok more", at=alive)
    assert net.run(20_000, lambda: min(net.heights(alive)) >= 1), [node.engine.round for node in net.nodes]
    assert net.agreed() is not None


@pytest.mark.parametrize("size", SIZES)
def test_mistake_12_a_network_that_fell_into_single_nodes_goes_on_within_seconds(size: int) -> None:
    faulty = (size - 1) // 3
    net = Net(size, max_timeout_ms=CAP_MS)
    net.start()
    net.drop = lambda sender, receiver, message: True
    for number in range(size):
        # One after the other: the first is a minute ahead of the last.
        net.later(60_000 * number // size, lambda number=number: net.work(at=[number]))  # type: ignore[misc]
    net.run(300_000)
    assert max(node.engine.round for node in net.nodes) <= 1
    net.drop = lambda sender, receiver, message: False
    net.silent = set(range(size - faulty, size))
    alive = range(size - faulty)
    assert net.run(20_000, lambda: min(net.heights(alive)) >= 1)
    assert net.agreed() is not None


@pytest.mark.parametrize("size", [4, 5, 7, 10])
def test_mistake_12_what_was_lost_once_is_said_again_and_decides_without_a_new_round(size: int) -> None:
    """Every first copy of every message is lost."""
    net = Net(size, base_timeout_ms=10_000, max_timeout_ms=10_000)
    heard: set[tuple[int, int, int, StatementKind]] = set()

    def first_copy(sender, receiver, message) -> bool:
        slot = (sender, receiver, message.round, message.kind)
        known = slot in heard
        heard.add(slot)
        return not known

    net.drop = first_copy
    net.start()
    net.work()
    assert net.run(9_000, lambda: min(net.heights()) == 1)
    assert net.nodes[0].decisions[0].certificate.round == 0


@pytest.mark.parametrize("round_", [10, 20, 1_000])
def test_mistake_12_a_late_round_lasts_an_hour_at_most(round_: int) -> None:
    """Beyond the cap the lengths double only with each f + 1 rounds, and end there."""
    net = drifted(4, [round_] * 4)
    node = net.nodes[0]
    net.run(1_500, lambda: RoundTimer(1, round_) in node.timers)
    assert node.timers[RoundTimer(1, round_)] - node.now_ms == lasting_ms(4, round_, round_) <= 3_600_000


def test_mistake_12_planted_is_caught_by_each_test() -> None:
    pulled = test_mistake_12_where_f_plus_one_are_ahead_all_meet_within_a_resend_time_and_decide
    alone = test_mistake_12_those_who_went_ahead_alone_wait_until_the_others_have_come
    for drift in PULLED:
        must_fail(nobody_is_pulled, pulled, *drift)
    must_fail(nothing_is_sent_again, pulled, *PULLED[0])
    for drift in ALONE:
        must_fail(timers_start_at_once, alone, *drift)
    for size in (4, 7):
        must_fail(
            timers_start_at_once,
            test_mistake_12_a_validator_that_was_cut_off_for_hours_with_work_is_where_the_others_are,
            size,
            0.02,
        )
        must_fail(
            nothing_is_sent_again,
            test_mistake_12_what_was_lost_once_is_said_again_and_decides_without_a_new_round,
            size,
        )
        must_fail(
            timers_start_at_once,
            test_mistake_12_a_network_that_fell_into_single_nodes_goes_on_within_seconds,
            size,
        )
    must_fail(timers_have_no_cap, test_mistake_12_a_late_round_lasts_an_hour_at_most, 20)


def test_mistake_12_planted_besus_halt_happens_where_nobody_is_pulled_and_timers_have_no_cap() -> None:
    """The report itself: with a first round of 4 s, 6/9/10/10 with a quorum of four stand still for 15 minutes."""
    with pytest.MonkeyPatch.context() as patch:
        nobody_is_pulled(patch)
        timers_have_no_cap(patch)
        timers_start_at_once(patch)
        net = drifted(5, [6, 9, 10, 10], 1, base_timeout_ms=4_000, resend_ms=60_000)
        assert not net.run(900_000, lambda: min(net.heights(range(4))) == 1)
