"""The turn of a proposer that is down: the others leave it early, and nobody else's turn suffers from the rule."""

# Plain integers stand for heights and rounds here.
# mypy: disable-error-code="arg-type"

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.mistakes import early
from tests.mistakes.early import Replacement
from tests.mistakes.network import LATENCY_MS, Net
from tests.mistakes.planted import Mistake, must_fail

from notarium_consensus.effects import RoundTimer
from notarium_consensus.events import ProposerAbsent, RoundStarted
from notarium_consensus.phase import Phase
from notarium_consensus.timers import ABSENCE_MS

BASE_MS = 1_000
SKIPPED_MS = ABSENCE_MS + LATENCY_MS
"""What one dead turn costs: the timer, and a round change on its way."""
DECIDED_MS = 3 * LATENCY_MS
"""Proposal, prepares, commits."""


def plant(replacements: Callable[[], list[Replacement]]) -> Mistake:
    """As a mistake for `must_fail`."""

    def mistake(patch: pytest.MonkeyPatch) -> None:
        for target, name, value in replacements():
            patch.setattr(target, name, value)

    return mistake


def begin(size: int, dead: int = 0, cut: tuple[tuple[int, int], ...] = ()) -> Net:
    """The first `dead` proposers of height 1 are down, and the links `cut`."""
    net = Net(size, base_timeout_ms=BASE_MS)
    net.silent = {(1 + turn) % size for turn in range(dead)}
    lost = {frozenset(pair) for pair in cut}
    net.drop = lambda sender, receiver, message: frozenset((sender, receiver)) in lost
    net.start()
    net.connections(cut)
    return net


def live(net: Net) -> list[int]:
    return [number for number in range(len(net.nodes)) if number not in net.silent]


DEAD = [(4, 1), (5, 1), (6, 1), (7, 2), (10, 3)]


@pytest.mark.parametrize(("size", "dead"), DEAD)
def test_each_dead_turn_costs_the_absence_timer_and_one_message(size: int, dead: int) -> None:
    net = begin(size, dead)
    net.work(at=live(net))
    assert net.run(dead * SKIPPED_MS + DECIDED_MS, lambda: min(net.heights(live(net))) == 1)
    assert net.agreed() is not None
    assert {event.round for _, event in net.reported if isinstance(event, ProposerAbsent)} == set(range(dead))


@pytest.mark.parametrize(("size", "dead"), DEAD)
def test_a_dead_turn_that_is_waited_for_is_found(size: int, dead: int) -> None:
    must_fail(plant(early.never), test_each_dead_turn_costs_the_absence_timer_and_one_message, size, dead)


def test_turn_after_turn_the_rounds_of_the_others_stay_as_long_as_they_were() -> None:
    """Twenty heights, five of them begun by the dead one: patience is what slow decisions teach, not dead links."""
    net = begin(4, 1)
    for height in range(1, 21):
        net.work(b"ok%d" % height, at=live(net))
        assert net.run(SKIPPED_MS + DECIDED_MS + LATENCY_MS, lambda: min(net.heights(live(net))) == height)  # noqa: B023
    for number in live(net):
        instance = net.nodes[number].engine._instance
        assert instance is not None
        assert instance.context.lengths.level == 0


def test_the_round_after_a_dead_turn_is_as_long_as_a_first_one() -> None:
    net = begin(4, 1)
    net.drop = lambda sender, receiver, message: sender == 2 and message.kind.name == "PROPOSAL"
    net.work(at=live(net))
    net.run(SKIPPED_MS + LATENCY_MS)
    waits = {net.nodes[number].timers[RoundTimer(1, 1)] for number in live(net)}
    began_ms = {at_ms - BASE_MS for at_ms in waits}
    assert all(net.now_ms - 2 * LATENCY_MS <= each <= net.now_ms for each in began_ms)


def test_early_rounds_that_count_as_slow_are_found() -> None:
    must_fail(plant(early.as_slow_rounds), test_the_round_after_a_dead_turn_is_as_long_as_a_first_one)


def test_without_a_quorum_nobody_hurries() -> None:
    """Two of four are down: the round has its whole time, as if nobody knew."""
    net = begin(4, 2)
    net.work(at=live(net))
    net.run(BASE_MS - 1)
    assert [net.nodes[number].engine.round for number in live(net)] == [0, 0]


def test_hurry_without_a_quorum_is_found() -> None:
    must_fail(plant(early.without_a_quorum), test_without_a_quorum_nobody_hurries)


def test_a_proposal_that_came_is_not_left_when_its_proposer_dies_after_it() -> None:
    """Its votes are on their way, and slow: whoever left now would take its own away from them."""
    net = begin(4)
    net.work()
    net.run(1)
    net.latency_ms = 3 * ABSENCE_MS
    net.run(LATENCY_MS)
    assert {net.nodes[number].engine.phase for number in (0, 2, 3)} == {Phase.PREPARING}
    net.silent = {1}
    net.connections()
    assert net.run(BASE_MS - LATENCY_MS, lambda: min(net.heights(live(net))) == 1)
    decision = net.nodes[0].decisions[0]
    assert decision.certificate.round == 0


def test_leaving_a_proposal_that_came_is_found() -> None:
    must_fail(plant(early.with_a_proposal), test_a_proposal_that_came_is_not_left_when_its_proposer_dies_after_it)


def test_a_proposer_that_comes_back_in_time_has_its_turn() -> None:
    net = begin(4, 1)
    net.work()
    net.run(ABSENCE_MS - 1)
    net.silent = set()
    net.connections()
    net.reconnect()
    net.nodes[1].submit(b"more")
    assert net.run(BASE_MS, lambda: min(net.heights()) == 1)
    assert net.nodes[0].decisions[0].certificate.round == 0
    assert not [event for _, event in net.reported if isinstance(event, ProposerAbsent)]


def test_a_reconnection_that_is_ignored_is_found() -> None:
    must_fail(plant(early.in_spite_of_a_return), test_a_proposer_that_comes_back_in_time_has_its_turn)


@pytest.mark.parametrize("size", [4, 7, 10])
def test_a_proposer_that_f_nodes_cannot_reach_has_its_turn(size: int) -> None:
    """The f nodes leave alone, and f + 1 are needed to pull the others: the rest is a quorum and decides in round 0."""
    faulty = (size - 1) // 3
    apart = tuple((1, 2 + each) for each in range(faulty))
    net = begin(size, cut=apart)
    net.work()
    near = [number for number in range(size) if (1, number) not in apart]
    assert net.run(DECIDED_MS, lambda: min(net.heights(near)) == 1)
    assert net.nodes[1].decisions[0].certificate.round == 0
    assert net.run(2 * BASE_MS, lambda: min(net.heights()) == 1), "the others fetch the decision"


@pytest.mark.parametrize("size", [4, 7, 10])
def test_a_proposer_that_more_than_f_nodes_cannot_reach_loses_its_turn_at_once(size: int) -> None:
    faulty = (size - 1) // 3
    net = begin(size, cut=tuple((1, 2 + each) for each in range(faulty + 1)))
    net.work()
    assert net.run(ABSENCE_MS + 2 * LATENCY_MS + DECIDED_MS, lambda: max(net.heights()) == 1)
    assert net.agreed() is not None
    assert not [event for _, event in net.reported if isinstance(event, RoundStarted) and event.reason == "timeout"]
