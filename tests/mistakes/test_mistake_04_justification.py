"""Mistake 4: justification with holes. Elsewhere an off-by-one skipped the prepare checks for round 1 (anchor#549), the
prepared round was not required to be below the round (#599), and the leader fell back to fresh data (#592).
"""

# Plain integers stand for heights and rounds here.
# mypy: disable-error-code="arg-type"

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.consensus.harness import Bench, Club
from tests.mistakes.planted import SIZES, must_fail

from notarium_consensus import instance, justification
from notarium_consensus.authentication import Authenticator
from notarium_consensus.effects import RequestBlock
from notarium_consensus.events import ProtocolViolation
from notarium_consensus.inputs import WorkPending
from notarium_consensus.messages import Proposal, RoundChange
from notarium_ledger.blocks.block import Block
from notarium_ledger.blocks.statements import Vote

ROUNDS = (1, 2, 3, 7)
"""Rounds that are started; the prepared round is the one before."""


def first_round_unchecked(patch: pytest.MonkeyPatch) -> None:
    """Prepares of the lowest round are taken as they come."""
    check = justification.check_prepares

    def skipping(prepares, height, round_, block, validators, field):
        if round_ > 0:
            check(prepares, height, round_, block, validators, field)

    patch.setattr(justification, "check_prepares", skipping)


def prepares_unchecked(patch: pytest.MonkeyPatch) -> None:
    """Prepares are taken as they come."""
    patch.setattr(justification, "check_prepares", lambda *arguments: None)


def signatures_unchecked(patch: pytest.MonkeyPatch) -> None:
    """Of what a message carries, only the outermost signature is verified."""
    check = Authenticator.check

    def skipping(self, signed, validators, field):
        if field not in ("round_change.prepares", "proposal.prepares"):
            check(self, signed, validators, field)

    patch.setattr(Authenticator, "check", skipping)


def any_prepared_round(patch: pytest.MonkeyPatch) -> None:
    """The prepared round may be any."""
    patch.setattr(justification, "_below", lambda prepared, started, field: None)


def leader_falls_back_to_fresh_data(patch: pytest.MonkeyPatch) -> None:
    """The proposer does not look at the prepared rounds."""
    patch.setattr(instance, "highest_prepared", lambda changes: None)


def fresh_data_is_accepted(patch: pytest.MonkeyPatch) -> None:
    """The others do not look at the prepared rounds."""
    patch.setattr(justification, "highest_prepared", lambda changes: None)


def under_test(size: int, started: int) -> Bench:
    """A validator that does not propose in the round that is started."""
    return Bench(own=0 if (1 + started) % size else 1, size=size)


def by_quorum(club: Club, bench: Bench | None = None) -> list[int]:
    """Q signers without the validator under test (0 without a bench)."""
    own = 0 if bench is None or bench.own is None else bench.own
    return [signer for signer in range(len(club.keys)) if signer != own][: club.validators.quorum]


def false_prepares(club: Club, round_: int, block: Block, bench: Bench | None = None) -> dict[str, tuple[Vote, ...]]:
    """What does not prove that Q prepared `block` in `round_`."""
    signers = by_quorum(club, bench)
    good = club.prepares(signers, round_, block)
    other = club.block(1, b"ok other")
    return {
        "none": (),
        "one too few": good[:-1],
        "one of another round": (*good[:-1], club.prepare(signers[-1], round_ + 1, block)),
        "one of another block": (*good[:-1], club.prepare(signers[-1], round_, other)),
        "one is a commit": (*good[:-1], club.commit(signers[-1], round_, block)),
        "one has a false signature": (*good[:-1], replace(good[-1], signature=good[0].signature)),
    }


FALSE = tuple(false_prepares(Club(), 0, Club().block(1)))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("started", ROUNDS)
@pytest.mark.parametrize("fault", FALSE)
def test_mistake_04_a_round_change_proves_its_prepared_block_in_every_round_also_the_first(
    size: int, started: int, fault: str
) -> None:
    bench = under_test(size, started)
    club, block = bench.club, bench.club.block(1)
    claim = club.signed_change(2, started, (started - 1, block))
    bench.receive(RoundChange(claim, block, false_prepares(club, started - 1, block, bench)[fault]))
    assert len(bench.events(ProtocolViolation)) == 1
    assert len(bench.inbox().round_changes) == 0
    bench.receive(RoundChange(claim, block, club.prepares(by_quorum(club, bench), started - 1, block)))
    assert len(bench.inbox().round_changes) == 1


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("started", ROUNDS)
@pytest.mark.parametrize("fault", FALSE)
def test_mistake_04_a_proposal_proves_its_prepared_block_in_every_round_also_the_first(
    size: int, started: int, fault: str
) -> None:
    bench = under_test(size, started)
    club, block = bench.club, bench.club.block(1)
    proposer = (1 + started) % size

    def proposal(prepares: tuple[Vote, ...]) -> Proposal:
        changes = [club.signed_change(signer, started, (started - 1, block)) for signer in by_quorum(club, bench)]
        return club.proposal(proposer, started, block, changes, prepares)

    bench.accept(proposal(false_prepares(club, started - 1, block, bench)[fault]))
    assert (bench.said(), bench.engine.round) == ([], 0)
    bench.accept(proposal(club.prepares(by_quorum(club, bench), started - 1, block)))
    assert (bench.said(), bench.engine.round) == (["PREPARE"], started)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("started", ROUNDS)
@pytest.mark.parametrize("ahead", [0, 1, 100])
def test_mistake_04_the_prepared_round_is_below_the_round_that_is_started(size: int, started: int, ahead: int) -> None:
    """Also where the prepares are genuine: made later by f+1 liars' help, they would outbid every honest lock."""
    bench = under_test(size, started)
    club, block = bench.club, bench.club.block(1)
    claimed = started + ahead
    prepares = club.prepares(by_quorum(club, bench), claimed, block)
    bench.receive(RoundChange(club.signed_change(2, started, (claimed, block)), block, prepares))
    assert ["is not below round" in violation.reason for violation in bench.events(ProtocolViolation)] == [True]
    proposer = (1 + started) % size
    changes = [club.signed_change(signer, started, (claimed, block)) for signer in by_quorum(club, bench)]
    bench.accept(club.proposal(proposer, started, block, changes, prepares))
    assert (bench.said(), bench.engine.round) == ([], 0)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("started", [1, 2, 3])
def test_mistake_04_the_leader_proposes_the_highest_prepared_block_and_never_fresh_data(
    size: int, started: int
) -> None:
    own = (1 + started) % size
    bench = Bench(own=own, size=size)
    club = bench.club
    others = [signer for signer in range(size) if signer != own][: club.validators.quorum]
    blocks = [club.block(1 % size, f"ok {round_}".encode()) for round_ in range(started)]
    bench.step(WorkPending())
    # One knows of a prepared block in each round below; the rest know of none.
    for number, signer in enumerate(others):
        prepared = (number, blocks[number]) if number < started else None
        bench.receive(club.change(signer, started, prepared, by=others))
    assert bench.engine.round == started
    assert bench.of(RequestBlock) == [], "no fresh block is wanted"
    highest = min(started, len(others)) - 1
    bench.checked(blocks[highest])
    proposals = [message for message in bench.sent() if isinstance(message, Proposal)]
    assert [proposal.block for proposal in proposals] == [blocks[highest]]
    assert {vote.round for vote in proposals[0].prepares} == {highest}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("started", ROUNDS)
def test_mistake_04_nobody_accepts_fresh_data_where_one_of_the_round_changes_names_a_prepared_block(
    size: int, started: int
) -> None:
    proposer = (1 + started) % size
    bench = under_test(size, started)
    club = bench.club
    prepared = club.block(1, b"ok prepared")
    signers = by_quorum(club, bench)

    def changes(locked: bool) -> list:
        return [
            club.signed_change(signer, started, (started - 1, prepared) if locked and signer == signers[0] else None)
            for signer in signers
        ]

    fresh = club.block(proposer, b"ok fresh")
    bench.accept(club.proposal(proposer, started, fresh, changes(locked=True)))
    assert (bench.said(), bench.engine.round) == ([], 0)
    bench.accept(club.proposal(proposer, started, fresh, changes(locked=False)))
    assert (bench.said(), bench.engine.round) == (["PREPARE"], started)


Test = Callable[..., None]
PLANTED: list[tuple[Callable[[pytest.MonkeyPatch], None], Test, tuple]] = [
    (
        first_round_unchecked,
        test_mistake_04_a_round_change_proves_its_prepared_block_in_every_round_also_the_first,
        (1, "none"),
    ),
    (
        first_round_unchecked,
        test_mistake_04_a_proposal_proves_its_prepared_block_in_every_round_also_the_first,
        (1, "one of another block"),
    ),
    (
        prepares_unchecked,
        test_mistake_04_a_round_change_proves_its_prepared_block_in_every_round_also_the_first,
        (3, "one too few"),
    ),
    (
        prepares_unchecked,
        test_mistake_04_a_proposal_proves_its_prepared_block_in_every_round_also_the_first,
        (2, "one is a commit"),
    ),
    (
        signatures_unchecked,
        test_mistake_04_a_round_change_proves_its_prepared_block_in_every_round_also_the_first,
        (2, "one has a false signature"),
    ),
    (
        signatures_unchecked,
        test_mistake_04_a_proposal_proves_its_prepared_block_in_every_round_also_the_first,
        (2, "one has a false signature"),
    ),
    (any_prepared_round, test_mistake_04_the_prepared_round_is_below_the_round_that_is_started, (1, 0)),
    (any_prepared_round, test_mistake_04_the_prepared_round_is_below_the_round_that_is_started, (2, 100)),
    (
        leader_falls_back_to_fresh_data,
        test_mistake_04_the_leader_proposes_the_highest_prepared_block_and_never_fresh_data,
        (2,),
    ),
    (
        fresh_data_is_accepted,
        test_mistake_04_nobody_accepts_fresh_data_where_one_of_the_round_changes_names_a_prepared_block,
        (1,),
    ),
]


@pytest.mark.parametrize(("mistake", "test", "arguments"), PLANTED)
def test_mistake_04_planted_is_caught_by_each_test(mistake, test, arguments) -> None:
    for size in SIZES:
        must_fail(mistake, test, size, *arguments)
