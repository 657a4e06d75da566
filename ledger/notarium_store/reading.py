"""Single stored values, decoded; what is missing or cannot be read is StoreCorruption with its height or key."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from notarium_ledger import canonical
from notarium_ledger.block import Decision
from notarium_ledger.errors import LedgerError
from notarium_ledger.types import HASH_BYTES, Hash
from notarium_store import keys, values
from notarium_store.database import Database
from notarium_store.errors import StoreCorruption
from notarium_store.values import StoredHeader

T = TypeVar("T")


def decoded(database: Database, decode: Callable[[bytes], T], value: bytes, key: bytes) -> T:
    """decode(value), or StoreCorruption that names the key."""
    try:
        return decode(value)
    except (LedgerError, ValueError, TypeError, KeyError, IndexError) as error:
        raise StoreCorruption(database.path, f"{keys.describe(key)} cannot be read: {error}") from error


def read_header(database: Database, height: int) -> StoredHeader:
    """The stored header of a decided height. Raises StoreCorruption."""
    value = database.get(keys.numbered(keys.HEADER, height))
    if value is None:
        raise StoreCorruption(database.path, "the header is missing", height)
    try:
        return StoredHeader.decode(value)
    except (LedgerError, ValueError, TypeError) as error:
        raise StoreCorruption(database.path, f"the header cannot be read: {error}", height) from error


def read_decision_bytes(database: Database, height: int) -> bytes:
    """The canonical encoding of a decided height's decision, put together without decoding. Raises StoreCorruption."""
    header = read_header(database, height)
    groups: list[bytes] = []
    index, size = header.first_index, header.header.tree_size
    count = -(-(size - index) // values.ENTRIES_PER_GROUP)
    for key, value in database.scan(keys.ENTRIES, keys.numbered(keys.ENTRIES, index), count):
        groups.append(value)
        index = int.from_bytes(key[1:], "big") + 1
    if index != size:
        raise StoreCorruption(database.path, f"entries are missing before log index {size}", height)
    return values.join_decision(header, groups)


def read_decision(database: Database, height: int) -> Decision:
    """A decided height's decision. Raises StoreCorruption."""
    try:
        return Decision.from_value(canonical.decode(read_decision_bytes(database, height)))
    except LedgerError as error:
        raise StoreCorruption(database.path, f"cannot be read: {error}", height) from error


def read_block_entry(database: Database, header: StoredHeader, index: int) -> bytes:
    """The entry at a log index that is in the block of `header`. Raises StoreCorruption."""
    last = header.group_end(index)
    key = keys.numbered(keys.ENTRIES, last)
    group = decoded(database, values.decode_entries, database.require(key), key)
    if last - index >= len(group):
        raise StoreCorruption(database.path, f"{keys.describe(key)} does not hold the entry at {index}")
    return group[index - last - 1]


def read_block_node(database: Database, header: StoredHeader, level: int, index: int) -> bytes:
    """A tree node that the block of `header` completed. Raises KeyError for another node, or StoreCorruption."""
    position = keys.node_position(level, index)
    first, last = header.node_group(position)
    key = keys.numbered(keys.TREE, last)
    group = database.require(key)
    if len(group) != (last - first + 1) * HASH_BYTES:
        raise StoreCorruption(database.path, f"{keys.describe(key)} has {len(group)} bytes")
    at = (position - first) * HASH_BYTES
    return group[at : at + HASH_BYTES]


def read_node(database: Database, level: int, index: int) -> Hash:
    """A complete tree node, which must be there. Raises StoreCorruption."""
    return read_nodes(database, level, index, 1)[0]


def read_nodes(database: Database, level: int, first: int, count: int) -> list[Hash]:
    """`count` adjacent tree nodes of one level, which must be there. Raises StoreCorruption."""
    result: list[Hash] = []
    group, start, end = b"", 0, 0
    for index in range(first, first + count):
        position = keys.node_position(level, index)
        if not start <= position < end:
            found = database.seek(keys.numbered(keys.TREE, position), keys.TREE)
            if found is None:
                raise StoreCorruption(database.path, f"tree node {index} of level {level} is missing")
            group, end = found[1], int.from_bytes(found[0][1:], "big") + 1
            start = end - len(group) // HASH_BYTES
            if start > position or len(group) % HASH_BYTES:
                raise StoreCorruption(database.path, f"tree node {index} of level {level} is missing")
        at = (position - start) * HASH_BYTES
        result.append(Hash(group[at : at + HASH_BYTES]))
    return result
