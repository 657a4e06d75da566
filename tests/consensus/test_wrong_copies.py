"""Liars send wrong entries under the true header: each copy is checked once, and the good one is found.

The engine cannot distinguish the copies, since the header binds the entries only through the tree root.
"""

# Plain integers stand for heights and rounds here.
# mypy: disable-error-code="arg-type"

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.consensus.harness import Bench

from notarium_consensus.effects import CheckBlock, Effect, RequestBlock
from notarium_consensus.engine import Phase
from notarium_consensus.events import ProtocolViolation
from notarium_consensus.messages import Proposal
from notarium_ledger.blocks.block import Block

OWN = 6
"""Of seven validators (two may lie), proposes in round 5 of height 1, and has no block of its own."""
ROUND = 5
OTHERS = (0, 1, 2, 3, 4)
GOOD, WRONG_1, WRONG_2 = "good", "wrong 1", "wrong 2"
CHECKS_ALLOWED = 20
"""Far above what is needed, to end a test whose checks do not end."""


def send_round_change(bench: Bench, signer: int, block: Block) -> list[Effect]:
    return bench.receive(bench.club.change(signer, ROUND, (0, block), OTHERS))


def copies(good: Block) -> dict[str, Block]:
    wrong = {name: Block(good.header, (b"ok " + name.encode(),)) for name in (WRONG_1, WRONG_2)}
    return {GOOD: good, **wrong}


def answer_checks(bench: Bench, effects: list[Effect], good: Block) -> list[Block]:
    """Answer each CheckBlock truthfully, as a runner does, until none is asked. Returns what was checked."""
    checked: list[Block] = []
    pending = [effect.block for effect in effects if isinstance(effect, CheckBlock)]
    while pending:
        block = pending.pop(0)
        checked.append(block)
        assert len(checked) <= CHECKS_ALLOWED, "the same copies are checked again and again"
        bench.checked(block, block.entries == good.entries, "tree root")
        pending += [effect.block for effect in bench.of(CheckBlock)]
    return checked


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ((WRONG_1, WRONG_2, GOOD, GOOD, GOOD), [WRONG_1, WRONG_2, GOOD]),
        ((WRONG_1, WRONG_1, GOOD, GOOD, GOOD), [WRONG_1, GOOD]),
        ((WRONG_1, GOOD, WRONG_2, GOOD, GOOD), [WRONG_1, GOOD]),
        ((GOOD, WRONG_1, WRONG_2, GOOD, GOOD), [GOOD]),
    ],
)
def test_each_copy_is_checked_once_and_the_good_one_is_used(sent, expected):
    bench = Bench(own=OWN, size=7)
    good = bench.club.block(1)
    named = copies(good)
    effects: list[Effect] = []
    for signer, name in zip(OTHERS, sent, strict=True):
        effects += send_round_change(bench, signer, named[name])
    checked = answer_checks(bench, effects, good)
    assert checked == [named[name] for name in expected]
    proposal = bench.sent()[0]
    assert isinstance(proposal, Proposal)
    assert proposal.block == good


def test_a_proposal_with_wrong_entries_is_checked_once_and_costs_its_round_only():
    bench = Bench(own=OWN, size=7)
    good = bench.club.block(1)
    wrong = copies(good)[WRONG_1]
    proposal = bench.club.proposal(1, 0, wrong)
    assert answer_checks(bench, bench.receive(proposal), good) == [wrong]
    assert bench.engine.phase is Phase.REJECTED
    assert answer_checks(bench, bench.receive(proposal, replace(proposal, block=good)), good) == []
    changes = [bench.club.signed_change(signer, 1) for signer in OTHERS]
    again = bench.club.proposal(2, 1, bench.club.block(2), changes)
    assert answer_checks(bench, bench.receive(again), again.block) == [again.block]
    assert bench.said() == ["PREPARE"]


@pytest.mark.parametrize("height", ["this", "next"])
@pytest.mark.parametrize("kind", ["PROPOSAL", "ROUND_CHANGE"])
def test_who_passes_a_block_on_cannot_put_other_entries_under_the_signature(kind, height):
    """The signature covers the header only; the copy that came first would take the signer's slot."""
    bench = Bench(own=0)
    club = bench.club
    if height == "next":
        club = club.after(club.block(1))
    proposer = club.height % 4
    block = club.block(proposer)
    honest = club.proposal(proposer, 0, block) if kind == "PROPOSAL" else club.change(2, 3, (0, block), (1, 2, 3))
    swapped = replace(honest, block=Block(block.header, (b"ok swapped",)))
    liar = club.keys[3].public
    bench.receive(swapped, peer=liar)
    assert [violation.peer for violation in bench.events(ProtocolViolation)] == [liar]
    bench.receive(honest)
    if height == "next":
        bench.advance(club)
    inbox = bench.inbox()
    keeper = inbox.proposals if kind == "PROPOSAL" else inbox.round_changes
    kept = keeper.get(honest.key, honest.round)
    assert kept is not None
    assert kept.block == block


def test_a_liar_that_alone_claims_the_highest_lock_and_sends_wrong_entries_cannot_silence_the_proposer():
    """The others of those that prepared the true block may have restarted, and nobody has its entries any more."""
    bench = Bench(own=2)
    good = bench.club.block(1)
    wrong = copies(good)[WRONG_1]
    claim = bench.club.change(1, 1, (0, wrong), (0, 1, 3))
    effects = bench.receive(claim, bench.club.change(0, 1), bench.club.change(3, 1))
    assert answer_checks(bench, effects, good) == [wrong]
    assert bench.of(RequestBlock) == [RequestBlock(1, 1, bench.club.tip.time_ms + 1)]
    own = bench.club.block(2)
    bench.built(own, 1)
    proposal = next(message for message in bench.sent() if isinstance(message, Proposal))
    assert proposal.block == own
    assert bench.club.keys[1].public not in {change.key for change in proposal.round_changes}


def test_such_a_claim_that_comes_while_a_block_is_built_delays_the_proposal_until_it_is_checked():
    bench = Bench(own=2)
    good = bench.club.block(1)
    wrong = copies(good)[WRONG_1]
    bench.receive(bench.club.change(0, 1), bench.club.change(3, 1))
    assert bench.of(RequestBlock), "its own round change makes the quorum"
    bench.receive(bench.club.change(1, 1, (0, wrong), (0, 1, 3)))
    assert answer_checks(bench, bench.built(bench.club.block(2), 1), good) == [wrong]
    assert bench.of(RequestBlock)
    bench.built(bench.club.block(2), 1)
    assert "PROPOSAL" in bench.said()
