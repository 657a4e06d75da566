"""The consensus record: what must be on disk before a message leaves, and what it means after a restart.

Under each height:

=================  ===================================================================================
key                value
=================  ===================================================================================
round mod 32 u8 ‖  the signed part of our message of that round and kind: canonical ``[1, vote]`` or
kind u8            ``[1, round change]``, with the round in it (own_statements.py)
``proposal``       our latest PROPOSAL, as sent (`encode_message`)
``prepared``       canonical ``[1, round, block, [vote, ...]]``: the block this node may have committed to
``left``           round u64be: sign nothing in it or in an earlier round, where forgotten signatures were seen
``fence``          height u64be: sign nothing below it (permission.py)
=================  ===================================================================================

A slot is signed once for each round: after a restart the same bytes are sent again, never new ones (mistake 6). A
later round takes the slot of the one 32 rounds before, so the record is bounded, however many rounds fail.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from notarium_consensus.errors import InvalidRecord
from notarium_consensus.justification import Prepared
from notarium_consensus.messages import Proposal, decode_message, votes_from_value
from notarium_consensus.own_statements import place
from notarium_consensus.permission import FENCE_KEY, NO_FENCE, decode_fence
from notarium_ledger.blocks.block import Block
from notarium_ledger.blocks.statements import SignedStatement, StatementKind, statement_from_value
from notarium_ledger.encoding import canonical
from notarium_ledger.errors import LedgerError
from notarium_ledger.types import MAX_ROUND, Height, Round

RECORD_VERSION: Final = 1
PREPARED_KEY: Final = b"prepared"
PROPOSAL_KEY: Final = b"proposal"
LEFT_KEY: Final = b"left"

_SLOT = struct.Struct("BB")
_ROUND = struct.Struct(">Q")


@dataclass(frozen=True, slots=True)
class SigningRecord:
    """A decoded record of one height."""

    statements: tuple[SignedStatement, ...]
    """The signed parts of our messages, by the place of their round and their kind."""
    proposal: Proposal | None
    """Our latest."""
    prepared: Prepared | None
    fence: Height
    """NO_FENCE if none is recorded."""
    left: Round | None = None
    """Nothing is signed in this round or in an earlier one."""


def slot_key(round_: Round, kind: StatementKind) -> bytes:
    """(round mod 32) u8 ‖ kind u8."""
    return _SLOT.pack(place(round_), kind)


def encode_round(round_: Round) -> bytes:
    """u64be."""
    return _ROUND.pack(round_)


def encode_statement(signed: SignedStatement) -> bytes:
    """Canonical [1, vote] or [1, round change]."""
    return canonical.encode([RECORD_VERSION, signed.to_value()])


def encode_prepared(prepared: Prepared) -> bytes:
    """Canonical [1, round, block, [vote, ...]]."""
    return canonical.encode(
        [
            RECORD_VERSION,
            int(prepared.round),
            prepared.block.to_value(),
            [vote.to_value() for vote in prepared.prepares],
        ]
    )


def decode_record(record: Mapping[bytes, bytes], height: Height) -> SigningRecord:
    """Read what Persist wrote for `height`. Raises InvalidRecord: not to start is better than to sign twice."""
    statements: list[SignedStatement] = []
    proposal: Proposal | None = None
    prepared: Prepared | None = None
    fence, left = NO_FENCE, None
    for key, value in sorted(record.items()):
        try:
            if key == PREPARED_KEY:
                prepared = _prepared(value)
            elif key == PROPOSAL_KEY:
                proposal = _proposal(value, height)
            elif key == FENCE_KEY:
                fence = decode_fence(value)
            elif key == LEFT_KEY:
                left = Round(_ROUND.unpack(value)[0])
            else:
                statements.append(_statement(key, value, height))
        except (LedgerError, struct.error) as error:
            raise InvalidRecord(
                f"{error}; if the disk is damaged, restore a copy and set vote_from above what it may have signed",
                f"record[{height}][{key.hex()}]",
            ) from error
    return SigningRecord(tuple(statements), proposal, prepared, fence, left)


def _statement(key: bytes, value: bytes, height: Height) -> SignedStatement:
    where, kind = _SLOT.unpack(key)
    items = canonical.decode(value)
    if not isinstance(items, list) or len(items) != 2 or type(items[0]) is not int or items[0] != RECORD_VERSION:
        raise InvalidRecord("not [1, vote] or [1, round change], which is what this software reads")
    signed = statement_from_value(items[1], "statement")
    if (signed.height, place(signed.round), int(signed.kind)) != (height, where, kind):
        raise InvalidRecord("the statement is of another height, round or kind than its key")
    return signed


def _proposal(value: bytes, height: Height) -> Proposal:
    message = decode_message(value)
    if not isinstance(message, Proposal) or message.height != height:
        raise InvalidRecord("not a PROPOSAL of this height")
    return message


def _prepared(value: bytes) -> Prepared:
    items = canonical.decode(value)
    if not isinstance(items, list) or len(items) != 4 or type(items[0]) is not int or items[0] != RECORD_VERSION:
        raise InvalidRecord("not [1, round, block, votes]")
    if type(items[1]) is not int or not 0 <= items[1] <= MAX_ROUND:
        raise InvalidRecord("not a round")
    return Prepared(Round(items[1]), Block.from_value(items[2]), votes_from_value(items[3], "prepares"))
