"""A round whose proposer cannot be reached ends early, and only then."""

# Plain integers stand for heights and rounds here.
# mypy: disable-error-code="arg-type"

from __future__ import annotations

import pytest
from tests.consensus.harness import Bench

from notarium_consensus.effects import AbsenceTimer, RoundTimer
from notarium_consensus.events import ProposerAbsent
from notarium_consensus.inputs import WorkPending
from notarium_consensus.rules import Rule
from notarium_consensus.timers import ABSENCE_MS
from notarium_ledger.blocks.block import Block

GONE = AbsenceTimer(1, 0)
"""Validator 1 proposes in round 0 of height 1."""


def waiting(own: int = 0, **how: object) -> Bench:
    """A validator of four to which the proposer, 1, is not connected, with work."""
    bench = Bench(own=own, **how)
    bench.reach(*({0, 2, 3} - {own}))
    bench.step(WorkPending())
    return bench


def decide(bench: Bench, proposer: int, round_: int) -> Block:
    """The others decide a block in `round_`, which has a fresh proposal."""
    club = bench.club
    block = club.block(proposer, time_ms=bench.now_ms)
    changes = [club.signed_change(signer, round_) for signer in range(4) if signer != 1]
    others = [each for each in range(4) if each != bench.own]
    bench.receive(*(club.commit(signer, round_, block) for signer in others))
    bench.accept(club.proposal(proposer, round_, block, changes if round_ else ()))
    assert bench.engine.phase.name == "DECIDED"
    return block


def test_a_round_is_left_soon_after_its_proposer_was_lost():
    bench = waiting()
    assert bench.timers()[GONE] == ABSENCE_MS
    bench.absence()
    assert list(bench.engine.fired) == [Rule.ABSENT_PROPOSER]
    assert (bench.engine.round, bench.said()) == (1, ["ROUND_CHANGE"])
    assert bench.events(ProposerAbsent) == [ProposerAbsent(1, 0, bench.club.keys[1].public)]


def test_the_next_proposer_that_is_absent_too_costs_no_more_once_a_quorum_is_there():
    bench = Bench(own=0, size=7)
    bench.reach(3, 4, 5, 6)
    bench.step(WorkPending())
    bench.absence()
    assert bench.engine.round == 1
    assert bench.timers() == {}, "it does not go on alone"
    bench.receive(*(bench.club.change(signer, 1) for signer in (3, 4, 5)))
    assert AbsenceTimer(1, 1) not in bench.timers()
    bench.receive(bench.club.change(6, 1))
    assert bench.timers()[AbsenceTimer(1, 1)] == ABSENCE_MS
    bench.absence(1)
    assert bench.engine.round == 2


@pytest.mark.parametrize(
    ("own", "reachable"),
    [(0, {1, 2}), (0, {1, 2, 3}), (0, {2}), (0, set()), (1, {0, 2, 3}), (1, {2, 3})],
    ids=["it is there", "all are there", "no quorum", "nobody", "this node proposes", "and lacks another"],
)
def test_no_timer_runs_where_the_proposer_is_there_or_nobody_could_go_on(own, reachable):
    bench = Bench(own=own)
    bench.reach(*reachable)
    bench.step(WorkPending())
    assert RoundTimer(1, 0) in bench.timers()
    assert GONE not in bench.timers()
    bench.absence()
    assert bench.engine.round == 0


def test_no_timer_runs_while_nothing_is_due():
    bench = Bench(own=0)
    bench.reach(2, 3)
    assert bench.timers() == {}
    bench.absence()
    assert bench.engine.round == 0


@pytest.mark.parametrize("how", [{"own": None}, {"vote_from": 5}], ids=["observer", "not allowed to sign"])
def test_who_does_not_sign_leaves_no_round(how):
    bench = Bench(**how)
    bench.reach(2, 3)
    bench.step(WorkPending())
    assert GONE not in bench.timers()
    bench.absence()
    assert bench.engine.round == 0


def test_a_round_with_a_proposal_lasts_its_time():
    """Its proposer may be dead; the others can decide without it."""
    bench = waiting()
    bench.receive(bench.club.proposal(1, 0, bench.club.block(1)), peer=bench.club.keys[1].public)
    bench.absence()
    assert bench.engine.round == 0


def test_a_proposer_that_comes_back_in_time_has_its_turn_and_one_that_leaves_again_gets_the_whole_time():
    bench = waiting()
    bench.now_ms += ABSENCE_MS - 1
    bench.reach(1, 2, 3)
    bench.absence()
    assert bench.engine.round == 0
    bench.now_ms += 10
    bench.reach(2, 3)
    assert bench.timers() == {GONE: ABSENCE_MS}
    bench.absence()
    assert bench.engine.round == 1


def test_the_quorum_can_be_lost_before_the_timer_expires():
    bench = waiting()
    bench.reach(2)
    bench.absence()
    assert bench.engine.round == 0


def test_the_restart_of_a_height_knows_who_is_there():
    bench = waiting()
    bench.absence()
    block = decide(bench, 2, 1)
    bench.now_ms += 10
    bench.advance(bench.club.after(block))
    bench.reach(1, 3)
    bench.step(WorkPending())
    assert bench.timers()[AbsenceTimer(2, 0)] == ABSENCE_MS, "validator 2 proposes"


def lengths_after_a_turn(bench: Bench, proposer: int, round_: int) -> int:
    """The first round's length at the next height."""
    block = decide(bench, proposer, round_)
    bench.now_ms += 10
    bench.advance(bench.club.after(block))
    bench.reach(1, 2, 3)
    bench.step(WorkPending())
    return bench.timers()[RoundTimer(2, 0)]


def test_a_round_that_was_skipped_does_not_make_the_next_height_more_patient():
    """Else each turn of a dead proposer would lengthen the rounds of all."""
    bench = waiting()
    bench.absence()
    bench.receive(bench.club.change(2, 1), bench.club.change(3, 1))
    assert bench.timers() == {RoundTimer(1, 1): 1_000}, "nor the next round"
    bench.now_ms += 900
    assert lengths_after_a_turn(bench, 2, 1) == 1_000


def test_neither_does_one_that_others_skipped_first():
    bench = waiting()
    bench.receive(bench.club.change(2, 1), bench.club.change(3, 1))
    assert bench.engine.round == 1
    bench.now_ms += 900
    assert lengths_after_a_turn(bench, 2, 1) == 1_000


def test_a_round_that_timed_out_does():
    bench = Bench(own=0)
    bench.step(WorkPending())
    bench.timeout()
    bench.receive(bench.club.change(2, 1), bench.club.change(3, 1))
    bench.now_ms += 900
    assert lengths_after_a_turn(bench, 2, 1) == 2_000


def test_who_left_a_round_early_learns_nothing_from_its_decision():
    bench = waiting()
    bench.absence()
    assert lengths_after_a_turn(bench, 1, 0) == 1_000


def test_who_left_a_later_round_too_soon_learns_from_its_decision():
    """A dead proposer's turn comes in each height of several rounds; it must not hide that the lines are slow."""
    bench = waiting()
    bench.absence()
    bench.receive(bench.club.change(2, 1), bench.club.change(3, 1))
    bench.timeout(1)
    assert lengths_after_a_turn(bench, 2, 1) == 2_000


def test_nor_learns_it_from_a_decision_that_it_fetches():
    bench = waiting()
    bench.absence()
    bench.now_ms += 10
    bench.advance(bench.club.after(bench.club.block(1)))
    bench.reach(1, 2, 3)
    bench.step(WorkPending())
    assert bench.timers()[RoundTimer(2, 0)] == 1_000
