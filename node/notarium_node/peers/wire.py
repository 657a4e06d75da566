"""The messages between nodes: one byte that names the kind, then the payload. Bounded, checked, versioned by HELLO.

An unknown kind below LATER_KINDS_END belongs to a later version and is ignored, so that nodes can be upgraded one at a
time (consensus notes, mistake 15). Any other unknown kind is garbage.

01 consensus   a signed message of notarium_consensus
02 entries     msgpack list of entry bytes: gossip
03 status      msgpack [height, tip, history, base, cause, votes from]: the sender's height; it lacks the blocks above
               `history` up to `base`, and does not vote for `cause`, which may end at a height (health/ability.py). A
               hint, never believed
04 get-blocks  msgpack [from height, most]: requests decisions
05 blocks      msgpack list of canonical decisions, ascending: the answer, and what followers are sent
06 follow      empty: requests every decision from now on, until the line is full (catchup/followers.py)
07 equivocations msgpack list of canonical equivocations: a validator signed two different things
08 get-snapshot msgpack [height, offset]: requests a part of the snapshot of this height; height 0: of the tip
09 snapshot    msgpack [height, size, offset, part]: `part` of a snapshot of `size` bytes; size 0: the sender has none
0a recall      msgpack [nonce]: the sender has forgotten what its key has signed, and asks what is known of that
0b recalled    msgpack [nonce, height, remembers, statement]: the answer. `height` is that of the sender's tip,
               `remembers` whether it may sign itself, `statement` the signed statement of the asker's key with the
               greatest height, round and kind that the sender holds, as in a message, or nil
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import msgpack

from notarium_ledger.blocks.statements import SignedStatement, statement_from_value
from notarium_ledger.encoding.value_count import check_value_count
from notarium_ledger.errors import LedgerError, NotCanonical
from notarium_ledger.trust.snapshot import MAX_SNAPSHOT_BYTES
from notarium_ledger.types import HASH_BYTES, MAX_HEIGHT, Hash, Height
from notarium_node.health.ability import CAN_VOTE, ENDING_AT_A_HEIGHT, MAX_CAUSE, Ability, Cause, cause_of

MAX_GOSSIP_ENTRIES = 16_384
MAX_BLOCKS = 512
MAX_EQUIVOCATIONS = 64
BLOCKS_BYTES = 2 * 1024 * 1024
"""An answer to get-blocks ends with the block that exceeds this size; it must arrive before the request times out."""
SNAPSHOT_PART_BYTES = 1024 * 1024
"""The size of a part of a snapshot, for the same reason."""
NONCE_BYTES = 16


class Kind(IntEnum):
    """The first byte of a message."""

    CONSENSUS = 1
    ENTRIES = 2
    STATUS = 3
    GET_BLOCKS = 4
    BLOCKS = 5
    FOLLOW = 6
    EQUIVOCATIONS = 7
    GET_SNAPSHOT = 8
    SNAPSHOT = 9
    RECALL = 10
    RECALLED = 11


LATER_KINDS_END = 0x40
_KINDS = frozenset(map(int, Kind))


class BadMessage(ValueError):
    """A peer's bytes are not a valid message."""


def is_of_later_version(message: bytes) -> bool:
    """Whether the kind of `message` is reserved for later versions of this protocol."""
    return bool(message) and 0 < message[0] < LATER_KINDS_END and message[0] not in _KINDS


def pack_list(kind: Kind, items: Sequence[bytes]) -> bytes:
    """ENTRIES, BLOCKS or EQUIVOCATIONS."""
    return bytes((kind,)) + msgpack.packb(list(items), use_bin_type=True)


def announced_items(payload: bytes) -> int:
    """How many items ENTRIES, BLOCKS or EQUIVOCATIONS say that they have; 0 for what is not a list.

    Looks at the first bytes only, so that a list which nobody wants costs nothing, however long it is.
    """
    head = payload[0] if payload else 0
    if 0x90 <= head <= 0x9F:
        return head & 0x0F
    width = {0xDC: 2, 0xDD: 4}.get(head, 0)
    return int.from_bytes(payload[1 : 1 + width], "big")


def unpack_list(payload: bytes, most: int) -> list[bytes]:
    """The items of ENTRIES, BLOCKS or EQUIVOCATIONS. Raises BadMessage."""
    value = _unpack(payload, 1 + most)
    if type(value) is not list or len(value) > most:
        raise BadMessage(f"not a list of at most {most}")
    for item in value:
        if type(item) is not bytes:
            raise BadMessage("an item is not bytes")
    return value


@dataclass(frozen=True, slots=True)
class HeightStatus:
    """How far a node claims to be."""

    height: Height
    tip: Hash
    history: Height
    """It holds all blocks from genesis up to here."""
    base: Height
    """And all above this height. Both are `height` if no block is missing."""
    ability: Ability = CAN_VOTE
    """Whether it can vote."""

    def holds(self, height: int) -> bool:
        """Whether it holds the block of `height`."""
        return height <= self.history or self.base < height <= self.height


def pack_status(status: HeightStatus) -> bytes:
    """STATUS."""
    ability = status.ability
    value = [status.height, status.tip, status.history, status.base, ability.cause, ability.votes_from]
    return bytes((Kind.STATUS,)) + msgpack.packb(value, use_bin_type=True)


def unpack_status(payload: bytes) -> HeightStatus:
    """Raises BadMessage."""
    value = _unpack(payload, 7)
    if type(value) is not list or len(value) != 6:
        raise BadMessage("not [height, tip, history, base, cause, votes from]")
    height, tip, history, base, cause, votes_from = value
    if any(type(item) is not int for item in (height, history, base, cause, votes_from)) or type(tip) is not bytes:
        raise BadMessage("not numbers and a hash")
    if not 0 <= history <= base <= height <= MAX_HEIGHT or len(tip) != HASH_BYTES:
        raise BadMessage("not heights in ascending order and a hash")
    if history == base != height:
        raise BadMessage("reports missing blocks, but their number is 0")
    known = cause_of(cause)
    if not 0 <= cause <= MAX_CAUSE or not 0 <= votes_from <= MAX_HEIGHT:
        raise BadMessage(f"a cause above {MAX_CAUSE}, or no height from which it votes")
    if (votes_from > 0) != (known in ENDING_AT_A_HEIGHT) and known is not Cause.OTHER:
        raise BadMessage("a height from which it votes, with a cause that ends at no height, or the reverse")
    ability = Ability(known, Height(votes_from if known in ENDING_AT_A_HEIGHT else 0))
    return HeightStatus(Height(height), Hash(tip), Height(history), Height(base), ability)


def pack_get_blocks(first: Height, most: int) -> bytes:
    """GET_BLOCKS."""
    return bytes((Kind.GET_BLOCKS,)) + msgpack.packb([first, most])


def unpack_get_blocks(payload: bytes) -> tuple[Height, int]:
    """Raises BadMessage."""
    value = _unpack(payload, 3)
    if type(value) is not list or len(value) != 2 or any(type(item) is not int for item in value):
        raise BadMessage("not [from height, most]")
    first, most = value
    if not 1 <= first <= MAX_HEIGHT or not 1 <= most <= MAX_BLOCKS:
        raise BadMessage(f"height below 1 or more than {MAX_BLOCKS} blocks")
    return Height(first), most


@dataclass(frozen=True, slots=True)
class SnapshotPart:
    """A part of an encoded snapshot."""

    height: Height
    size: int
    """Bytes of the whole snapshot; 0: there is no such snapshot."""
    offset: int
    data: bytes


def pack_get_snapshot(height: Height, offset: int) -> bytes:
    """GET_SNAPSHOT; height 0 for the tip."""
    return bytes((Kind.GET_SNAPSHOT,)) + msgpack.packb([height, offset])


def unpack_get_snapshot(payload: bytes) -> tuple[Height, int]:
    """Raises BadMessage."""
    value = _unpack(payload, 3)
    if type(value) is not list or len(value) != 2 or any(type(item) is not int for item in value):
        raise BadMessage("not [height, offset]")
    height, offset = value
    if not 0 <= height <= MAX_HEIGHT or not 0 <= offset <= MAX_SNAPSHOT_BYTES:
        raise BadMessage("not a height and an offset")
    return Height(height), offset


def pack_snapshot(part: SnapshotPart) -> bytes:
    """SNAPSHOT."""
    value = [part.height, part.size, part.offset, part.data]
    return bytes((Kind.SNAPSHOT,)) + msgpack.packb(value, use_bin_type=True)


def unpack_snapshot(payload: bytes) -> SnapshotPart:
    """Raises BadMessage."""
    value = _unpack(payload, 5)
    if type(value) is not list or len(value) != 4 or type(value[3]) is not bytes:
        raise BadMessage("not [height, size, offset, part]")
    height, size, offset, data = value
    if any(type(item) is not int for item in (height, size, offset)) or not 0 <= height <= MAX_HEIGHT:
        raise BadMessage("not [height, size, offset, part]")
    if not 0 <= size <= MAX_SNAPSHOT_BYTES or offset < 0 or offset + len(data) > size:
        raise BadMessage(f"a part beyond its snapshot, or one of more than {MAX_SNAPSHOT_BYTES} bytes")
    if bool(data) != bool(size) or len(data) > SNAPSHOT_PART_BYTES:
        raise BadMessage(f"a part of {len(data)} bytes, 1 to {SNAPSHOT_PART_BYTES} allowed")
    return SnapshotPart(Height(height), size, offset, data)


@dataclass(frozen=True, slots=True)
class RecallAnswer:
    """What a node knows that helps another one which has forgotten what it signed."""

    nonce: bytes
    """Of the question: the answer was given after it."""
    height: Height
    """Of the sender's tip."""
    remembers: bool
    """Whether the sender knows what it has signed itself, and may sign at the height after its tip."""
    statement: SignedStatement | None
    """Signed with the asker's key: that of the greatest height, round and kind that the sender holds."""


def pack_recall(nonce: bytes) -> bytes:
    """RECALL."""
    return bytes((Kind.RECALL,)) + msgpack.packb([nonce], use_bin_type=True)


def unpack_recall(payload: bytes) -> bytes:
    """The nonce. Raises BadMessage."""
    value = _unpack(payload, 2)
    if type(value) is not list or len(value) != 1 or not _is_nonce(value[0]):
        raise BadMessage(f"not a nonce of {NONCE_BYTES} bytes")
    nonce: bytes = value[0]
    return nonce


def pack_recalled(answer: RecallAnswer) -> bytes:
    """RECALLED."""
    statement = None if answer.statement is None else answer.statement.to_value()
    value = [answer.nonce, answer.height, answer.remembers, statement]
    return bytes((Kind.RECALLED,)) + msgpack.packb(value, use_bin_type=True)


def unpack_recalled(payload: bytes) -> RecallAnswer:
    """Raises BadMessage."""
    value = _unpack(payload, 16)
    if type(value) is not list or len(value) != 4 or not _is_nonce(value[0]):
        raise BadMessage("not [nonce, height, remembers, statement]")
    nonce, height, remembers, said = value
    if type(height) is not int or not 0 <= height <= MAX_HEIGHT or type(remembers) is not bool:
        raise BadMessage("not [nonce, height, remembers, statement]")
    try:
        statement = None if said is None else statement_from_value(said, "statement")
    except LedgerError as error:
        raise BadMessage(str(error)) from error
    return RecallAnswer(nonce, Height(height), remembers, statement)


def _is_nonce(value: object) -> bool:
    return type(value) is bytes and len(value) == NONCE_BYTES


def _unpack(payload: bytes, max_items: int) -> object:
    """The value, if it consists of at most `max_items` values. Raises BadMessage."""
    try:
        check_value_count(payload, max_items)
        return msgpack.unpackb(payload, raw=False, strict_map_key=True)
    except NotCanonical as error:
        raise BadMessage(error.reason) from error
    except (ValueError, TypeError, RecursionError, msgpack.exceptions.UnpackException) as error:
        raise BadMessage(f"not msgpack: {type(error).__name__}") from error
