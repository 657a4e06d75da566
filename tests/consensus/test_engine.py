"""Messages of other heights, heights that others decided, and the bounds of what is kept."""

# Plain integers stand for heights and rounds here.
# mypy: disable-error-code="arg-type"

from __future__ import annotations

import gc
import weakref
from dataclasses import replace

import pytest
from tests.consensus.harness import GENESIS, NOW_MS, Bench, Club
from tests.simulation.chain import validator_keys, validator_set

from notarium_consensus import authentication
from notarium_consensus.effects import CheckBlock, RequestBlock, ResendTimer, RoundTimer, Send
from notarium_consensus.engine import Engine, EngineConfig, Phase
from notarium_consensus.events import PeerAhead, PeerBehind, ProtocolViolation
from notarium_consensus.inputs import Advance, BlockBuilt, PeerConnected, TimerExpired, WorkPending
from notarium_consensus.messages import signed_part
from notarium_ledger.blocks.statements import StatementKind, Vote
from notarium_ledger.blocks.validators import ValidatorSet
from notarium_ledger.types import Hash, Height, Round


def one_height_on(own: int = 0) -> tuple[Bench, Club]:
    """An engine at height 2, and the club of height 1."""
    bench = Bench(own=own)
    first = bench.club
    bench.advance(first.after(first.block(1)))
    return bench, first


# ---- early -------------------------------------------------------------------------------------------------------


def test_messages_of_the_next_height_wait_for_it_and_cost_one_verification(monkeypatch):
    bench = Bench(own=0)
    club = bench.club.after(bench.club.block(1))
    block = club.block(2)
    early = [club.proposal(2, 0, block), club.prepare(1, 0, block), club.prepare(3, 0, block)]
    bench.receive(*early)
    assert bench.sent() == []
    monkeypatch.setattr(authentication, "verify", lambda *arguments: pytest.fail("verified twice"))
    bench.advance(club)
    assert bench.of(CheckBlock) == [CheckBlock(block)]
    bench.checked(block)
    assert bench.said() == ["PREPARE", "COMMIT"]


def test_of_each_signer_and_kind_one_early_message_is_kept_the_highest():
    bench = Bench(own=0)
    club = bench.club.after(bench.club.block(1))
    block = club.block(2)
    bench.receive(*(club.prepare(1, round_, block) for round_ in (0, 5, 3)))
    assert len(bench.engine._early) == 1
    bench.advance(club)
    assert bench.inbox().prepares.get(club.keys[1].public, Round(5)) is not None


def test_nothing_unauthenticated_is_kept_early():
    bench = Bench(own=0)
    club = bench.club.after(bench.club.block(1))
    vote = club.prepare(1, 0, club.block(2))
    bench.receive(replace(vote, key=club.keys[2].public))
    assert len(bench.engine._early) == 0
    assert bench.effects == [], "its set may differ from ours: no violation either"


def test_early_messages_of_another_validator_set_are_lost_not_misread():
    bench = Bench(own=0)
    club = bench.club.after(bench.club.block(1))
    bench.receive(club.prepare(3, 0, club.block(2)))
    smaller = ValidatorSet(club.validators.validators[:3])
    bench.advance(club, validators=smaller)
    assert bench.inbox().prepares.heard_in(Round(0)) == set()


def test_who_is_two_heights_ahead_is_asked_at_once_but_not_again_and_again():
    bench = Bench(own=0)
    far = Club(height=3)
    vote = far.prepare(1, 0, far.block(1))
    bench.receive(vote)
    assert bench.events(PeerAhead) == [PeerAhead(vote.key, 3)]
    assert bench.receive(vote) == []
    bench.now_ms += 1000
    bench.receive(vote)
    assert len(bench.events(PeerAhead)) == 1


def test_a_false_height_is_not_believed():
    """Mistake 8."""
    bench = Bench(own=0)
    far = Club(height=1000)
    bench.receive(replace(far.prepare(1, 0, far.block(1)), key=far.keys[2].public))
    assert bench.effects == []


def test_who_is_one_height_ahead_is_asked_after_a_resend_time():
    bench = Bench(own=0)
    club = bench.club.after(bench.club.block(1))
    vote = club.prepare(1, 0, club.block(2))
    bench.receive(vote)
    assert bench.events(PeerAhead) == [], "usually our own decision is a moment away"
    assert ResendTimer(1) in bench.timers()
    bench.step(TimerExpired(ResendTimer(1)))
    assert bench.events(PeerAhead) == [PeerAhead(vote.key, 2)]


# ---- late --------------------------------------------------------------------------------------------------------


def test_the_vote_beyond_the_quorum_that_comes_late_says_nothing_but_a_second_time_it_does():
    bench, first = one_height_on()
    vote = first.commit(3, 0, first.block(1))
    assert bench.receive(vote) == []
    bench.receive(vote)
    assert bench.events(PeerBehind) == [PeerBehind(vote.key, 1)]


def test_a_round_change_of_a_decided_height_asks_for_the_decision():
    """Paper, algorithm 3: who has decided answers a ROUND-CHANGE with the decision."""
    bench, first = one_height_on()
    bench.receive(first.change(3, 1))
    assert bench.events(PeerBehind) == [PeerBehind(first.keys[3].public, 1)]


def test_forged_late_messages_lead_to_nothing():
    bench, first = one_height_on()
    change = first.change(3, 1)
    forged = replace(change, signed=replace(change.signed, key=first.keys[2].public))
    assert bench.receive(forged, forged) == []


# ---- decided by others -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_locked", [False, True])
def test_a_height_that_others_decided_ends_with_the_advance_whatever_is_under_way(is_locked):
    """Catch-up is the node's own: the engine hears of no certificate."""
    bench = Bench(own=0)
    first, block = bench.club, bench.club.block(1)
    bench.receive(first.proposal(1, 0, block))
    assert bench.of(CheckBlock)
    if is_locked:
        bench.checked(block)
        bench.receive(first.prepare(1, 0, block), first.prepare(2, 0, block), first.commit(1, 0, block))
        bench.timeout()
        assert (bench.engine.round, bench.engine.prepared_round) == (1, 0)
    assert bench.advance(first.after(block)) == []
    assert (bench.engine.height, bench.engine.round, bench.engine.phase) == (2, 0, Phase.WAITING)
    assert (bench.engine.prepared_round, bench.engine.due, bench.engine.is_voting) == (None, False, True)
    bench.checked(block)
    assert bench.effects == []
    assert bench.receive(first.commit(2, 0, block), first.commit(3, 0, block)) == []
    for timer in (RoundTimer(1, 0), RoundTimer(1, 1), ResendTimer(1)):
        assert bench.step(TimerExpired(timer)) == []


def test_q_commits_for_a_block_that_never_came_ask_for_it_again_and_again():
    bench = Bench(own=0)
    block = bench.club.block(1)
    votes = [bench.club.commit(signer, 0, block) for signer in (1, 2, 3)]
    bench.receive(*votes)
    assert bench.events(PeerAhead) == [PeerAhead(votes[-1].key, 1)]
    bench.step(TimerExpired(ResendTimer(1)))
    assert bench.events(PeerAhead) == [PeerAhead(votes[-1].key, 1)]


# ---- peers, bounds, blame ----------------------------------------------------------------------------------------


def test_a_peer_that_connects_gets_the_current_rounds_messages():
    bench = Bench(own=0)
    block = bench.club.block(1)
    peer = bench.club.keys[3].public
    assert bench.step(PeerConnected(peer)) == []
    bench.accept(bench.club.proposal(1, 0, block))
    bench.step(PeerConnected(peer))
    assert [(effect.peer, effect.message.kind) for effect in bench.of(Send)] == [(peer, StatementKind.PREPARE)]


def test_advance_goes_forward_only():
    bench, first = one_height_on()
    with pytest.raises(ValueError, match="Advance to 1 while at 2"):
        bench.advance(first)


def test_an_answer_of_the_height_before_is_not_proposed():
    bench = Bench(own=1, size=1 + 1)
    old = bench.club.block(1)
    club = bench.club.after(old)
    bench.advance(club)
    bench.advance(club.after(club.block(0)))
    bench.now_ms += 3  # past the parent's time
    bench.step(WorkPending())
    assert len(bench.of(RequestBlock)) == 1
    assert bench.step(BlockBuilt(1, 0, old)) == []


def test_first_late_votes_are_forgiven_at_every_height():
    bench, first = one_height_on()
    assert bench.receive(first.commit(3, 0, first.block(1))) == []
    second = bench.club
    bench.advance(second.after(second.block(2)))
    assert bench.receive(second.commit(3, 0, second.block(2))) == []


def test_hints_are_limited_in_time_also_across_heights():
    bench, first = one_height_on()
    bench.receive(first.change(3, 1))
    assert bench.events(PeerBehind)
    second = bench.club
    bench.advance(second.after(second.block(2)))
    assert bench.receive(second.change(3, 1)) == []
    bench.now_ms += 1000
    bench.advance(bench.club.after(bench.club.block(3)))
    assert len(bench.engine._hinted) == 0, "and forgotten"


def test_late_messages_of_strangers_take_no_room():
    bench, first = one_height_on()
    stranger = Club(7)
    bench.receive(*(stranger.commit(signer, 0, first.block(1)) for signer in range(7)))
    assert len(bench.engine._late) <= 4


def test_who_is_behind_is_heard_under_the_set_of_its_height():
    bench = Bench(own=0)
    first = bench.club
    smaller = ValidatorSet(first.validators.validators[:3])
    bench.advance(first.after(first.block(1)), validators=smaller)
    change = first.change(3, 1)
    bench.receive(change)
    assert bench.events(PeerBehind) == [PeerBehind(change.key, 1)]


def test_the_signed_part_of_a_proposal_is_equivocation_but_not_a_message():
    bench = Bench(own=0)
    part = signed_part(bench.club.proposal(1, 0, bench.club.block(1)))
    assert isinstance(part, Vote)
    bench.receive(part)
    assert len(bench.events(ProtocolViolation)) == len(bench.effects) == 1


def test_the_height_before_is_in_no_reference_cycle():
    """What a decided height held is freed at once, not at the next garbage collection: a block may be megabytes."""
    validators = validator_set(validator_keys(4))
    engine = Engine(EngineConfig(GENESIS, None), {}, None)

    def advance(height: int) -> None:
        engine.step(Advance(Height(height), Hash(bytes(32)), NOW_MS, validators, 500, 2_000), NOW_MS)

    gc.disable()
    try:
        advance(1)
        engine.step(WorkPending(), NOW_MS)
        before = weakref.ref(engine._instance)
        advance(2)
        assert before() is None
    finally:
        gc.enable()
