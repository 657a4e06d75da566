"""What nodes say to one another: one byte of type, then the payload. Bounded, checked, versioned by HELLO.

A kind below LATER_KINDS_END that this software does not know is a later version's: it is ignored, so that nodes can be
upgraded one after the other (consensus notes, mistake 15). Any other unknown kind is garbage.

01 consensus   a signed message of notarium_consensus
02 entries     msgpack list of entry bytes: gossip
03 status      msgpack [height, tip]: how far I am; a hint, never believed
04 get-blocks  msgpack [from height, most]: send me decisions
05 blocks      msgpack list of canonical decisions, ascending: the answer, and what followers are sent
06 follow      empty: send me every decision from now on
07 evidence    msgpack list of canonical evidence: a validator signed two different things
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

import msgpack

from notarium_ledger.errors import NotCanonical
from notarium_ledger.items import check_items
from notarium_ledger.types import HASH_BYTES, MAX_HEIGHT, Hash, Height

MAX_GOSSIP_ENTRIES = 16_384
MAX_BLOCKS = 512
MAX_EVIDENCE = 64
BLOCKS_BYTES = 2 * 1024 * 1024
"""An answer to get-blocks ends with the block that passes this size; it must arrive before the asker gives up."""


class Kind(IntEnum):
    """The first byte of a message."""

    CONSENSUS = 1
    ENTRIES = 2
    STATUS = 3
    GET_BLOCKS = 4
    BLOCKS = 5
    FOLLOW = 6
    EVIDENCE = 7


LATER_KINDS_END = 0x40
_KINDS = frozenset(map(int, Kind))


class BadMessage(ValueError):
    """A peer's bytes are none of the above."""


def is_of_later_version(message: bytes) -> bool:
    """Whether `message` is of a kind that is kept for later versions of this protocol."""
    return bool(message) and 0 < message[0] < LATER_KINDS_END and message[0] not in _KINDS


def pack_list(kind: Kind, items: Sequence[bytes]) -> bytes:
    """ENTRIES, BLOCKS or EVIDENCE."""
    return bytes((kind,)) + msgpack.packb(list(items), use_bin_type=True)


def unpack_list(payload: bytes, most: int) -> list[bytes]:
    """The items of ENTRIES, BLOCKS or EVIDENCE. Raises BadMessage."""
    value = _unpack(payload, 1 + most)
    if type(value) is not list or len(value) > most:
        raise BadMessage(f"not a list of at most {most}")
    for item in value:
        if type(item) is not bytes:
            raise BadMessage("an item is not bytes")
    return value


def pack_status(height: Height, tip: Hash) -> bytes:
    """STATUS."""
    return bytes((Kind.STATUS,)) + msgpack.packb([height, tip], use_bin_type=True)


def unpack_status(payload: bytes) -> tuple[Height, Hash]:
    """Raises BadMessage."""
    value = _unpack(payload, 3)
    if type(value) is not list or len(value) != 2:
        raise BadMessage("not [height, tip]")
    height, tip = value
    if type(height) is not int or not 0 <= height <= MAX_HEIGHT or type(tip) is not bytes or len(tip) != HASH_BYTES:
        raise BadMessage("not [height, tip]")
    return Height(height), Hash(tip)


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


def _unpack(payload: bytes, max_items: int) -> object:
    """The value, if it consists of at most `max_items` values. Raises BadMessage."""
    try:
        check_items(payload, max_items)
        return msgpack.unpackb(payload, raw=False, strict_map_key=True)
    except NotCanonical as error:
        raise BadMessage(error.reason) from error
    except (ValueError, TypeError, RecursionError, msgpack.exceptions.UnpackException) as error:
        raise BadMessage(f"not msgpack: {type(error).__name__}") from error
