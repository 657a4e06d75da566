"""Laws of the keepers."""

# Plain integers stand for heights and rounds here.
# mypy: disable-error-code="arg-type"

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from notarium_consensus.votes import ROUNDS_KEPT, VoteKeeper
from notarium_ledger.blocks.statements import StatementKind, Vote, VoteStatement
from notarium_ledger.types import Hash, Height, PublicKey, Round, Signature

QUORUM = 3


def vote(signer: int, round_: int, block: int, signature: int = 0) -> Vote:
    return Vote(
        VoteStatement(StatementKind.COMMIT, Height(1), Round(round_), Hash(bytes([block]) * 32)),
        PublicKey(bytes([signer]) * 32),
        Signature(bytes([signature]) * 64),
    )


votes = st.builds(vote, st.integers(0, 2), st.integers(0, 3), st.just(0) | st.integers(0, 1), st.integers(0, 1))
histories = st.lists(st.tuples(votes, st.integers(0, 1)), max_size=60)


def replay(history):
    """Votes, in between which the current round sometimes rises."""
    keeper, current = VoteKeeper(QUORUM), 0
    for ballot, rise in history:
        current += rise
        keeper.add(ballot, Round(current))
        yield keeper, ballot, current


@given(histories)
def test_memory_is_bounded_per_signer(history):
    for keeper, _, _ in replay(history):
        assert all(len(held) <= ROUNDS_KEPT for held in keeper._by_signer.values())
        assert len(keeper) == sum(len(signers) for signers in keeper._tally.values())


@given(histories)
def test_complete_means_q_distinct_signers_of_one_round_and_block(history):
    for keeper, _, _ in replay(history):
        for subject, signers in keeper._tally.items():
            assert (subject in keeper.complete) == (len(signers) >= QUORUM)
        for subject in keeper.complete:
            held = keeper.votes(*subject)
            assert len({ballot.key for ballot in held}) == len(held) >= QUORUM
            assert {(ballot.round, ballot.block_hash) for ballot in held} == {subject}
            assert [ballot.key for ballot in held] == sorted(ballot.key for ballot in held)


@given(histories)
def test_the_first_vote_of_a_round_stays_and_a_vote_of_the_current_round_always_finds_room(history):
    before: dict = {}
    for keeper, ballot, current in replay(history):
        held = keeper.get(ballot.key, ballot.round)
        if (ballot.key, ballot.round) in before and before[ballot.key, ballot.round] is not None and held is not None:
            assert held is before[ballot.key, ballot.round]
        if ballot.round == current:
            assert held is not None
        before = {(key, round_): kept for key, slots in keeper._by_signer.items() for round_, kept in slots.items()}


def test_many_signatures_of_one_signer_are_one_vote():
    """An Ed25519 signer can make many valid signatures of one payload (mistake 3)."""
    keeper = VoteKeeper(QUORUM)
    for signature in range(5):
        keeper.add(vote(1, 0, 0, signature), Round(0))
    assert len(keeper.votes(Round(0), Hash(bytes(32)))) == 1
    assert not keeper.complete


def test_a_count_falls_when_a_vote_has_to_go():
    keeper = VoteKeeper(QUORUM)
    for signer in range(3):
        keeper.add(vote(signer, 0, 0), Round(0))
    assert list(keeper.complete) == [(0, Hash(bytes(32)))]
    keeper.add(vote(1, 4, 0), Round(3))
    keeper.add(vote(1, 3, 0), Round(3))
    assert not keeper.complete
    assert len(keeper.votes(Round(0), Hash(bytes(32)))) == 2


def test_the_current_round_finds_room_among_two_higher_ones():
    keeper = VoteKeeper(QUORUM)
    for round_ in (7, 9, 3):
        keeper.add(vote(1, round_, 0), Round(3))
    assert sorted(keeper._by_signer[vote(1, 0, 0).key]) == [3, 9]
