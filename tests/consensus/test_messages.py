"""Bytes of messages: round trip, strictness, limits."""

# Plain integers stand for heights and rounds here.
# mypy: disable-error-code="arg-type"

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.consensus.harness import GENESIS, Club

from notarium_consensus.engine import EngineConfig
from notarium_consensus.errors import InvalidMessage
from notarium_consensus.messages import (
    JUSTIFICATION_BYTES,
    Message,
    Proposal,
    RoundChange,
    announced_height,
    decode_message,
    encode_message,
)
from notarium_ledger.blocks.statements import (
    RoundChangeStatement,
    SignedRoundChange,
    StatementKind,
    Vote,
    VoteStatement,
)
from notarium_ledger.encoding import canonical
from notarium_ledger.types import MAX_HEIGHT, MAX_ROUND, Hash, Height, PublicKey, Round, Signature

CLUB = Club()
BLOCK = CLUB.block(1, b"ok one", b"ok two")
PREPARES = CLUB.prepares((0, 1, 2), 0, BLOCK)
CHANGES = [CLUB.signed_change(signer, 1, (0, BLOCK)) for signer in (0, 1, 2)]

GOLDEN: dict[str, tuple[Message, str]] = {
    "prepare": (CLUB.prepare(2, 7, BLOCK), "f37cb1ef60735b39c03dade536842402b0073d0eacece4e6f14a1de4905e0feb"),
    "commit": (CLUB.commit(2, 7, BLOCK), "abd63f362bfbd9c48ffd21b40638e974b228c210492a206c0080af532c6969df"),
    "proposal": (
        CLUB.proposal(2, 1, BLOCK, CHANGES, PREPARES),
        "44c3168bfb3c54ffd51fd71eca431f63d7f9b5138fed844b7f96c2ed202b0778",
    ),
    "round change": (CLUB.change(3, 1, (0, BLOCK)), "4ea70030a9ecd132b52f0964933f5a80f47b8fb67656c6a40a1b4b5cc949a2bb"),
    "round change, nothing prepared": (
        CLUB.change(3, 1),
        "8a34855efe5e098286c7c2b2e823fefdf451005d550ecdf16b476fb6196c7027",
    ),
}

heights = st.integers(1, MAX_HEIGHT).map(Height)
rounds = st.integers(0, MAX_ROUND).map(Round)
hashes = st.binary(min_size=32, max_size=32).map(Hash)
keys = st.binary(min_size=32, max_size=32).map(PublicKey)
signatures = st.binary(min_size=64, max_size=64).map(Signature)
prepared = st.builds(VoteStatement, st.just(StatementKind.PREPARE), heights, rounds, hashes)
committed = st.builds(VoteStatement, st.just(StatementKind.COMMIT), heights, rounds, hashes)
prepares = st.builds(Vote, prepared, keys, signatures)
votes = st.builds(Vote, prepared | committed, keys, signatures)
changes = st.builds(RoundChangeStatement, heights, rounds, st.none() | st.tuples(rounds, hashes))
signed_changes = st.builds(SignedRoundChange, changes, keys, signatures)
messages = st.one_of(
    votes,
    st.builds(
        Proposal,
        heights,
        rounds,
        st.just(BLOCK),
        st.lists(signed_changes, max_size=4).map(tuple),
        st.lists(prepares, max_size=4).map(tuple),
        keys,
        signatures,
    ),
    st.builds(RoundChange, signed_changes, st.none() | st.just(BLOCK), st.lists(prepares, max_size=4).map(tuple)),
)


def fresh(message: Message) -> bytes:
    """Encoded again, not from the memory of the object."""
    return encode_message(replace(message))


@given(messages)
def test_what_is_encoded_is_decoded(message):
    data = encode_message(message)
    decoded = decode_message(data)
    assert decoded == message
    assert fresh(decoded) == data


@given(messages)
def test_the_height_of_what_may_have_a_block_is_read_from_its_first_bytes(message):
    expected = None if isinstance(message, Vote) else message.height
    assert announced_height(encode_message(message)[:14]) == expected


@given(st.binary(max_size=20))
def test_no_bytes_break_the_reading_of_the_height(data):
    for begin in (b"", b"\x99\x01\x01", b"\x95\x01\x04\x95"):
        height = announced_height(begin + data)
        assert height is None or 0 <= height < 2**64


@given(messages, st.data())
def test_any_change_of_the_bytes_is_an_error_or_another_message(message, data):
    encoded = bytearray(encode_message(message))
    position = data.draw(st.integers(0, len(encoded) - 1))
    encoded[position] ^= 1 << data.draw(st.integers(0, 7))
    try:
        decoded = decode_message(bytes(encoded))
    except InvalidMessage:
        return
    assert decoded != message
    assert fresh(decoded) == bytes(encoded)


@given(st.binary(max_size=200))
def test_garbage_is_an_invalid_message_and_no_other_error(data):
    with pytest.raises(InvalidMessage):
        decode_message(data)


@pytest.mark.parametrize("name", GOLDEN)
def test_the_bytes_never_change(name):
    message, digest = GOLDEN[name]
    assert sha256(encode_message(message)).hexdigest() == digest


def value(message: Message) -> list:
    decoded = canonical.decode(encode_message(message))
    assert isinstance(decoded, list)
    return decoded


def changed(message: Message, *path: int, to: object) -> bytes:
    top = value(message)
    part = top
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = to
    return canonical.encode(top)


VOTE, PROPOSAL, CHANGE = (GOLDEN[name][0] for name in ("prepare", "proposal", "round change"))


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (b"", ""),
        (encode_message(VOTE) + b"\x00", ""),
        (canonical.encode([]), "message"),
        (changed(VOTE, 0, to=2), "message.version"),
        (changed(VOTE, 0, to=True), "message.version"),
        (changed(VOTE, 1, to=5), "message.kind"),
        (changed(VOTE, 1, to=False), "message.kind"),
        (changed(VOTE, 1, to=4), "round_change"),
        (changed(VOTE, 2, to=0), "vote.height"),
        (changed(VOTE, 2, to=MAX_HEIGHT + 1), "vote.height"),
        (changed(VOTE, 3, to=-1), "vote.round"),
        (changed(VOTE, 3, to=MAX_ROUND + 1), "vote.round"),
        (changed(VOTE, 3, to=True), "vote.round"),
        (changed(VOTE, 4, to=b"short"), "vote.block_hash"),
        (changed(VOTE, 5, to=bytes(31)), "vote.key"),
        (changed(VOTE, 6, to=bytes(65)), "vote.signature"),
        (canonical.encode([*value(VOTE), 0]), "vote"),
        (changed(PROPOSAL, 4, to=None), "proposal.block"),
        (changed(PROPOSAL, 4, 1, to=[1]), "proposal.block.entries[0]"),
        (changed(PROPOSAL, 5, to=[[]] * 101), "proposal.round_changes"),
        (changed(PROPOSAL, 6, to=[[]] * 101), "proposal.prepares"),
        (changed(PROPOSAL, 6, 2, to=[]), "proposal.prepares[2]"),
        (changed(PROPOSAL, 6, 1, 0, to=9), "proposal.prepares[1].type"),
        (changed(PROPOSAL, 5, 0, 2, to=[0]), "proposal.round_changes[0].prepared"),
        (changed(CHANGE, 2, to=[1, 2]), "round_change.signed"),
        (changed(CHANGE, 4, to=None), "round_change.prepares"),
    ],
)
def test_malformed_messages_name_the_field(data, field):
    with pytest.raises(InvalidMessage) as caught:
        decode_message(data)
    assert caught.value.field == field


def test_oversized_messages_are_refused_before_they_are_decoded():
    data = encode_message(PROPOSAL)
    assert decode_message(data, max_bytes=len(data)) == PROPOSAL
    with pytest.raises(InvalidMessage, match=f"at most {len(data) - 1} allowed"):
        decode_message(data, max_bytes=len(data) - 1)


def test_the_largest_justification_fits_beside_the_largest_block():
    claim = (MAX_ROUND, BLOCK)
    change = CLUB.signed_change(0, MAX_ROUND, claim)
    change = replace(change, statement=replace(change.statement, height=Height(MAX_HEIGHT)))
    vote = CLUB.prepare(0, MAX_ROUND, BLOCK)
    vote = replace(vote, statement=replace(vote.statement, height=Height(MAX_HEIGHT)))
    proposal = CLUB.proposal(0, MAX_ROUND, BLOCK, [change] * 100, [vote] * 100)
    assert len(encode_message(proposal)) - len(BLOCK.encode()) <= JUSTIFICATION_BYTES
    config = EngineConfig(GENESIS, None, max_block_bytes=len(BLOCK.encode()))
    assert decode_message(encode_message(proposal), config.max_message_bytes) == proposal
