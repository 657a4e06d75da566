"""The consensus record: what must be on disk before a message leaves, and what it means after a restart.

Under each height:

=================  ===================================================================================
key                value
=================  ===================================================================================
round u32be ‖      our message of that round and kind, as sent (`encode_message`)
kind u8
``prepared``       canonical ``[1, round, block, [vote, ...]]``: the block this node may have committed to
``fence``          height u64be: sign nothing below it (permission.py)
=================  ===================================================================================

A slot is written once: after a restart the recorded bytes are sent again, never new ones (mistake 6).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from notarium_consensus.errors import InvalidRecord
from notarium_consensus.justification import Prepared
from notarium_consensus.messages import Message, decode_message, votes_from_value
from notarium_consensus.permission import FENCE_KEY, NO_FENCE, decode_fence
from notarium_ledger.blocks.block import Block
from notarium_ledger.blocks.statements import StatementKind
from notarium_ledger.encoding import canonical
from notarium_ledger.errors import LedgerError
from notarium_ledger.types import MAX_ROUND, Height, Round

RECORD_VERSION: Final = 1
PREPARED_KEY: Final = b"prepared"

_SLOT = struct.Struct(">IB")


@dataclass(frozen=True, slots=True)
class SigningRecord:
    """A decoded record of one height."""

    messages: tuple[Message, ...]
    """Our messages, by round and kind."""
    prepared: Prepared | None
    fence: Height
    """NO_FENCE if none is recorded."""


def slot_key(round_: Round, kind: StatementKind) -> bytes:
    """round u32be ‖ kind u8."""
    return _SLOT.pack(round_, kind)


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
    messages: list[Message] = []
    prepared: Prepared | None = None
    fence = NO_FENCE
    for key, value in sorted(record.items()):
        try:
            if key == PREPARED_KEY:
                prepared = _prepared(value)
            elif key == FENCE_KEY:
                fence = decode_fence(value)
            else:
                messages.append(_message(key, value, height))
        except (LedgerError, struct.error) as error:
            raise InvalidRecord(
                f"{error}; if the disk is damaged, restore a copy and set vote_from above what it may have signed",
                f"record[{height}][{key.hex()}]",
            ) from error
    return SigningRecord(tuple(messages), prepared, fence)


def _message(key: bytes, value: bytes, height: Height) -> Message:
    round_, kind = _SLOT.unpack(key)
    message = decode_message(value)
    if (message.height, message.round, int(message.kind)) != (height, round_, kind):
        raise InvalidRecord("the message is of another height, round or kind than its key")
    return message


def _prepared(value: bytes) -> Prepared:
    items = canonical.decode(value)
    if not isinstance(items, list) or len(items) != 4 or type(items[0]) is not int or items[0] != RECORD_VERSION:
        raise InvalidRecord("not [1, round, block, votes]")
    if type(items[1]) is not int or not 0 <= items[1] <= MAX_ROUND:
        raise InvalidRecord("not a round")
    return Prepared(Round(items[1]), Block.from_value(items[2]), votes_from_value(items[3], "prepares"))
