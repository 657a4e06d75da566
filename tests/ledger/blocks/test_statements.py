"""Statements read back as they were signed, and a wrong field is named by its path."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.properties.strategies import hashes

from notarium_ledger.blocks.statements import (
    RoundChangeStatement,
    SignedRoundChange,
    StatementKind,
    Vote,
    VoteStatement,
    round_change_from_value,
    statement_from_value,
)
from notarium_ledger.errors import LedgerError
from notarium_ledger.types import Hash, Height, PublicKey, Round, Signature

heights = st.integers(1, 2**63 - 1).map(Height)
rounds = st.integers(0, 2**32 - 1).map(Round)
keys = hashes.map(PublicKey)
signatures = st.binary(min_size=64, max_size=64).map(Signature)
VOTES = (StatementKind.PROPOSAL, StatementKind.PREPARE, StatementKind.COMMIT)
votes = st.builds(Vote, st.builds(VoteStatement, st.sampled_from(VOTES), heights, rounds, hashes), keys, signatures)
changes = st.builds(RoundChangeStatement, heights, rounds, st.none() | st.tuples(rounds, hashes))
round_changes = st.builds(SignedRoundChange, changes, keys, signatures)
statements = votes | round_changes
KEY, SIGNATURE, BLOCK = PublicKey(bytes(32)), Signature(bytes(64)), Hash(bytes(32))
VOTE = Vote(VoteStatement(StatementKind.COMMIT, Height(5), Round(1), BLOCK), KEY, SIGNATURE)
CHANGE = SignedRoundChange(RoundChangeStatement(Height(5), Round(1), (Round(0), BLOCK)), KEY, SIGNATURE)


@given(statements)
def test_a_statement_reads_back(statement):
    assert statement_from_value(statement.to_value(), "first") == statement


@given(statements, statements, hashes, hashes)
def test_different_statements_sign_different_bytes(one, other, genesis, validators):
    """Key and signature are not signed; all else is, and the ledger and the set as well."""
    one, other = one.statement, other.statement
    assert (one.signed_bytes(genesis, validators) == other.signed_bytes(genesis, validators)) is (one == other)
    if genesis != validators:
        assert one.signed_bytes(genesis, validators) != one.signed_bytes(validators, genesis)


def test_the_numbers_of_the_kinds_are_part_of_the_format():
    assert [(kind.name, kind.value) for kind in StatementKind] == [
        ("PROPOSAL", 1),
        ("PREPARE", 2),
        ("COMMIT", 3),
        ("ROUND_CHANGE", 4),
    ]
    assert (VOTE.kind, CHANGE.kind) == (StatementKind.COMMIT, StatementKind.ROUND_CHANGE)


@pytest.mark.parametrize(
    ("statement", "at", "value", "field"),
    [
        (VOTE, 0, 4, "first.type"),
        (VOTE, 0, True, "first.type"),
        (VOTE, 1, 0, "first.height"),
        (VOTE, 2, -1, "first.round"),
        (VOTE, 3, bytes(31), "first.block_hash"),
        (VOTE, 4, "key", "first.key"),
        (VOTE, 5, bytes(63), "first.signature"),
        (CHANGE, 0, 2**63, "first.height"),
        (CHANGE, 1, 2**32, "first.round"),
        (CHANGE, 2, [0], "first.prepared"),
        (CHANGE, 2, [-1, bytes(32)], "first.prepared.round"),
        (CHANGE, 2, [0, bytes(33)], "first.prepared.hash"),
        (CHANGE, 3, bytes(31), "first.key"),
        (CHANGE, 4, None, "first.signature"),
    ],
)
def test_a_wrong_field_is_named_by_its_path(statement, at, value, field):
    items = list(statement.to_value())
    items[at] = value
    with pytest.raises(LedgerError) as caught:
        statement_from_value(items, "first")
    assert caught.value.field == field


@pytest.mark.parametrize("value", [None, [], VOTE.to_value(), [5, 1, None, bytes(32)]])
def test_a_value_of_another_shape_is_no_round_change(value):
    with pytest.raises(LedgerError, match="signed: not a list of 5"):
        round_change_from_value(value, "signed")
