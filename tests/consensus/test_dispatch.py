"""What of our messages goes to whom, and when again: blocks once, then hashes, and bulk with growing distance."""

# Plain integers stand for heights and rounds here.
# mypy: disable-error-code="arg-type"

from __future__ import annotations

import pytest
from tests.consensus.harness import Bench

from notarium_consensus.effects import CheckBlock, RequestBlock, ResendTimer, Send
from notarium_consensus.inputs import PeerConnected, TimerExpired, WorkPending
from notarium_consensus.messages import Message, Proposal, RoundChange
from notarium_ledger.blocks.block import Block
from notarium_ledger.blocks.statements import StatementKind


def locked(own: int = 0, by: tuple[int, ...] = (0, 1, 3)) -> tuple[Bench, Block]:
    """A validator locked in round 0 by three prepares; v2, which proposes in round 1, has not shown its own."""
    bench = Bench(own=own)
    block = bench.club.block(1)
    bench.accept(bench.club.proposal(1, 0, block))
    bench.receive(*(bench.club.prepare(signer, 0, block) for signer in by if signer != own))
    assert bench.engine.prepared_round == 0
    return bench, block


def to(bench: Bench, number: int) -> list[Message]:
    """What the latest step sends to this validator alone."""
    return [effect.message for effect in bench.of(Send) if effect.peer == bench.club.keys[number].public]


def resend(bench: Bench) -> None:
    bench.step(TimerExpired(ResendTimer(bench.club.height)))


def test_the_block_of_a_round_change_goes_to_the_proposer_of_its_round_and_the_hash_to_all():
    bench, block = locked()
    bench.timeout()
    change = bench.club.change(0, 1, (0, block), by=(0, 1, 3))
    assert bench.sent() == [change.by_hash()]
    assert bench.of(Send) == [Send(bench.club.keys[2].public, change)]


@pytest.mark.parametrize("shown", ["prepare", "commit", "round change"])
def test_a_proposer_that_shows_that_it_has_the_block_gets_the_hash_only(shown):
    bench, block = locked()
    by_hash = bench.club.change(2, 1, (0, block), by=(0, 1, 3)).by_hash()
    ways = {
        "prepare": bench.club.prepare(2, 0, block),
        "commit": bench.club.commit(2, 0, block),
        "round change": by_hash,
    }
    bench.receive(ways[shown])
    bench.timeout()
    assert bench.said() == ["ROUND_CHANGE"]
    assert bench.of(Send) == []
    times = []
    for time in range(1, 17):
        resend(bench)
        times += [time] * len(to(bench, 2))
    assert times == [8, 16], "it may have forgotten it"


def test_the_block_goes_again_after_1_2_4_and_8_resend_times_and_the_hash_each_time():
    bench, block = locked()
    bench.timeout()
    times = []
    for time in range(1, 17):
        resend(bench)
        assert [message.block for message in bench.sent()] == [None]  # type: ignore[union-attr]
        times += [time] * len(to(bench, 2))
    assert times == [1, 2, 4, 8, 16]
    changes = [bench.club.signed_change(signer, 1, (0, block)) for signer in (1, 2, 3)]
    bench.receive(bench.club.proposal(2, 1, block, changes, bench.club.prepares((0, 1, 3), 0, block)))
    for _ in range(16):
        resend(bench)
        assert to(bench, 2) == [], "it has proposed"


def test_a_proposal_goes_again_after_1_2_4_and_8_resend_times_of_its_round():
    bench = Bench(own=1)
    bench.step(WorkPending())
    bench.built(bench.club.block(1))
    bench.receive(bench.club.prepare(0, 0, bench.club.block(1)))
    times = []
    for time in range(1, 9):
        resend(bench)
        assert to(bench, 0) == [], "it has prepared"
        times += [time] * len(to(bench, 2))
    assert times == [1, 2, 4, 8]


def test_each_peer_gets_the_block_once_and_again_after_it_connects():
    bench, block = locked()
    for round_ in range(1, 6):
        bench.receive(*(bench.club.change(signer, round_) for signer in (1, 3)))
        assert len(to(bench, 2)) == (1 if round_ == 1 else 0), "v2 proposes in the rounds 1 and 5"
    peer = bench.club.keys[2].public
    bench.receive(bench.club.prepare(2, 5, block))
    bench.step(PeerConnected(peer))
    change = bench.club.change(0, 5, (0, block), by=(0, 1, 3))
    assert to(bench, 2) == [change.by_hash(), change], "it may have forgotten what it voted for"
    bench.step(PeerConnected(bench.club.keys[3].public))
    assert to(bench, 3) == [change.by_hash()]


# ---- at the proposer -----------------------------------------------------------------------------------------------


def waiting_for_a_block(bench: Bench) -> tuple[Block, list[RoundChange]]:
    """v2 proposes in round 1; it has not seen the block that the others have prepared."""
    block = bench.club.block(1)
    return block, [bench.club.change(signer, 1, (0, block), by=(0, 1, 3)) for signer in (0, 1, 3)]


def test_a_claim_by_hash_counts_once_the_block_is_here():
    bench = Bench(own=2)
    block, changes = waiting_for_a_block(bench)
    bench.receive(*(change.by_hash() for change in changes))
    assert bench.engine.round == 1, "claims without blocks show the round"
    assert (bench.of(RequestBlock), bench.sent(StatementKind.PROPOSAL)) == ([], [])
    bench.receive(changes[1])
    assert bench.of(CheckBlock) == [CheckBlock(block)], "the same round change with its block completes it"
    bench.checked(block)
    (proposal,) = bench.sent(StatementKind.PROPOSAL)
    assert isinstance(proposal, Proposal)
    assert (proposal.block, len(proposal.round_changes)) == (block, 4)


def test_a_liar_that_keeps_the_prepared_block_to_itself_silences_nobody():
    """It has the prepares of a block that nobody else has any more, and shows the hash only."""
    bench = Bench(own=2)
    _, changes = waiting_for_a_block(bench)
    bench.receive(changes[1].by_hash(), bench.club.change(0, 1))
    assert bench.of(RequestBlock) == []
    bench.receive(bench.club.change(3, 1))
    assert bench.of(RequestBlock), "Q round changes without the claim are there"


def test_a_block_that_came_in_an_earlier_round_serves_claims_by_hash_in_later_ones():
    bench = Bench(own=2)
    block, changes = waiting_for_a_block(bench)
    bench.receive(changes[1])
    bench.receive(*(bench.club.change(signer, 5, (0, block), by=(0, 1, 3)).by_hash() for signer in (0, 1, 3)))
    assert bench.engine.round == 5
    assert bench.of(CheckBlock) == [CheckBlock(block)]
    bench.checked(block)
    assert bench.sent(StatementKind.PROPOSAL)


def test_of_a_round_change_the_first_copy_of_the_block_counts():
    """A liar that sends another copy each time would have each checked."""
    bench = Bench(own=2)
    block, changes = waiting_for_a_block(bench)
    wrong = [Block(block.header, (b"ok wrong %d" % number,)) for number in range(3)]
    bench.receive(*(change.by_hash() for change in changes))
    asked = []
    for copy in wrong:
        bench.receive(RoundChange(changes[1].signed, copy, changes[1].prepares))
        asked += bench.of(CheckBlock)
        bench.checked(copy, False, "tree root")
    assert asked == [CheckBlock(wrong[0])]
    bench.receive(changes[0])
    assert bench.of(CheckBlock) == [CheckBlock(block)]


def test_equal_blocks_of_round_changes_are_kept_once():
    bench = Bench(own=2)
    block, changes = waiting_for_a_block(bench)
    copies = [Block(block.header, tuple(block.entries)) for _ in changes]
    bench.receive(*(RoundChange(each.signed, copy, each.prepares) for each, copy in zip(changes, copies, strict=True)))
    kept = {id(change.block) for change in bench.inbox().round_changes.of_round(1) if change.block is not None}
    assert len(kept) == 1
    assert len(bench.inbox().copies(block.hash)) == 1


def test_of_the_next_height_the_block_completes_what_came_by_hash():
    bench = Bench(own=3)
    club = bench.club.after(bench.club.block(1))
    block = club.block(2)
    change = club.change(1, 1, (0, block), by=(0, 1, 2))
    bench.receive(change.by_hash(), change)
    bench.advance(club)
    assert bench.inbox().copies(block.hash) == [block]
