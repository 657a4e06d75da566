"""Mistake 3: counting signatures instead of signers. An Ed25519 signer can make many valid ones for one payload."""

# Plain integers stand for heights and rounds here.
# mypy: disable-error-code="arg-type"

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from tests.consensus.harness import GENESIS, Bench, Club
from tests.mistakes.planted import SIZES, must_fail
from tests.mistakes.signatures import another_signature

from notarium_consensus import justification
from notarium_consensus.events import ProtocolViolation
from notarium_consensus.messages import Proposal, RoundChange
from notarium_consensus.votes import RoundKeeper, VoteKeeper
from notarium_ledger.blocks.certificate import QuorumCertificate, Seal
from notarium_ledger.blocks.statements import Vote
from notarium_ledger.errors import InvalidCertificate
from notarium_ledger.types import Height, Round


def votes_are_counted_by_signature(patch: pytest.MonkeyPatch) -> None:
    """Each valid signature is one vote."""

    def add(self: VoteKeeper, message: Vote, current: Round) -> None:
        subject = (message.round, message.block_hash)
        votes = self._tally.setdefault(subject, {})
        votes[message.signature] = message  # type: ignore[index]
        if len(votes) >= self._quorum:
            self.complete[subject] = None

    patch.setattr(VoteKeeper, "add", add)
    patch.setattr(VoteKeeper, "get", lambda self, key, round_: None)


def round_changes_are_counted_by_message(patch: pytest.MonkeyPatch) -> None:
    """f+1 round changes instead of f+1 validators."""
    patch.setattr(
        RoundKeeper,
        "highest_rounds",
        lambda self: sorted((round_ for held in self._by_signer.values() for round_ in held), reverse=True),
    )


def lists_may_name_a_signer_twice(patch: pytest.MonkeyPatch) -> None:
    """Only the length of a list is compared with the quorum."""
    patch.setattr(itertools, "pairwise", lambda keys: ())
    patch.setattr(justification, "pairwise", lambda keys: ())


def copies(club: Club, vote: Vote, count: int) -> list[Vote]:
    """`vote` and further valid signatures of the same statement."""
    said = vote.statement.signed_bytes(GENESIS, club.validators.hash)
    return [vote, *(replace(vote, signature=another_signature(vote.key, said, n)) for n in range(1, count))]


@pytest.mark.parametrize("size", SIZES)
def test_mistake_03_many_signatures_of_one_validator_are_one_prepare_and_one_commit(size: int) -> None:
    bench = Bench(own=0, size=size)
    club, block = bench.club, bench.club.block(1)
    quorum = club.validators.quorum
    bench.accept(club.proposal(1, 0, block))
    bench.receive(*copies(club, club.prepare(1, 0, block), quorum))
    assert bench.said() == []
    assert bench.inbox().prepares.votes(Round(0), block.hash) == tuple(
        sorted((club.prepare(0, 0, block), club.prepare(1, 0, block)), key=lambda vote: vote.key)
    )
    bench.receive(*copies(club, club.commit(1, 0, block), quorum))
    assert bench.decided() is None
    assert bench.events(ProtocolViolation) == [], "several signatures of one statement are nobody's lie"


@pytest.mark.parametrize("size", SIZES)
def test_mistake_03_many_round_changes_of_one_validator_move_nobody(size: int) -> None:
    """Neither other signatures of one round change, nor round changes to several rounds."""
    bench = Bench(own=0, size=size)
    club = bench.club
    for round_ in (1, 5, 6, 7):
        change = club.change(1, round_)
        said = change.statement.signed_bytes(GENESIS, club.validators.hash)
        for number in range(1, club.validators.honest_minimum + 1):
            signature = another_signature(change.key, said, number)
            bench.receive(RoundChange(replace(change.signed, signature=signature), None, ()))
    # f − 1 others join the liar: f in all, who may all lie.
    bench.receive(*(club.change(signer, 7) for signer in range(2, club.validators.faulty + 1)))
    assert bench.engine.round == 0


@pytest.mark.parametrize("size", SIZES)
def test_mistake_03_a_certificate_that_names_one_signer_twice_proves_nothing(size: int) -> None:
    club = Club(size)
    block = club.block(1)
    votes = copies(club, club.commit(0, 0, block), club.validators.quorum)
    for chosen in (votes, [votes[0]] * club.validators.quorum):
        seals = tuple(Seal(vote.key, vote.signature) for vote in chosen)
        certificate = QuorumCertificate(club.height, Round(0), block.hash, seals)
        with pytest.raises(InvalidCertificate, match="ascending"):
            certificate.verify(GENESIS, club.validators, Height(1), block.hash)


@pytest.mark.parametrize("size", SIZES)
def test_mistake_03_a_justification_that_names_one_signer_twice_justifies_nothing(size: int) -> None:
    bench = Bench(own=0, size=size)
    club, block = bench.club, bench.club.block(1)
    quorum = club.validators.quorum
    prepares = tuple(copies(club, club.prepare(1, 0, block), quorum))
    bench.receive(RoundChange(club.signed_change(1, 1, (0, block)), block, prepares))
    assert ["not distinct" in violation.reason for violation in bench.events(ProtocolViolation)] == [True]

    signed = club.signed_change(3, 1)
    said = signed.statement.signed_bytes(GENESIS, club.validators.hash)
    changes = [replace(signed, signature=another_signature(signed.key, said, n)) for n in range(quorum)]
    bench.accept(club.proposal(2, 1, club.block(2), changes))
    assert bench.said() == []
    assert bench.engine.round == 0

    good = [club.signed_change(signer, 1, (0, block)) for signer in range(1, quorum + 1)]
    again = club.proposal(2, 1, block, good, prepares)
    assert isinstance(again, Proposal)
    bench.accept(again)
    assert (bench.said(), bench.engine.round) == ([], 0)


def test_mistake_03_planted_is_caught_by_each_test() -> None:
    for size in SIZES:
        must_fail(
            votes_are_counted_by_signature,
            test_mistake_03_many_signatures_of_one_validator_are_one_prepare_and_one_commit,
            size,
        )
        must_fail(
            round_changes_are_counted_by_message,
            test_mistake_03_many_round_changes_of_one_validator_move_nobody,
            size,
        )
        for test in (
            test_mistake_03_a_certificate_that_names_one_signer_twice_proves_nothing,
            test_mistake_03_a_justification_that_names_one_signer_twice_justifies_nothing,
        ):
            must_fail(lists_may_name_a_signer_twice, test, size)
