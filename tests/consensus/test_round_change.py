"""Failed rounds: paper, algorithm 3, and its justifications, algorithm 4."""

# Plain integers stand for heights and rounds here.
# mypy: disable-error-code="arg-type"

from __future__ import annotations

import pytest
from tests.consensus.harness import DELAY_MS, NOW_MS, PRECISION_MS, Bench

from notarium_consensus.effects import CheckBlock, RequestBlock
from notarium_consensus.engine import Phase
from notarium_consensus.events import ProposalRejected, ProtocolViolation, RoundStarted
from notarium_consensus.inputs import WorkPending
from notarium_consensus.messages import Proposal, RoundChange
from notarium_ledger.blocks.block import Block
from notarium_ledger.types import MAX_ROUND


def locked(own: int = 0) -> tuple[Bench, Block]:
    """A validator that has committed validator 1's block in round 0."""
    bench = Bench(own=own)
    block = bench.club.block(1)
    bench.accept(bench.club.proposal(1, 0, block))
    bench.receive(*(bench.club.prepare(signer, 0, block) for signer in range(4) if signer != own))
    assert bench.engine.prepared_round == 0
    return bench, block


def test_a_timeout_starts_the_next_round_with_a_round_change():
    """UponRoundTimeout."""
    bench = Bench(own=0)
    bench.step(WorkPending())
    bench.timeout()
    assert bench.said() == ["ROUND_CHANGE"]
    (change,) = bench.sent()
    assert isinstance(change, RoundChange)
    assert (change.round, change.signed.prepared, change.block, change.prepares) == (1, None, None, ())
    assert bench.timers() == {}, "its timer starts when a quorum is in the round"
    assert bench.events(RoundStarted) == [RoundStarted(1, 1, "timeout")]


def test_a_locked_validator_names_its_prepared_block_and_proves_it():
    bench, block = locked()
    bench.timeout()
    (change,) = bench.sent()
    assert isinstance(change, RoundChange)
    assert change.signed.prepared == (0, block.hash)
    assert change.block is None
    assert len(change.prepares) == 3


def test_f_plus_one_higher_rounds_pull_this_node_to_the_lowest_of_them():
    bench = Bench(own=0)
    bench.receive(bench.club.change(1, 5))
    assert bench.engine.round == 0, "one may lie"
    bench.receive(bench.club.change(2, 3))
    assert bench.engine.round == 3
    assert bench.said() == ["ROUND_CHANGE"]
    bench.receive(bench.club.change(2, 9))
    assert bench.engine.round == 5, "applied again: 5 and 9 are both above 3"


def test_votes_of_a_left_round_are_not_answered():
    """Mistake 10."""
    bench = Bench(own=0)
    block = bench.club.block(1)
    bench.accept(bench.club.proposal(1, 0, block))
    bench.timeout()
    bench.receive(bench.club.prepare(1, 0, block), bench.club.prepare(2, 0, block))
    assert bench.said() == []
    assert bench.engine.prepared_round is None


def test_a_proposal_of_a_left_round_gets_no_prepare():
    bench = Bench(own=0)
    bench.step(WorkPending())
    bench.timeout()
    assert bench.receive(bench.club.proposal(1, 0, bench.club.block(1))) == []


def test_commits_of_a_left_round_still_decide():
    """UponCommit has no condition on the round."""
    bench = Bench(own=0)
    block = bench.club.block(1)
    bench.accept(bench.club.proposal(1, 0, block))
    bench.timeout()
    bench.receive(*(bench.club.commit(signer, 0, block) for signer in (1, 2, 3)))
    decision = bench.decided()
    assert decision is not None
    assert decision.certificate.round == 0


def test_commits_of_different_rounds_never_make_a_certificate():
    """Mistake 5: with n = 4 and one liar that certifies two different blocks."""
    bench = Bench(own=0)
    block = bench.club.block(1)
    bench.accept(bench.club.proposal(1, 0, block))
    bench.receive(bench.club.commit(1, 0, block), bench.club.commit(2, 1, block), bench.club.commit(3, 2, block))
    assert bench.decided() is None
    bench.receive(bench.club.commit(2, 0, block))
    assert bench.decided() is None
    bench.receive(bench.club.commit(3, 0, block))
    decision = bench.decided()
    assert decision is not None
    assert decision.certificate.round == 0


# ---- the proposer of a higher round ------------------------------------------------------------------------------


def test_the_new_proposer_waits_for_q_round_changes_of_exactly_its_round():
    bench = Bench(own=2)
    bench.step(WorkPending())
    bench.timeout()
    bench.receive(bench.club.change(0, 1), bench.club.change(1, 2))
    assert bench.of(RequestBlock) == [], "its own, one for this round and one for a later one: not Q"
    bench.receive(bench.club.change(3, 1))
    assert [request.round for request in bench.of(RequestBlock)] == [1]


def test_it_proposes_a_fresh_block_if_nobody_prepared_one():
    bench = Bench(own=2)
    bench.step(WorkPending())
    bench.timeout()
    bench.receive(bench.club.change(0, 1), bench.club.change(3, 1))
    bench.built(bench.club.block(2), round_=1)
    assert bench.said() == ["PROPOSAL", "PREPARE"]
    proposal = bench.sent()[0]
    assert isinstance(proposal, Proposal)
    assert len(proposal.round_changes) == 3
    assert proposal.prepares == ()
    follower = Bench(own=None)
    follower.accept(proposal)
    assert (follower.engine.round, follower.engine.phase) == (1, Phase.PREPARING)


def test_it_proposes_the_highest_prepared_block_again():
    bench = Bench(own=3)  # proposes in round 2
    low, high = bench.club.block(1, b"ok low"), bench.club.block(2, b"ok high")
    bench.receive(bench.club.change(0, 2, (0, low)), bench.club.change(1, 2, (1, high)))
    assert bench.engine.round == 2, "f+1 are in round 2"
    assert bench.of(CheckBlock) == [CheckBlock(high)]
    bench.checked(high)
    assert bench.said() == ["PROPOSAL", "PREPARE"]
    proposal = bench.sent()[0]
    assert isinstance(proposal, Proposal)
    assert proposal.block == high
    assert {vote.round for vote in proposal.prepares} == {1}
    follower = Bench(own=None)
    follower.accept(proposal)
    assert (follower.engine.round, follower.engine.phase) == (2, Phase.PREPARING)


def test_a_copy_with_other_entries_under_the_same_header_does_not_spoil_the_prepared_block():
    bench = Bench(own=3)
    block = bench.club.block(1, b"ok good")
    garbage = type(block)(block.header, (b"ok garbage",))
    bench.receive(bench.club.change(0, 2, (0, garbage)), bench.club.change(1, 2, (0, block)))
    assert bench.of(CheckBlock) == [CheckBlock(garbage)]
    bench.checked(garbage, valid=False)
    assert bench.of(CheckBlock) == [CheckBlock(block)]
    bench.checked(block)
    assert bench.sent()[0].block == block  # type: ignore[union-attr]


def test_a_prepared_block_that_comes_to_light_while_building_goes_first():
    bench = Bench(own=2)
    bench.step(WorkPending())
    bench.timeout()
    bench.receive(bench.club.change(0, 1), bench.club.change(3, 1))
    prepared = bench.club.block(1)
    bench.receive(bench.club.change(1, 1, (0, prepared), by=(0, 1, 3)))
    bench.built(bench.club.block(2), round_=1)
    assert bench.said() == []
    bench.checked(prepared)
    assert bench.sent()[0].block == prepared  # type: ignore[union-attr]


def test_an_answer_for_a_left_round_is_not_proposed():
    bench = Bench(own=1)
    bench.step(WorkPending())
    bench.timeout()
    assert bench.built(bench.club.block(1), round_=0) == []


# ---- receiving proposals of higher rounds ------------------------------------------------------------------------


def test_a_justified_proposal_pulls_a_node_into_its_round():
    """UponProposal of a higher round: the Q round changes inside are proof enough."""
    bench = Bench(own=0)
    changes = [bench.club.signed_change(signer, 1) for signer in (1, 2, 3)]
    bench.accept(bench.club.proposal(2, 1, bench.club.block(2), changes))
    assert bench.engine.round == 1
    assert bench.said() == ["PREPARE"]


def test_a_locked_node_votes_for_another_block_only_if_a_quorum_shows_no_lock():
    """The lock is not held against a justified proposal: Q round changes without a lock mean nothing was decided."""
    bench, _ = locked()
    changes = [bench.club.signed_change(signer, 1) for signer in (1, 2, 3)]
    bench.accept(bench.club.proposal(2, 1, bench.club.block(2), changes))
    assert bench.said() == ["PREPARE"]
    assert bench.engine.prepared_round == 0


def test_a_block_proposed_again_is_not_held_to_the_clock():
    """Mistake 9: otherwise rounds would change without end."""
    bench = Bench(own=0)
    old = bench.club.block(1, time_ms=NOW_MS - 50_000)
    changes = [bench.club.signed_change(signer, 1, (0, old)) for signer in (1, 2, 3)]
    again = bench.club.proposal(2, 1, old, changes, bench.club.prepares((1, 2, 3), 0, old))
    bench.accept(again)
    assert bench.said() == ["PREPARE"]
    assert bench.events(ProposalRejected) == []


@pytest.mark.parametrize(
    ("round_", "offset_ms", "timely"),
    [
        (0, PRECISION_MS, True),
        (0, PRECISION_MS + 1, False),
        (0, -PRECISION_MS - DELAY_MS, True),
        (0, -PRECISION_MS - DELAY_MS - 1, False),
        (1, -PRECISION_MS - 2 * DELAY_MS, True),
        (1, -PRECISION_MS - 2 * DELAY_MS - 1, False),
        (1, PRECISION_MS + 1, False),
    ],
)
def test_a_fresh_block_must_be_timely_by_this_clock(round_, offset_ms, timely):
    bench = Bench(own=0)
    proposer = 1 + round_
    block = bench.club.block(proposer, time_ms=NOW_MS + offset_ms)
    changes = [bench.club.signed_change(signer, round_) for signer in (1, 2, 3)] if round_ else []
    bench.accept(bench.club.proposal(proposer, round_, block, changes))
    assert bench.said() == (["PREPARE"] if timely else [])
    assert bool(bench.events(ProposalRejected)) is not timely
    assert bench.events(ProtocolViolation) == [], "a clock that is off is nobody's lie"


def test_a_node_whose_clock_is_off_still_commits_what_a_quorum_prepared():
    bench = Bench(own=0)
    block = bench.club.block(1, time_ms=NOW_MS + 1_000_000)
    bench.accept(bench.club.proposal(1, 0, block))
    bench.receive(*(bench.club.prepare(signer, 0, block) for signer in (1, 2, 3)))
    assert bench.said() == ["COMMIT"]


# ---- sending again -----------------------------------------------------------------------------------------------


def test_the_last_round_has_no_next():
    bench = Bench(own=0)
    bench.receive(bench.club.change(1, MAX_ROUND), bench.club.change(2, MAX_ROUND))
    assert bench.engine.round == MAX_ROUND
    assert bench.timeout(MAX_ROUND) == []


def test_a_question_left_open_in_one_round_does_not_block_a_later_one():
    """Validator 1 proposes in rounds 0 and 4; the runner never answers for round 0."""
    bench = Bench(own=1)
    bench.step(WorkPending())
    bench.receive(*(bench.club.change(signer, 4) for signer in (0, 2)))
    assert [request.round for request in bench.of(RequestBlock)] == [4]


def test_a_late_proposal_still_brings_the_block_that_a_quorum_committed():
    bench = Bench(own=0)
    bench.step(WorkPending())
    bench.timeout()
    block = bench.club.block(1)
    bench.receive(*(bench.club.commit(signer, 0, block) for signer in (1, 2, 3)))
    assert bench.decided() is None
    bench.receive(bench.club.proposal(1, 0, block))
    assert bench.of(CheckBlock) == [CheckBlock(block)]
    bench.checked(block)
    assert bench.decided() is not None
