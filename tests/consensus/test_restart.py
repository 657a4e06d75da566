"""The record: what a restarted validator says, and when it must stay silent (consensus notes, mistake 6)."""

# Plain integers stand for heights and rounds here.
# mypy: disable-error-code="arg-type"

from __future__ import annotations

import pytest
from tests.consensus.harness import Bench, Club

from notarium_consensus.effects import CheckBlock, Persist, RequestBlock, ResendTimer, RoundTimer
from notarium_consensus.events import OwnSignatureSeen
from notarium_consensus.inputs import WorkPending
from notarium_consensus.justification import Prepared
from notarium_consensus.messages import encode_message
from notarium_consensus.own_messages import OwnMessages
from notarium_consensus.permission import FENCE_KEY, encode_fence
from notarium_consensus.signing_record import PREPARED_KEY, encode_prepared
from notarium_ledger.blocks.block import Block
from notarium_ledger.blocks.statements import StatementKind, Vote
from notarium_ledger.types import Round


def restarted(bench: Bench, own: int = 0, **config: object) -> Bench:
    """The same validator after a crash, with what it persisted."""
    return Bench(own=own, record=bench.disk, record_height=1, **config)


def prepared_bench() -> tuple[Bench, Block]:
    bench = Bench(own=0)
    block = bench.club.block(1)
    bench.accept(bench.club.proposal(1, 0, block))
    return bench, block


def test_recorded_bytes_are_sent_again():
    bench, _ = prepared_bench()
    sent = [encode_message(message) for message in bench.sent()]
    again = restarted(bench)
    assert [encode_message(message) for message in again.sent()] == sent
    assert set(again.timers()) == {RoundTimer(1, 0), ResendTimer(1)}
    assert not [effect for effect in again.effects if isinstance(effect, Persist)]


def test_the_round_and_the_lock_survive():
    bench, block = prepared_bench()
    bench.receive(bench.club.prepare(1, 0, block), bench.club.prepare(2, 0, block))
    bench.timeout()
    again = restarted(bench)
    assert (again.engine.round, again.engine.prepared_round) == (1, 0)
    assert again.said() == ["ROUND_CHANGE"]
    again.timeout(1)
    (change,) = again.sent()
    assert change.signed.prepared == (0, block.hash)  # type: ignore[union-attr]


def test_no_second_prepare_in_a_round_even_for_another_block():
    bench, _ = prepared_bench()
    again = restarted(bench)
    other = bench.club.block(1, b"ok other")
    again.accept(again.club.proposal(1, 0, other))
    assert again.said() == []


def test_a_recorded_proposal_is_checked_again_before_anything_follows_from_it():
    bench = Bench(own=1)
    bench.step(WorkPending())
    block = bench.club.block(1)
    bench.built(block)
    again = restarted(bench, own=1)
    assert again.of(CheckBlock) == [CheckBlock(block)]
    again.receive(again.club.prepare(0, 0, block), again.club.prepare(2, 0, block))
    assert again.said() == []
    again.checked(block)
    assert again.said() == ["COMMIT"]


def test_the_same_proposal_after_a_restart_leads_on():
    bench, block = prepared_bench()
    again = restarted(bench)
    again.accept(again.club.proposal(1, 0, block))
    assert again.said() == [], "its prepare is out already"
    again.receive(again.club.prepare(1, 0, block), again.club.prepare(2, 0, block))
    assert again.said() == ["COMMIT"]


def test_a_restarted_proposer_proposes_the_recorded_block_not_a_new_one():
    bench = Bench(own=1)
    bench.step(WorkPending())
    block = bench.club.block(1)
    bench.built(block)
    again = restarted(bench, own=1)
    assert [message.kind for message in again.sent()] == [StatementKind.PREPARE], (
        "the proposal goes to each who lacks it"
    )
    again.step(WorkPending())
    assert again.of(RequestBlock) == []
    again.checked(block)
    again.receive(again.club.prepare(0, 0, block), again.club.prepare(2, 0, block))
    assert again.said() == ["COMMIT"]


def test_a_committed_validator_decides_after_a_restart_without_seeing_the_proposal_again():
    bench, block = prepared_bench()
    bench.receive(bench.club.prepare(1, 0, block), bench.club.prepare(2, 0, block))
    again = restarted(bench)
    assert again.of(CheckBlock) == [CheckBlock(block)], "the runner has forgotten what follows from it"
    again.receive(again.club.commit(1, 0, block), again.club.commit(2, 0, block))
    assert again.decided() is None
    again.checked(block)
    assert again.decided() is not None


@pytest.mark.parametrize("cut", range(1, 3))
def test_a_crash_between_the_persists_of_one_step_is_harmless(cut):
    """The prepared block is written before the commit, so a commit on disk always has its block."""
    bench, block = prepared_bench()
    before = dict(bench.disk)
    effects = bench.receive(bench.club.prepare(1, 0, block), bench.club.prepare(2, 0, block))
    persists = [effect for effect in effects if isinstance(effect, Persist)]
    assert [effect.key == PREPARED_KEY for effect in persists] == [True, False]
    bench.disk = before | {effect.key: effect.value for effect in persists[:cut]}
    again = restarted(bench)
    assert again.engine.prepared_round == 0
    assert ("COMMIT" in again.said()) == (cut == 2)


def test_a_record_of_an_earlier_height_is_over():
    bench, block = prepared_bench()
    again = Bench(own=0, record=bench.disk, record_height=1, advance=False)
    again.advance(again.club.after(block))
    assert again.effects == []
    assert again.engine.is_voting


def test_a_record_of_a_later_height_fences_all_below_it():
    """The chain was restored from a backup, the record was not."""
    bench, block = prepared_bench()
    again = Bench(own=0, record=bench.disk, record_height=3)
    again.accept(again.club.proposal(1, 0, block))
    assert again.said() == []
    assert not again.engine.is_voting
    assert again.engine.vote_from == 3


def test_with_a_new_key_the_old_keys_messages_are_not_sent():
    bench, _ = prepared_bench()
    again = restarted(bench, own=2)
    assert again.effects == []


# ---- the fence ---------------------------------------------------------------------------------------------------


def test_a_restored_backup_signs_nothing_below_vote_from():
    bench = Bench(own=0, vote_from=3)
    block = bench.club.block(1)
    everything = bench.accept(bench.club.proposal(1, 0, block))
    everything += bench.receive(*(bench.club.commit(signer, 0, block) for signer in (1, 2, 3)))
    bench.effects = everything
    assert bench.sent() == []
    assert bench.decided() is not None
    club = bench.club.after(block)
    bench.advance(club)
    assert not bench.engine.is_voting
    bench.advance(club.after(club.block(2)))
    assert bench.engine.is_voting


def own_prepare_of_elsewhere(bench: Bench) -> Vote:
    return bench.club.prepare(0, 0, bench.club.block(1, b"ok elsewhere"))


def test_an_unknown_signature_of_our_own_silences_us():
    bench = Bench(own=0)
    bench.receive(own_prepare_of_elsewhere(bench), peer=bench.club.keys[2].public)
    assert bench.events(OwnSignatureSeen) == [OwnSignatureSeen(1)]
    bench.accept(bench.club.proposal(1, 0, bench.club.block(1)))
    assert bench.said() == []
    assert bench.timeout() == []
    again = restarted(bench)
    again.accept(again.club.proposal(1, 0, again.club.block(1)))
    assert again.said() == [], "the fence is on disk"


def test_the_fence_falls_with_the_next_height():
    bench = Bench(own=0)
    bench.receive(own_prepare_of_elsewhere(bench), peer=bench.club.keys[2].public)
    bench.advance(bench.club.after(bench.club.block(1)))
    assert bench.engine.is_voting


def test_an_unknown_own_signature_inside_a_justification_counts_too_and_before_we_answer():
    bench = Bench(own=0)
    block = bench.club.block(1)
    changes = [bench.club.signed_change(signer, 1) for signer in (0, 1, 2)]
    bench.accept(bench.club.proposal(2, 1, bench.club.block(2), changes))
    assert bench.said() == []
    bench = Bench(own=0)
    bench.receive(bench.club.change(2, 1))
    bench.receive(bench.club.change(1, 1, (0, block)))
    assert bench.events(OwnSignatureSeen) == [OwnSignatureSeen(1)]
    assert bench.engine.round == 1
    assert bench.said() == [], "the jump to round 1 is not answered with a round change"


def test_an_unknown_own_signature_in_what_makes_the_quorum_of_round_changes_ends_the_step(monkeypatch):
    """The proposer would propose the prepared block again, and may sign nothing any more: that rule must not repeat."""
    propose, tries = OwnMessages.propose, []

    def counted(self, *args):
        tries.append(args)
        if len(tries) > 3:
            pytest.fail("the rules never come to an end")
        return propose(self, *args)

    monkeypatch.setattr(OwnMessages, "propose", counted)
    bench = Bench(own=3)
    block = bench.club.block(1)
    bench.accept(bench.club.proposal(1, 0, block))
    bench.timeout(0)
    bench.timeout(1)
    bench.receive(bench.club.change(0, 2, (1, block), by=(0, 1, 2)))
    bench.receive(bench.club.change(1, 2, (1, block), by=(0, 1, 3)))
    assert bench.events(OwnSignatureSeen) == [OwnSignatureSeen(1)]
    assert len(tries) == 1
    assert bench.said() == []


def test_an_own_signature_of_the_next_height_fences_that_height():
    bench = Bench(own=0)
    block = bench.club.block(1)
    club = bench.club.after(block)
    bench.receive(club.prepare(0, 0, club.block(2)), peer=club.keys[2].public)
    assert bench.events(OwnSignatureSeen) == [OwnSignatureSeen(2)]
    bench.advance(club)
    assert bench.disk == {FENCE_KEY: encode_fence(3)}, "carried along: the record of a decided height is deleted"
    assert not bench.engine.is_voting


def test_our_own_recorded_messages_alarm_nobody():
    bench, _ = prepared_bench()
    (prepare,) = bench.sent()
    again = restarted(bench)
    for member in (bench, again):
        assert member.receive(prepare, peer=bench.club.keys[2].public) == []


def test_a_lock_without_own_messages_still_tells_the_round():
    """A node whose clock is off commits without having prepared; the crash came before the commit was written."""
    club = Club()
    block = club.block(1)
    prepared = encode_prepared(Prepared(Round(3), block, club.prepares((1, 2, 3), 3, block)))
    again = Bench(own=0, record={PREPARED_KEY: prepared}, record_height=1)
    assert (again.engine.round, again.engine.prepared_round) == (3, 3)


def test_a_fence_is_reported_once():
    bench = Bench(own=0)
    peer = bench.club.keys[2].public
    bench.receive(own_prepare_of_elsewhere(bench), peer=peer)
    bench.receive(bench.club.commit(0, 0, bench.club.block(1, b"ok elsewhere")), peer=peer)
    assert bench.events(OwnSignatureSeen) == []
    assert not bench.engine.is_voting


def test_our_own_words_of_a_decided_height_are_no_news():
    bench, block = prepared_bench()
    (prepare,) = bench.sent()
    bench.advance(bench.club.after(block))
    assert bench.receive(prepare, prepare, peer=bench.club.keys[2].public) == []
    assert bench.engine.is_voting
