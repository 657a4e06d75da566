"""Mistake 5: votes that do not bind the round certify two different blocks, with n = 4 and one liar.

The schedule (A, B, C honest, D lies; rounds from 0):

0. A alone sees that d is prepared, and commits d.
1. B, C, D: a fresh d' ; B alone sees that it is prepared, and commits d'.
2. A, C, D: d is proposed again, for A knows it prepared in round 0; C alone sees that it is prepared, and commits d.
3. A, B, D: B's prepared round 1 is above A's 0, so d' is proposed again; A, B and D commit d'.

A and C have committed d, in rounds 0 and 2; with D that would be a quorum if the votes did not say in which round.
{A, B, D} certifies d' in round 3.
"""

# Plain integers stand for heights and rounds here.
# mypy: disable-error-code="arg-type"

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from tests.consensus.harness import GENESIS, NOW_MS, Bench, Club
from tests.mistakes.planted import SIZES, must_fail

from notarium_consensus import instance, justification
from notarium_consensus.effects import Send
from notarium_consensus.inputs import WorkPending
from notarium_consensus.messages import Proposal, RoundChange
from notarium_consensus.votes import VoteKeeper
from notarium_ledger.blocks import certificate as certificates
from notarium_ledger.blocks import statements
from notarium_ledger.blocks.block import Block, Decision
from notarium_ledger.blocks.certificate import QuorumCertificate, Seal
from notarium_ledger.blocks.statements import StatementKind, Vote
from notarium_ledger.errors import InvalidCertificate
from notarium_ledger.types import Height, Round

A, B, C, D = range(4)


def votes_do_not_bind_the_round(patch: pytest.MonkeyPatch) -> None:
    """What is signed says which block, not in which round; and so it is counted."""
    vote_bytes = statements.vote_bytes

    def without_round(type_, genesis, validators, height, round_, block):
        return vote_bytes(type_, genesis, validators, height, Round(0), block)

    patch.setattr(certificates, "vote_bytes", without_round)
    patch.setattr(statements, "vote_bytes", without_round)
    votes_are_counted_over_rounds(patch)


def votes_are_counted_over_rounds(patch: pytest.MonkeyPatch) -> None:
    """A validator's commit of a block counts in whatever round it was given."""
    count = VoteKeeper.add

    def add(self: VoteKeeper, message: Vote, current: Round) -> None:
        if message.kind is not StatementKind.COMMIT:
            count(self, message, current)
            return
        signers: dict = {}
        for subject, held in self._tally.items():
            if subject[1] == message.block_hash:
                signers |= held
        signers[message.key] = message
        subject = (message.round, message.block_hash)
        self._tally[subject] = signers
        if len(signers) >= self._quorum:
            self.complete[subject] = None

    patch.setattr(VoteKeeper, "add", add)


def the_lowest_lock_wins(patch: pytest.MonkeyPatch) -> None:
    """Of several prepared rounds the first is taken."""

    def lowest(changes: Any) -> Any:
        claims = [change.prepared for change in changes if change.prepared is not None]
        return min(claims, default=None)

    patch.setattr(instance, "highest_prepared", lowest)
    patch.setattr(justification, "highest_prepared", lowest)


@dataclass
class Schedule:
    """The four rounds as they went: what A, B and C, real engines, have said."""

    club: Club
    engines: dict[int, Bench]
    first: Block
    """d"""
    second: Block
    """d'"""
    commits: dict[tuple[int, int], Vote]
    """(signer, round) to the COMMIT."""
    decisions: dict[int, Decision | None]
    last: Proposal
    """A's, in round 3."""


def play() -> Schedule:
    """The schedule above. D's part is made by hand; what A, B and C say comes from their engines."""
    a, b, c = (Bench(own=number) for number in (A, B, C))
    club = a.club
    first, second = club.block(B, b"ok d"), club.block(C, b"ok d prime", time_ms=NOW_MS + 2)
    commits: dict[tuple[int, int], Vote] = {}

    def committed(number: int, bench: Bench) -> None:
        said = [each for each in bench.sent() if isinstance(each, Vote) and each.kind == StatementKind.COMMIT]
        assert len(said) == 1, f"{number} commits once"
        commits[number, said[0].round] = said[0]

    def of(bench: Bench, kind: type) -> list:
        # The block of a round change goes to the next proposer alone.
        whole = [effect.message for effect in bench.of(Send)]
        found = [message for message in (*whole, *bench.sent()) if isinstance(message, kind)]
        assert found, f"no {kind.__name__}"
        return found

    # Round 0: B proposes d; A hears B's and D's prepares.
    b.step(WorkPending())
    b.built(first)
    proposal, prepare_b = of(b, Proposal)[0], of(b, Vote)[0]
    a.accept(proposal)
    a.receive(prepare_b, club.prepare(D, 0, first))
    committed(A, a)

    # Round 1: C proposes d' with the round changes of B, C and D; B hears C's and D's prepares.
    b.timeout(0)
    change_b = of(b, RoundChange)[0]
    c.step(WorkPending())
    c.timeout(0)
    c.receive(change_b, club.change(D, 1))
    c.built(second, round_=1)
    proposal, prepare_c = of(c, Proposal)[0], of(c, Vote)[0]
    b.accept(proposal)
    b.receive(prepare_c, club.prepare(D, 1, second))
    committed(B, b)

    # Round 2: D proposes d again, with the round changes of A, C and itself; C hears A's and D's prepares.
    a.timeout(0)
    a.timeout(1)
    change_a = of(a, RoundChange)[0]
    c.timeout(1)
    change_c = of(c, RoundChange)[0]
    changes = [change_a.signed, change_c.signed, club.signed_change(D, 2)]
    proposal = club.proposal(D, 2, first, changes, change_a.prepares)
    a.receive(proposal)
    prepare_a = of(a, Vote)[0]
    c.accept(proposal)
    c.receive(prepare_a, club.prepare(D, 2, first))
    committed(C, c)

    # Round 3: A, who only knows d, proposes d', for B's prepared round is the higher one. All goes well.
    a.timeout(2)
    b.timeout(1)
    b.timeout(2)
    change_b = of(b, RoundChange)[0]
    a.receive(change_b, club.change(D, 3))
    a.checked(second)
    proposal, prepare_a = of(a, Proposal)[0], of(a, Vote)[0]
    b.receive(proposal)
    prepare_b = of(b, Vote)[0]
    a.receive(prepare_b, club.prepare(D, 3, second))
    committed(A, a)
    b.receive(prepare_a, club.prepare(D, 3, second))
    committed(B, b)
    a.receive(commits[B, 3], club.commit(D, 3, second))
    b.receive(commits[A, 3], club.commit(D, 3, second))
    decisions = {A: a.decided(), B: b.decided()}
    return Schedule(club, {A: a, B: b, C: c}, first, second, commits, decisions, proposal)


def test_mistake_05_the_schedule_is_possible_and_decides_one_block() -> None:
    """Otherwise the tests below would show nothing: real engines commit d and d' as in the schedule."""
    played = play()
    assert {slot: vote.block_hash for slot, vote in played.commits.items()} == {
        (A, 0): played.first.hash,
        (B, 1): played.second.hash,
        (C, 2): played.first.hash,
        (A, 3): played.second.hash,
        (B, 3): played.second.hash,
    }
    for decision in played.decisions.values():
        assert decision is not None
        assert decision.block == played.second
        decision.certificate.verify(GENESIS, played.club.validators, Height(1), played.second.hash)


@pytest.mark.parametrize("round_", range(4))
def test_mistake_05_commits_of_two_rounds_and_a_liars_make_no_certificate(round_: int) -> None:
    """A's and C's commits for d with one that D makes for whatever round it likes."""
    played = play()
    club = played.club
    votes = [played.commits[A, 0], played.commits[C, 2], club.commit(D, round_, played.first)]
    seals = tuple(Seal(vote.key, vote.signature) for vote in sorted(votes, key=lambda vote: vote.key))
    for claimed in range(4):
        certificate = QuorumCertificate(club.height, Round(claimed), played.first.hash, seals)
        with pytest.raises(InvalidCertificate):
            certificate.verify(GENESIS, club.validators, Height(1), played.first.hash)


def test_mistake_05_the_third_engine_hears_all_commits_and_decides_what_the_others_did() -> None:
    """C has committed d itself and holds A's commit of it; the liar adds its own for all these rounds."""
    played = play()
    club, c = played.club, played.engines[C]
    c.receive(played.commits[A, 0], *(club.commit(D, round_, played.first) for round_ in range(3)))
    assert c.decided() is None
    c.receive(played.last, played.commits[A, 3], played.commits[B, 3], club.commit(D, 3, played.second))
    decision = c.decided()
    assert decision is not None
    assert decision.block == played.second


@pytest.mark.parametrize("size", SIZES)
def test_mistake_05_votes_of_different_rounds_are_never_counted_together(size: int) -> None:
    """Each of the others commits in a round of its own, whatever the split: nothing is decided."""
    for split in range(1, size - 1):
        bench = Bench(own=0, size=size)
        club, block = bench.club, bench.club.block(1)
        quorum = club.validators.quorum
        bench.accept(club.proposal(1, 0, block))
        bench.receive(*(club.commit(signer, int(signer > split), block) for signer in range(1, size)))
        expected = split >= quorum or size - 1 - split >= quorum
        assert (bench.decided() is not None) is expected, (split, quorum)


def test_mistake_05_planted_two_blocks_are_certified() -> None:
    must_fail(the_lowest_lock_wins, test_mistake_05_the_schedule_is_possible_and_decides_one_block)
    must_fail(votes_do_not_bind_the_round, test_mistake_05_commits_of_two_rounds_and_a_liars_make_no_certificate, 0)
    must_fail(
        votes_are_counted_over_rounds,
        test_mistake_05_the_third_engine_hears_all_commits_and_decides_what_the_others_did,
    )
    for size in SIZES:
        must_fail(
            votes_are_counted_over_rounds,
            test_mistake_05_votes_of_different_rounds_are_never_counted_together,
            size,
        )


def test_mistake_05_planted_a_round_that_is_not_bound_gives_d_a_certificate_beside_that_of_d_prime() -> None:
    """The counterexample itself: with the mistake, the very votes above prove both blocks."""
    with pytest.MonkeyPatch.context() as patch:
        votes_do_not_bind_the_round(patch)
        played = play()
        club = played.club
        proven = []
        liar = {block: club.commit(D, 0, block) for block in (played.first, played.second)}
        for block, slots in ((played.first, [(A, 0), (C, 2)]), (played.second, [(A, 3), (B, 3)])):
            votes = [*(played.commits[slot] for slot in slots), liar[block]]
            seals = tuple(Seal(vote.key, vote.signature) for vote in sorted(votes, key=lambda vote: vote.key))
            QuorumCertificate(club.height, Round(3), block.hash, seals).verify(
                GENESIS, club.validators, Height(1), block.hash
            )
            proven.append(block.hash)
        assert len(set(proven)) == 2
