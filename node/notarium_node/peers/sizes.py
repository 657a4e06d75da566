"""The largest messages that honest nodes send each other, from the limits of the ledger.

They are computed only here. The configuration is checked against them, so that no valid block and no answer is larger
than a node takes.
"""

from __future__ import annotations

from typing import Final

from notarium_consensus.messages import JUSTIFICATION_BYTES
from notarium_ledger.blocks.validators import MAX_VALIDATORS
from notarium_ledger.entries.commitment import PARAMETER_LIMITS
from notarium_node.peers.wire import BLOCKS_BYTES, MAX_BLOCKS, SNAPSHOT_PART_BYTES

_HEAD_BYTES: Final = 5
"""The longest head of a msgpack string or list."""
_ENTRY_HEAD_BYTES: Final = 3
"""The same for an entry, which has at most 65,535 bytes."""
_HEADER_BYTES: Final = 1024
"""A block's header has less than half of it."""
_SEAL_BYTES: Final = 128
"""A seal has a key of 32 and a signature of 64 bytes."""

MAX_BLOCK_BYTES: Final = (
    PARAMETER_LIMITS["max_block_bytes"][1]
    + PARAMETER_LIMITS["max_block_entries"][1] * _ENTRY_HEAD_BYTES
    + _HEADER_BYTES
)
"""The largest block that any parameters allow, encoded."""
MAX_DECISION_BYTES: Final = MAX_BLOCK_BYTES + MAX_VALIDATORS * _SEAL_BYTES + _HEADER_BYTES
"""The same with its certificate."""
LARGEST_MESSAGES: Final[dict[str, int]] = {
    "a proposal with the largest block": 1 + MAX_BLOCK_BYTES + JUSTIFICATION_BYTES,
    "an answer with blocks": 1 + BLOCKS_BYTES + MAX_DECISION_BYTES + (1 + MAX_BLOCKS) * _HEAD_BYTES,
    "a part of a snapshot": 1 + SNAPSHOT_PART_BYTES + 8 * _HEAD_BYTES,
}
"""Bytes, by what it is. Gossip and equivocations are cut far below these."""
LARGEST_MESSAGE: Final = max(LARGEST_MESSAGES, key=LARGEST_MESSAGES.__getitem__)
MIN_MESSAGE_BYTES: Final = LARGEST_MESSAGES[LARGEST_MESSAGE]
"""A node that takes less cannot follow every ledger."""
