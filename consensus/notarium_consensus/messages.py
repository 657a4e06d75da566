"""The messages of QBFT, and their canonical bytes.

========== =====================================================================================
message    canonical msgpack (``V`` = 1, the version)
========== =====================================================================================
proposal   ``[V, 1, height, round, block, [round change, ...], [vote, ...], key, signature]``
prepare    ``[V, 2, height, round, block hash, key, signature]``
commit     ``[V, 3, height, round, block hash, key, signature]``; its signature is the seal
round      ``[V, 4, round change, block or nil, [vote, ...]]``
change
========== =====================================================================================

Inside them, ``vote`` = ``[kind, height, round, block hash, key, signature]``, ``round change`` =
``[height, round, nil or [prepared round, prepared hash], key, signature]`` and ``block`` as in the ledger.

What is signed is not these bytes but the fixed-width bytes of the message's `statement` (notarium_ledger:
blocks/statements.py). A proposal's signature covers the block hash only: its justification is proven by the
signatures inside. Lists of votes and round changes are in strictly ascending order of keys.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from notarium_consensus.errors import InvalidMessage, LaterVersion
from notarium_ledger.blocks.block import MAX_BLOCK_ITEMS, Block
from notarium_ledger.blocks.certificate import QuorumCertificate
from notarium_ledger.blocks.statements import (
    RoundChangeStatement,
    SignedRoundChange,
    SignedStatement,
    StatementKind,
    Vote,
    VoteStatement,
    round_change_from_value,
    vote_from_value,
)
from notarium_ledger.blocks.validators import MAX_VALIDATORS
from notarium_ledger.encoding import canonical
from notarium_ledger.encoding.reading import read_height, read_items, read_key, read_list, read_round, read_signature
from notarium_ledger.errors import errors_as
from notarium_ledger.types import Hash, Height, PublicKey, Round, Signature

MESSAGE_VERSION: Final = 1
_MAX_ITEMS: Final = MAX_BLOCK_ITEMS + 2048
"""More values (value_count.py) than a block with a hundred round changes and a hundred votes consists of."""

_BEFORE_HEIGHT: Final = (b"\x99\x01\x01", b"\x95\x01\x04\x95")
"""List, version and kind of a proposal and of a round change, which is a list itself."""
_WIDTHS: Final = {b"\xcc": 1, b"\xcd": 2, b"\xce": 4, b"\xcf": 8}
"""Bytes of an integer after its head, in msgpack."""

JUSTIFICATION_BYTES: Final = 64 * 1024
"""What a message may have beyond its block: more than 100 round changes and 100 votes take."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """The round's proposer offers a block, with what justifies it in a round above 0."""

    height: Height
    round: Round
    block: Block
    round_changes: tuple[SignedRoundChange, ...]
    """Empty in round 0; in a later round Q or more, for exactly this height and round."""
    prepares: tuple[Vote, ...]
    """Q prepares of the highest prepared round that `round_changes` name; empty if they name none."""
    key: PublicKey
    signature: Signature
    _encoded: bytes | None = field(init=False, default=None, repr=False, compare=False)

    @property
    def kind(self) -> StatementKind:
        """PROPOSAL."""
        return StatementKind.PROPOSAL

    @property
    def block_hash(self) -> Hash:
        """Of the block."""
        return self.block.hash

    @property
    def statement(self) -> VoteStatement:
        """What the signature covers."""
        return VoteStatement(StatementKind.PROPOSAL, self.height, self.round, self.block.hash)


@dataclass(frozen=True, slots=True)
class RoundChange:
    """A ROUND-CHANGE with what proves its prepared round."""

    signed: SignedRoundChange
    block: Block | None
    """The prepared block; None if nothing is prepared, or if only the hash of the block comes along."""
    prepares: tuple[Vote, ...]
    """Q prepares of the prepared round and block; empty if nothing is prepared."""
    _encoded: bytes | None = field(init=False, default=None, repr=False, compare=False)

    def by_hash(self) -> RoundChange:
        """The same without the block, which its receiver has, or does not need."""
        return self if self.block is None else RoundChange(self.signed, None, self.prepares)

    @property
    def kind(self) -> StatementKind:
        """ROUND_CHANGE."""
        return StatementKind.ROUND_CHANGE

    @property
    def statement(self) -> RoundChangeStatement:
        """What the signature covers."""
        return self.signed.statement

    @property
    def height(self) -> Height:
        """Of the signed part."""
        return self.signed.height

    @property
    def round(self) -> Round:
        """Of the signed part."""
        return self.signed.round

    @property
    def key(self) -> PublicKey:
        """Of the signed part."""
        return self.signed.key

    @property
    def signature(self) -> Signature:
        """Of the signed part."""
        return self.signed.signature


Message = Proposal | Vote | RoundChange
"""What validators send each other."""
Signed = Message | SignedRoundChange
"""What has a statement, a key and a signature."""


def signed_part(message: Signed) -> SignedStatement:
    """The statement of a message with key and signature, without the blocks that travel along."""
    if isinstance(message, RoundChange):
        return message.signed
    if isinstance(message, Proposal):
        return Vote(message.statement, message.key, message.signature)
    return message


def encode_message(message: Message) -> bytes:
    """Canonical bytes. Of a message with a block they are made once, since it is recorded, sent and sent again."""
    if isinstance(message, Vote):
        return canonical.encode([MESSAGE_VERSION, *message.to_value()])
    if message._encoded is None:
        object.__setattr__(message, "_encoded", canonical.encode(_to_value(message)))
    encoded = message._encoded
    return encoded if encoded is not None else b""


def decode_message(data: bytes, max_bytes: int = canonical.MAX_BYTES) -> Message:
    """Inverse of encode_message. Raises InvalidMessage, naming the field.

    Checks form only, not signatures. A message of a later version raises LaterVersion.
    `max_bytes`: EngineConfig.max_message_bytes.
    """
    if len(data) > max_bytes:
        raise InvalidMessage(f"{len(data)} bytes, at most {max_bytes} allowed", "message", limit=max_bytes)
    with errors_as(InvalidMessage):
        message = _from_value(canonical.decode(data, _MAX_ITEMS))
    if not isinstance(message, Vote):
        # The decoder accepts one encoding only, so these bytes are what encode_message would make.
        object.__setattr__(message, "_encoded", bytes(data))
    return message


def announced_height(data: bytes) -> int | None:
    """The height that the bytes of a proposal or a round change begin with; None for anything else.

    Looks at the first bytes only, so that a block which nobody needs costs nothing, however large it is.
    """
    for begin in _BEFORE_HEIGHT:
        if data.startswith(begin):
            first, rest = data[len(begin) : len(begin) + 1], data[len(begin) + 1 : len(begin) + 9]
            width = _WIDTHS.get(first)
            return int.from_bytes(first if width is None else rest[:width], "big")
    return None


def commits_of(certificate: QuorumCertificate) -> tuple[Vote, ...]:
    """The seals as the votes that they are."""
    statement = VoteStatement(StatementKind.COMMIT, certificate.height, certificate.round, certificate.block)
    return tuple(Vote(statement, seal.key, seal.signature) for seal in certificate.seals)


def votes_from_value(value: canonical.Value, path: str) -> tuple[Vote, ...]:
    """Inside a message or record: a list of at most MAX_VALIDATORS votes. Raises LedgerError."""
    items = read_items(value, path, MAX_VALIDATORS)
    return tuple(vote_from_value(item, f"{path}[{number}]") for number, item in enumerate(items))


def _to_value(message: Proposal | RoundChange) -> canonical.Value:
    if isinstance(message, Proposal):
        return [
            MESSAGE_VERSION,
            int(StatementKind.PROPOSAL),
            int(message.height),
            int(message.round),
            message.block.to_value(),
            [item.to_value() for item in message.round_changes],
            [vote.to_value() for vote in message.prepares],
            bytes(message.key),
            bytes(message.signature),
        ]
    return [
        MESSAGE_VERSION,
        int(StatementKind.ROUND_CHANGE),
        message.signed.to_value(),
        None if message.block is None else message.block.to_value(),
        [vote.to_value() for vote in message.prepares],
    ]


def _from_value(value: canonical.Value) -> Message:
    if not isinstance(value, list) or len(value) < 2:
        raise InvalidMessage("not a list [version, kind, ...]", "message")
    if type(value[0]) is not int:
        raise InvalidMessage("not an integer", "message.version")
    if value[0] != MESSAGE_VERSION:
        error = LaterVersion if value[0] > MESSAGE_VERSION else InvalidMessage
        raise error(f"{value[0]}, this software reads {MESSAGE_VERSION}", "message.version")
    kind = value[1]
    if type(kind) is not int or kind not in (1, 2, 3, 4):
        raise InvalidMessage("not a message kind (1 to 4)", "message.kind")
    if kind == StatementKind.PROPOSAL:
        return _proposal(read_list(value, "proposal", 9))
    if kind == StatementKind.ROUND_CHANGE:
        return _round_change(read_list(value, "round_change", 5))
    return vote_from_value(value[1:], "vote")


def _proposal(items: list[canonical.Value]) -> Proposal:
    changes = read_items(items[5], "proposal.round_changes", MAX_VALIDATORS)
    return Proposal(
        read_height(items[2], "proposal.height"),
        read_round(items[3], "proposal.round"),
        _block(items[4], "proposal.block"),
        tuple(
            round_change_from_value(item, f"proposal.round_changes[{number}]") for number, item in enumerate(changes)
        ),
        votes_from_value(items[6], "proposal.prepares"),
        read_key(items[7], "proposal.key"),
        read_signature(items[8], "proposal.signature"),
    )


def _round_change(items: list[canonical.Value]) -> RoundChange:
    return RoundChange(
        round_change_from_value(items[2], "round_change.signed"),
        None if items[3] is None else _block(items[3], "round_change.block"),
        votes_from_value(items[4], "round_change.prepares"),
    )


def _block(value: canonical.Value, path: str) -> Block:
    with errors_as(InvalidMessage, field=path):
        return Block.from_value(value)
