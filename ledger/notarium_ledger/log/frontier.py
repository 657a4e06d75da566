"""The append-only RFC 6962 tree: a frontier that grows, and proofs read from stored nodes.

A node is addressed by (level, index). Level 0 holds the leaf hashes; node (l, i) covers the leaves [i·2^l, (i+1)·2^l).
Only complete nodes are stored. Each is written once and never changes, so a proof for *any* earlier size needs no
rebuild.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from notarium_ledger.errors import InvalidProof
from notarium_ledger.log.hashes import EMPTY_ROOT, node_hash
from notarium_ledger.types import Hash

NodeReader = Callable[[int, int], bytes]
"""(level, index) -> hash of a complete node; raises KeyError where no such node exists."""

Node = tuple[int, int, Hash]
"""(level, index, hash)"""


@dataclass(frozen=True, slots=True)
class Frontier:
    """The right edge of a tree: enough to append leaves and to compute the root."""

    size: int
    """Number of leaves."""
    peaks: tuple[Hash, ...]
    """Roots of the complete subtrees, one for each bit set in `size`, largest first."""

    def extend(self, leaves: Iterable[Hash]) -> tuple[Frontier, list[Node]]:
        """Append leaf hashes: the new frontier, and every node that they complete (O(1) amortised for a leaf)."""
        peaks: list[bytes] = list(self.peaks)
        size = self.size
        nodes: list[Node] = []
        add = nodes.append
        for leaf in leaves:
            add((0, size, leaf))
            current: bytes = leaf
            level, index = 0, size
            while index & 1:
                current = sha256(b"\x01" + peaks.pop() + current).digest()
                level += 1
                index >>= 1
                add((level, index, Hash(current)))
            peaks.append(current)
            size += 1
        return Frontier(size, tuple(Hash(peak) for peak in peaks)), nodes

    def root(self) -> Hash:
        """The Merkle tree hash (RFC 6962, 2.1)."""
        return fold(self.peaks)


EMPTY = Frontier(0, ())


def fold(peaks: Sequence[Hash]) -> Hash:
    """The root over adjacent complete subtrees, largest first."""
    if not peaks:
        return EMPTY_ROOT
    result = peaks[-1]
    for peak in reversed(peaks[:-1]):
        result = node_hash(peak, result)
    return result


def range_root(read: NodeReader, start: int, size: int) -> Hash:
    """Root over the leaves [start, size). `start` must be a multiple of the size of each subtree that follows it."""
    return fold(_peaks(read, start, size))


def frontier_at(read: NodeReader, size: int) -> Frontier:
    """The frontier of the tree when it had `size` leaves."""
    return Frontier(size, tuple(_peaks(read, 0, size)))


def _peaks(read: NodeReader, start: int, size: int) -> list[Hash]:
    """The complete subtrees that cover the leaves [start, size), largest first."""
    peaks: list[Hash] = []
    while start < size:
        level = (size - start).bit_length() - 1
        peaks.append(Hash(read(level, start >> level)))
        start += 1 << level
    return peaks


def inclusion_path(read: NodeReader, index: int, size: int) -> list[Hash]:
    """The audit path of leaf `index` in the tree of `size` leaves (RFC 6962, 2.1.1). Raises InvalidProof."""
    if not 0 <= index < size:
        raise InvalidProof(f"index {index} is not in a tree of {size} leaves", "index")
    return _siblings(read, 0, index, size)


def consistency_path(read: NodeReader, size1: int, size2: int) -> list[Hash]:
    """The proof that the tree of `size1` leaves is a prefix of that of `size2` (RFC 6962, 2.1.2)."""
    if not 0 <= size1 <= size2:
        raise InvalidProof(f"sizes {size1} and {size2} are not in order", "size")
    if size1 == 0 or size1 == size2:
        return []
    # Start at the last complete subtree of the first tree and climb to the root of the second.
    level, node = 0, size1 - 1
    while node & 1:
        level += 1
        node >>= 1
    start = [] if size1 & (size1 - 1) == 0 else [Hash(read(level, node))]
    return start + _siblings(read, level, node, size2)


def _siblings(read: NodeReader, level: int, node: int, size: int) -> list[Hash]:
    """The siblings on the way from a node up to the root of the tree of `size` leaves."""
    path: list[Hash] = []
    last = (size - 1) >> level
    while last:
        sibling = node ^ 1
        if sibling < last:
            path.append(Hash(read(level, sibling)))
        elif sibling == last:
            path.append(range_root(read, sibling << level, size))
        # Otherwise the node has no sibling and moves up a level unchanged.
        level += 1
        node >>= 1
        last >>= 1
    return path
