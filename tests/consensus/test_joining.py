"""Nodes that only follow: they lack blocks, or do not remember what they signed (consensus notes, mistakes 8, 13)."""

# Plain integers stand for heights and rounds here.
# mypy: disable-error-code="arg-type"

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.consensus.harness import DELAY_MS, PRECISION_MS, Bench

from notarium_consensus.effects import Broadcast, CheckBlock, Decide, Persist, Report, RequestBlock, RoundTimer
from notarium_consensus.events import OwnSignatureSeen
from notarium_consensus.inputs import Advance, WorkPending
from notarium_consensus.permission import FENCE_KEY, NO_FENCE, Memory, Permission, encode_fence
from notarium_consensus.phase import Phase
from notarium_consensus.signing_record import PREPARED_KEY


def work_on(bench: Bench, may_sign: bool = True, vote_from: int = NO_FENCE, **how: object) -> Advance:
    """The Advance of a node that lacks blocks unless it `may_sign`, and that is fenced by `vote_from`."""
    tip, club = bench.club.tip, bench.club
    event = Advance(club.height, tip.hash, tip.time_ms, club.validators, PRECISION_MS, DELAY_MS)
    return replace(event, permission=Permission(is_complete=may_sign, fence=vote_from), **how)


def follower(own: int = 0, **how: object) -> Bench:
    """Validator `own` at height 1, not to sign there."""
    bench = Bench(own=own, advance=False)
    bench.step(work_on(bench, may_sign=False, **how))
    return bench


def test_mistake_8_a_node_that_lacks_blocks_signs_nothing_and_decides_by_the_votes_of_others():
    bench = follower()
    block = bench.club.block(1)
    said = bench.step(WorkPending()) + bench.accept(bench.club.proposal(1, 0, block))
    said += bench.receive(*bench.club.prepares((1, 2, 3), 0, block))
    assert not [effect for effect in said if isinstance(effect, Persist)]
    assert RoundTimer(1, 0) not in bench.timers()
    bench.receive(*(bench.club.commit(signer, 0, block) for signer in (1, 2, 3)))
    decided = bench.decided()
    assert decided is not None
    assert decided.block.hash == block.hash
    assert not bench.engine.is_voting


def test_mistake_13_once_complete_it_votes_at_the_height_that_is_open():
    bench = follower()
    block = bench.club.block(1)
    bench.accept(bench.club.proposal(1, 0, block))
    assert bench.said() == []
    bench.step(work_on(bench))
    assert bench.engine.is_voting
    assert bench.timers() == {RoundTimer(1, 0): 1_000}
    bench.checked(block)
    assert bench.said() == ["PREPARE"]
    bench.receive(bench.club.prepare(1, 0, block), bench.club.prepare(2, 0, block))
    assert bench.said() == ["COMMIT"]


def test_mistake_13_what_the_others_have_prepared_by_then_it_commits_to_with_the_lock_on_the_disk_first():
    bench = follower()
    block = bench.club.block(1)
    bench.accept(bench.club.proposal(1, 0, block))
    bench.receive(*bench.club.prepares((1, 2, 3), 0, block))
    bench.step(work_on(bench))
    assert bench.said() == []
    effects = bench.checked(block)
    assert bench.said() == ["PREPARE", "COMMIT"]
    assert PREPARED_KEY in bench.disk
    last_write = max(at for at, effect in enumerate(effects) if isinstance(effect, Persist))
    assert last_write < min(at for at, effect in enumerate(effects) if isinstance(effect, Broadcast))


def test_mistake_13_a_verdict_that_was_formed_without_history_counts_for_nothing_once_it_may_sign():
    """The block has an entry that was decided long ago; only the history shows it."""
    bench = follower()
    block = bench.club.block(1)
    bench.accept(bench.club.proposal(1, 0, block))
    bench.receive(*bench.club.prepares((1, 2, 3), 0, block))
    assert (bench.engine.phase, bench.engine.prepared_round) == (Phase.COMMITTING, 0)
    bench.step(work_on(bench))
    assert bench.of(CheckBlock) == [CheckBlock(block, 1)]
    assert (bench.engine.phase, bench.engine.prepared_round) == (Phase.CHECKING, None)
    assert bench.checked(block, attempt=0) == [], "an answer of before"
    bench.checked(block, False, "an entry is in the log already")
    assert (bench.said(), bench.engine.phase) == ([], Phase.REJECTED)
    bench.timeout()
    assert bench.sent() == [bench.club.change(0, 1)], "and it claims no lock"


def test_mistake_13_the_answer_to_a_check_under_way_is_ignored_and_a_rejected_block_gets_another_check():
    bench = follower()
    block = bench.club.block(1)
    bench.receive(bench.club.proposal(1, 0, block))
    bench.step(work_on(bench))
    assert bench.checked(block, attempt=0) == []
    bench.checked(block)
    assert bench.said() == ["PREPARE"]
    bench = follower()
    bench.receive(bench.club.proposal(1, 0, block))
    bench.checked(block, False, "an entry that a key signs which the missing blocks enrol")
    bench.step(work_on(bench))
    bench.checked(block)
    assert bench.said() == ["PREPARE"]


def test_mistake_13_a_lock_on_the_disk_survives_and_its_block_is_checked_again():
    bench = Bench(own=0)
    block = bench.club.block(1)
    bench.accept(bench.club.proposal(1, 0, block))
    bench.receive(*bench.club.prepares((1, 2), 0, block))
    again = Bench(own=0, record=bench.disk, record_height=1, advance=False)
    again.step(work_on(again, may_sign=False))
    again.checked(block)
    again.step(work_on(again))
    assert again.of(CheckBlock) == [CheckBlock(block, 1)]
    assert again.engine.prepared_round == 0


def test_mistake_13_with_work_waiting_it_proposes_when_it_is_its_turn():
    bench = follower(own=1)
    bench.step(WorkPending())
    bench.step(work_on(bench))
    assert bench.of(RequestBlock) == [RequestBlock(1, 0, bench.club.tip.time_ms + 1)]


def test_mistake_10_it_does_not_vote_in_the_rounds_that_went_by():
    bench = follower()
    block = bench.club.block(1)
    bench.accept(bench.club.proposal(1, 0, block))
    bench.receive(bench.club.change(1, 1), bench.club.change(2, 1))
    assert bench.engine.round == 1
    bench.step(work_on(bench))
    assert bench.said() == ["ROUND_CHANGE"]
    assert [message.round for message in bench.sent()] == [1]


def test_to_be_told_again_what_it_does_already_changes_nothing():
    bench = Bench(own=0)
    bench.accept(bench.club.proposal(1, 0, bench.club.block(1)))
    assert bench.step(work_on(bench)) == []
    assert bench.engine.is_voting
    assert bench.step(work_on(bench, may_sign=False)) == []
    assert not bench.engine.is_voting, "it has learned meanwhile that it may not sign"


def test_what_the_record_shows_is_not_signed_anew_though_it_only_followed_since():
    bench = Bench(own=0)
    bench.accept(bench.club.proposal(1, 0, bench.club.block(1)))
    again = Bench(own=0, record=bench.disk, record_height=1, advance=False)
    again.step(work_on(again, may_sign=False))
    again.step(work_on(again))
    again.accept(again.club.proposal(1, 0, again.club.block(1, b"another")))
    assert again.said() == []


def test_no_height_is_begun_below_the_present_one():
    bench = Bench(own=0)
    with pytest.raises(ValueError, match="Advance to 0 while at 1"):
        bench.step(work_on(bench, height=0))


def test_below_vote_from_nothing_is_signed_and_the_fence_is_on_the_disk():
    bench = Bench(own=0, advance=False)
    bench.step(work_on(bench, vote_from=3))
    assert bench.disk == {FENCE_KEY: encode_fence(3)}
    assert bench.accept(bench.club.proposal(1, 0, bench.club.block(1))) is not None
    assert bench.said() == []
    assert bench.engine.vote_from == 3


def test_vote_from_is_never_lowered():
    bench = follower(vote_from=5)
    bench.step(work_on(bench, vote_from=2))
    assert bench.engine.vote_from == 5
    assert not bench.engine.is_voting


def test_heights_may_be_skipped():
    bench = follower()
    bench.step(work_on(bench, height=40))
    assert bench.engine.height == 40
    assert bench.engine.is_voting


def test_what_was_committed_is_known_for_the_present_height_only():
    bench = Bench(own=0)
    block = bench.club.block(1)
    bench.accept(bench.club.proposal(1, 0, block))
    assert not bench.engine.has_committed(1, 0)
    bench.receive(*bench.club.prepares((1, 2), 0, block))
    assert bench.engine.has_committed(1, 0)
    assert not bench.engine.has_committed(1, 1)
    bench.advance(bench.club.after(block))
    assert not bench.engine.has_committed(1, 0)


def test_by_the_operators_word_it_votes_at_a_height_where_it_has_signed_but_in_later_rounds_only():
    """More than f disks are lost at an open height. Others hold its vote, so a fence would stop the ledger for good."""
    bench = Bench(own=0, advance=False)
    permission = Permission(by_hand=1, regained=1, is_by_word=True)
    bench.step(replace(work_on(bench), permission=permission))
    block, other = bench.club.block(1), bench.club.block(1, b"ok another")
    bench.receive(bench.club.prepare(0, 0, block), peer=bench.club.keys[1].public)
    bench.accept(bench.club.proposal(1, 0, other))
    assert bench.events(OwnSignatureSeen) == []
    assert bench.said() == [], "it may have signed anything in round 0"
    bench.timeout()
    assert bench.said() == ["ROUND_CHANGE"]
    changes = [bench.club.signed_change(signer, 1) for signer in (0, 1, 2)]
    bench.accept(bench.club.proposal(2, 1, bench.club.block(2), changes))
    assert bench.said()[-1] == "PREPARE"


def test_who_has_forgotten_is_silent_about_its_own_signatures_and_leaves_their_rounds():
    bench = Bench(own=0, advance=False)
    lost = replace(work_on(bench), permission=Permission(Memory.LOST, by_hand=1))
    bench.step(lost)
    bench.receive(bench.club.change(0, 2), peer=bench.club.keys[1].public)
    assert bench.events(OwnSignatureSeen) == []
    assert bench.engine.vote_from == NO_FENCE, "where it may sign again, the answers or its operator say"
    bench.step(replace(lost, permission=lost.permission.settled_by_word(None)))
    assert bench.engine.is_voting
    bench.accept(bench.club.proposal(1, 0, bench.club.block(1)))
    assert bench.said() == [], "round 2 is the last one that it has left"


def by_word(left: int | None = None, height: int = 1) -> Permission:
    return Permission(by_hand=height, regained=height, is_by_word=True, left=left)


def test_by_the_operators_word_the_rounds_that_the_answers_show_are_left_also_after_a_restart():
    bench = Bench(own=0, advance=False)
    bench.step(replace(work_on(bench), permission=by_word(left=1)))
    again = Bench(own=0, record=bench.disk, record_height=1, advance=False)
    again.step(replace(work_on(again), permission=by_word()))
    for each in (bench, again):
        each.accept(each.club.proposal(1, 0, each.club.block(1)))
        each.timeout(0)
        assert each.said() == [], "rounds 0 and 1"
        each.timeout(1)
        assert each.said() == ["ROUND_CHANGE"]


def test_the_rounds_that_are_left_are_those_of_this_height_and_are_left_before_early_messages_count():
    bench = Bench(own=0, advance=False)
    bench.step(replace(work_on(bench), permission=Permission(Memory.LOST)))
    block, peer = bench.club.block(1), bench.club.keys[1].public
    later = bench.club.after(block)
    bench.receive(bench.club.commit(0, 40, block), peer=peer)  # Ours, of round 40 of height 1.
    bench.receive(later.change(0, 1), peer=peer)  # Ours, of round 1 of height 2.
    bench.receive(later.change(1, 1), later.change(2, 1))
    bench.permission = by_word(height=2)
    bench.advance(later)
    assert bench.said() == [], "two others are in round 1, but so was this node"
    bench.timeout(1)
    assert bench.said() == ["ROUND_CHANGE"], "round 2, not 41"


@pytest.mark.parametrize("is_by_word", [False, True])
def test_a_signature_seen_after_one_was_made_in_the_same_step_takes_that_back(is_by_word: bool):
    """The early messages of the next height: f+1 round changes, and then a proposal that has ours inside."""
    bench = Bench(own=0)
    block = bench.club.block(1)
    later = bench.club.after(block)
    proposer = [each.public for each in later.keys].index(later.validators.proposer(2, 1))
    others = [each for each in (1, 2, 3) if each != proposer][:2]
    bench.receive(*(later.change(each, 1) for each in others))
    prepared = later.block(2)
    changes = [later.signed_change(0, 1, (0, prepared)), *(later.signed_change(each, 1) for each in others)]
    prepares = later.prepares((1, 2, 3), 0, prepared)
    bench.receive(later.proposal(proposer, 1, prepared, changes, prepares))
    bench.permission = by_word(height=2) if is_by_word else bench.permission
    bench.advance(later)
    assert bench.said() == []
    assert bench.events(OwnSignatureSeen) == ([] if is_by_word else [OwnSignatureSeen(2)])
    assert bench.engine.is_voting is is_by_word


def test_a_step_that_decides_reports_a_forgotten_signature_first():
    bench = Bench(own=0)
    block = bench.club.block(1)
    bench.accept(bench.club.proposal(1, 0, block))
    bench.receive(bench.club.commit(1, 0, block), bench.club.commit(2, 0, block))
    bench.receive(bench.club.commit(0, 0, block), peer=bench.club.keys[1].public)
    kinds = [type(each) for each in bench.effects if isinstance(each, Persist | Report | Decide)]
    assert kinds[:3] == [Persist, Report, Decide]
    assert bench.events(OwnSignatureSeen) == [OwnSignatureSeen(1)]
