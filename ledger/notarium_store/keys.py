"""The keys of the one LevelDB of a node. Integers are big-endian, so keys sort by number.

    m                                  → canonical [format version, genesis hash]; version 7, or 8 while b exists
    s                                  → canonical state after the last decision (layout.StoredState)
    h  height u64                      → canonical [header, certificate, frontier before it]
    e  last log index u64              → canonical list of the (up to 64) entries of one block that end at this index
    x  last log index of a block u64   → height u64
    i  entry id (32)                   → height u64 ‖ log index u64
    d  artifact digest (32) ‖ index u64 → entry id (32) ‖ height u64 ‖ kind 0 issuer 0 project
    f  entry id (32) ‖ index u64       → the same of an entry that refers to that one, and its relations
    t  last node position u64          → up to 256 hashes of one block's tree nodes, in the order of completion
    r  record key                      → a record of the registry after the last block of the history
    l  record key                      → a record that blocks above b changed, empty where deleted; only while b exists
    v  height u64                      → canonical validator set of the next height, only where it changed
    c  height u64 ‖ name               → a consensus record: what this node signed at an undecided height
    q  number u64                      → canonical equivocation of a validator, numbered in the order of arrival
    b                                  → canonical adopted snapshot, while blocks up to it are missing
    g                                  → canonical state after the last block before the gap, while b exists
    o                                  → the key (32) of the node whose consensus records these are

The tree is one array of hashes in the order in which they are completed (post-order), so it only grows at its end, and
a formula gives the position of a node. The leaf that completes node (l, i) is j = (i+1)·2^l − 1. The leaves before it
have completed 2j − popcount(j) nodes, and it completes its own nodes from level 0 upwards: position
2j − popcount(j) + l.

Entries, tree nodes and block numbers are grouped. A group's key is its *last* index, so that one forward seek to the
least key ≥ index finds the group that holds the index. A block of n entries costs n puts for ids, one for each digest,
and a few more. Nothing of a block is ever overwritten.

The registry stands here as the records whose Merkle root is the state root (notarium_ledger.state.registry); genesis's
are written when the store is made. A block overwrites or deletes the records that it changes, so a change costs what
its records cost, whatever the size of the registry.

A node that joined from a snapshot lacks the blocks between `g` and `b` (gap.py). Backfill writes them in ascending
order, with the same keys and values as any other block. Until then `r` is the registry at `g`, and the registry at the
tip is that of the snapshot with the changes in `l`. The write that closes the gap moves `l` onto `r`.
"""

from __future__ import annotations

META = b"m"
STATE = b"s"
HEADER = b"h"
ENTRIES = b"e"
BLOCK_END = b"x"
ID = b"i"
DIGEST = b"d"
REFERENCE = b"f"
TREE = b"t"
REGISTRY = b"r"
HANDOVER = b"v"
RECORD = b"c"
EQUIVOCATION = b"q"
LATER = b"l"
BASE = b"b"
HISTORY = b"g"
OWNER = b"o"

OF_BLOCKS = (HEADER, ENTRIES, BLOCK_END, ID, DIGEST, REFERENCE, TREE, HANDOVER)
"""Written by decisions, and never overwritten."""

_NAMES = {
    META: "format",
    STATE: "state",
    HEADER: "header",
    ENTRIES: "entries",
    BLOCK_END: "block end",
    ID: "entry id",
    DIGEST: "digest",
    REFERENCE: "reference",
    TREE: "tree node",
    REGISTRY: "registry record",
    LATER: "later registry record",
    HANDOVER: "handover",
    RECORD: "consensus record",
    EQUIVOCATION: "equivocation",
    BASE: "base snapshot",
    HISTORY: "history",
    OWNER: "owner",
}


def u64(number: int) -> bytes:
    """8 bytes, big-endian."""
    return number.to_bytes(8, "big")


def numbered(prefix: bytes, number: int) -> bytes:
    """A key that consists of a prefix and one number."""
    return prefix + number.to_bytes(8, "big")


def nodes_before(size: int) -> int:
    """The number of nodes that `size` leaves have completed, which is the position of the next node."""
    return 2 * size - size.bit_count()


def node_position(level: int, index: int) -> int:
    """The position of a complete node in the array of all nodes."""
    leaf = ((index + 1) << level) - 1
    return 2 * leaf - leaf.bit_count() + level


def named(prefix: bytes, value: bytes, index: int) -> bytes:
    """The key that records that the entry at `index` names `value`: an artifact (DIGEST) or an entry (REFERENCE)."""
    return prefix + value + index.to_bytes(8, "big")


def record(height: int, name: bytes) -> bytes:
    """The key of a consensus record."""
    return RECORD + height.to_bytes(8, "big") + name


def describe(key: bytes) -> str:
    """A key in readable form: its kind, and the key in hex."""
    return f"{_NAMES.get(key[:1], 'unknown')} key {key.hex()}"
