"""Reads and decodes single stored values. A missing or unreadable value raises StoreCorruption with height or key."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from notarium_ledger.blocks.block import Decision
from notarium_ledger.encoding import canonical
from notarium_ledger.errors import LedgerError
from notarium_ledger.trust.equivocation import Equivocation
from notarium_ledger.types import HASH_BYTES
from notarium_store import keys, layout
from notarium_store.database import Database
from notarium_store.layout import StoredHeader

T = TypeVar("T")


def decoded(database: Database, decode: Callable[[bytes], T], value: bytes, key: bytes) -> T:
    """decode(value). Raises StoreCorruption with the key."""
    try:
        return decode(value)
    except (LedgerError, ValueError, TypeError, KeyError, IndexError) as error:
        raise database.corruption(f"{keys.describe(key)} cannot be read: {error}") from error


def read_header(database: Database, height: int) -> StoredHeader:
    """The stored header of a decided height. Raises StoreCorruption."""
    value = database.get(keys.numbered(keys.HEADER, height))
    if value is None:
        raise database.corruption("the header is missing", height)
    try:
        return StoredHeader.decode(value)
    except (LedgerError, ValueError, TypeError) as error:
        raise database.corruption(f"the header cannot be read: {error}", height) from error


def read_decision_bytes(database: Database, height: int) -> bytes:
    """The canonical encoding of a decided height's decision, joined without decoding. Raises StoreCorruption."""
    header = read_header(database, height)
    groups: list[bytes] = []
    index, size = header.first_index, header.header.tree_size
    count = -(-(size - index) // layout.ENTRIES_PER_GROUP)
    for key, value in database.scan(keys.ENTRIES, keys.numbered(keys.ENTRIES, index), count):
        groups.append(value)
        index = int.from_bytes(key[1:], "big") + 1
    if index != size:
        raise database.corruption(f"entries are missing before log index {size}", height)
    return layout.join_decision(header, groups)


def read_decision(database: Database, height: int) -> Decision:
    """A decided height's decision. Raises StoreCorruption."""
    try:
        return Decision.from_value(canonical.decode(read_decision_bytes(database, height)))
    except LedgerError as error:
        raise database.corruption(f"cannot be read: {error}", height) from error


def read_block_entry(database: Database, header: StoredHeader, index: int) -> bytes:
    """The entry at a log index inside the block of `header`. Raises StoreCorruption."""
    last = header.group_end(index)
    key = keys.numbered(keys.ENTRIES, last)
    group = decoded(database, layout.decode_entries, database.require(key), key)
    if last - index >= len(group):
        raise database.corruption(f"{keys.describe(key)} does not hold the entry at {index}")
    return group[index - last - 1]


def read_equivocations(database: Database) -> list[tuple[int, Equivocation]]:
    """All stored equivocations with their numbers, ascending. Raises StoreCorruption."""
    return [
        (int.from_bytes(key[1:], "big"), decoded(database, Equivocation.decode, value, key))
        for key, value in database.scan(keys.EQUIVOCATION)
    ]


NodeGroup = tuple[int, bytes]
"""The position of the first node of a stored group, and the hashes."""


def read_block_group(database: Database, header: StoredHeader, position: int) -> NodeGroup:
    """The group of a node that the block of `header` completed. Raises StoreCorruption; KeyError for another node."""
    first, last = header.node_group(position)
    key = keys.numbered(keys.TREE, last)
    group = database.require(key)
    if len(group) != (last - first + 1) * HASH_BYTES:
        raise database.corruption(f"{keys.describe(key)} has {len(group)} bytes")
    return first, group


def read_group(database: Database, position: int) -> NodeGroup:
    """The group with the node at a position, which must be stored. Raises StoreCorruption."""
    found = database.seek(keys.numbered(keys.TREE, position), keys.TREE)
    if found is not None:
        key, group = found
        first = int.from_bytes(key[1:], "big") + 1 - len(group) // HASH_BYTES
        if first <= position and len(group) % HASH_BYTES == 0:
            return first, group
    raise database.corruption(f"the tree node at position {position} is missing")


class NodeReader:
    """Reads the nodes of one proof (frontier.NodeReader), and each stored group once: most nodes are neighbours."""

    def __init__(self, load: Callable[[int], NodeGroup]) -> None:
        """`load` reads the group of a position."""
        self._load = load
        self._groups: list[NodeGroup] = []

    def __call__(self, level: int, index: int) -> bytes:
        position = keys.node_position(level, index)
        for first, group in reversed(self._groups):
            at = (position - first) * HASH_BYTES
            if 0 <= at < len(group):
                return group[at : at + HASH_BYTES]
        first, group = self._load(position)
        self._groups.append((first, group))
        at = (position - first) * HASH_BYTES
        return group[at : at + HASH_BYTES]
