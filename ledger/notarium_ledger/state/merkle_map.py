"""A map of records with a Merkle root: a change costs what the record costs, whatever the number of the others.

The path of a key is SHA-256(key), read from its first bit on. A subtree holds the records whose paths begin alike:

    no record       32 zero bytes
    one record      SHA-256(00 ‖ path ‖ SHA-256(value))
    more records    SHA-256(01 ‖ left ‖ right), by the bit of the path at the subtree's depth

The root depends on the records only, not on the order in which they came. A record alone in its subtree stands there
without the levels below it, so a path has about log2(n) levels, and presence and absence can be proven.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Final

from notarium_ledger.types import HASH_BYTES, Hash

_Leaf = tuple[bytes, bytes, bytes]
"""(hash, key, value)"""
_Branch = tuple[bytes, "_Node", "_Node", int]
"""(hash, left, right, number of records)"""
_Node = _Leaf | _Branch | None
# Plain tuples on purpose: the garbage collector stops to track them. It would visit a million objects of a class again
# and again, and each full collection would hold up the node.

_EMPTY: Final = bytes(HASH_BYTES)
_PATH_BITS: Final = 8 * HASH_BYTES
_PART_BYTES: Final = 2
"""What is sorted at once has the first bytes of its keys in common: 2,000 of 500,000 researchers."""


class MerkleMap:
    """Bytes -> bytes, immutable. A changed map shares with the one before it all that did not change."""

    __slots__ = ("_node",)

    def __init__(self) -> None:
        """The empty map."""
        self._node: _Node = None

    @property
    def root(self) -> Hash:
        """The hash over all records."""
        return Hash(_hash(self._node))

    def __len__(self) -> int:
        return _size(self._node)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MerkleMap) and self.root == other.root

    def __hash__(self) -> int:
        return hash(self.root)

    def get(self, key: bytes) -> bytes | None:
        """The value of `key`, or None."""
        node = self._node
        path = _path_of_read(key)
        bit = 1 << (_PATH_BITS - 1)
        while node is not None and len(node) == 4:
            node = node[2] if path & bit else node[1]
            bit >>= 1
        return node[2] if node is not None and node[1] == key else None

    def updated(self, changes: Mapping[bytes, bytes | None]) -> MerkleMap:
        """The map with these values; None deletes a record, or nothing where the key has no record."""
        ordered = sorted((_path(key), key) for key in changes)
        paths = [path for path, _ in ordered]
        leaves = [_leaf(path, key, changes[key]) for path, key in ordered]
        result = MerkleMap()
        result._node = _update(self._node, _Changes(paths, leaves), 0, len(paths), 0, 1 << (_PATH_BITS - 1))
        return result

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """All records in ascending order of their keys."""
        # Sorted in parts, and without a tuple for each record: a node does this in a thread, which must not hold the
        # interpreter for long, as one sort does, or as the garbage collector does after half a million tuples.
        values = dict(_records(self._node))
        parts: dict[bytes, list[bytes]] = {}
        for key in values:
            parts.setdefault(key[:_PART_BYTES], []).append(key)
        for part in sorted(parts):
            for key in sorted(parts[part]):
                yield key, values[key]

    def walk(self) -> Iterator[tuple[bytes, bytes]]:
        """All records in the order of their paths, one after the other."""
        return _records(self._node)

    def __repr__(self) -> str:
        return f"MerkleMap({len(self)} records, root={self.root.hex()})"


class _Changes:
    """New leaves, or None for a deletion, in ascending order of their paths."""

    __slots__ = ("leaves", "paths")

    def __init__(self, paths: Sequence[int], leaves: Sequence[_Leaf | None]) -> None:
        self.paths = paths
        self.leaves = leaves


def _path(key: bytes) -> int:
    return int.from_bytes(sha256(key).digest(), "big")


_path_of_read = lru_cache(maxsize=4096)(_path)
"""The same few keys sign thousands of entries."""


def _leaf(path: int, key: bytes, value: bytes | None) -> _Leaf | None:
    if value is None:
        return None
    content = b"\x00" + path.to_bytes(HASH_BYTES, "big") + sha256(value).digest()
    return sha256(content).digest(), key, value


def _hash(node: _Node) -> bytes:
    return _EMPTY if node is None else node[0]


def _size(node: _Node) -> int:
    if node is None:
        return 0
    return node[3] if len(node) == 4 else 1


def _join(left: _Node, right: _Node) -> _Node:
    """The subtree of two halves; a record that is alone in it moves up."""
    if left is None and (right is None or len(right) == 3):
        return right
    if right is None and left is not None and len(left) == 3:
        return left
    content = b"\x01" + _hash(left) + _hash(right)
    return sha256(content).digest(), left, right, _size(left) + _size(right)


def _update(node: _Node, changes: _Changes, first: int, end: int, start: int, bit: int) -> _Node:
    """`node` with the changes from number `first` to before `end`.

    `start` is the least path of the subtree, `bit` the one by which its two halves differ.
    """
    if first == end:
        return node
    left: _Node = None
    right: _Node = None
    if node is not None and len(node) == 4:
        _, left, right, _ = node
    else:
        path = changes.paths[first] if node is None else _path(node[1])
        if end - first == 1:
            if path == changes.paths[first]:
                return changes.leaves[first]
            if changes.leaves[first] is None:
                return node
        if path & bit:
            right = node
        else:
            left = node
    middle = bisect_left(changes.paths, start | bit, first, end)
    if first < middle:
        left = _update(left, changes, first, middle, start, bit >> 1)
    if middle < end:
        right = _update(right, changes, middle, end, start | bit, bit >> 1)
    return _join(left, right)


def _records(node: _Node) -> Iterator[tuple[bytes, bytes]]:
    waiting = [node]
    while waiting:
        each = waiting.pop()
        if each is None:
            continue
        if len(each) == 4:
            waiting += each[2], each[1]
        else:
            yield each[1], each[2]
