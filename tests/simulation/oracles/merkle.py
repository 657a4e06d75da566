"""RFC 6962 by its recursive definition, and the inclusion check of RFC 9162."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256


class Log:
    """All leaves, and the root over all of them by the definition in RFC 6962, 2.1.

    The leaves only ever grow at the end, so a subtree of 2^k leaves that is complete is hashed once.
    """

    def __init__(self) -> None:
        self._leaves: list[bytes] = []
        self._complete: dict[tuple[int, int], bytes] = {}

    def __len__(self) -> int:
        return len(self._leaves)

    def extend(self, leaf_hashes: Iterable[bytes]) -> None:
        """Append leaves, given by their hashes."""
        self._leaves += leaf_hashes

    def root(self) -> bytes:
        """MTH over all leaves."""
        return self._mth(0, len(self._leaves))

    def root_with(self, leaf_hashes: Sequence[bytes]) -> bytes:
        """As `root` after `extend`, which does not happen."""
        size = len(self._leaves)
        self._leaves += leaf_hashes
        try:
            return self._mth(0, len(self._leaves), kept=size)
        finally:
            del self._leaves[size:]

    def _mth(self, start: int, size: int, kept: int | None = None) -> bytes:
        """`kept`: subtrees that reach beyond are not remembered."""
        if size == 0:
            return sha256(b"").digest()
        if size == 1:
            return self._leaves[start]
        known = self._complete.get((start, size))
        if known is not None:
            return known
        left = 1
        while left * 2 < size:
            left *= 2
        ends = self._mth(start, left, kept), self._mth(start + left, size - left, kept)
        result = sha256(b"\1" + ends[0] + ends[1]).digest()
        if left * 2 == size and (kept is None or start + size <= kept):
            self._complete[start, size] = result
        return result


def is_included(leaf_hash: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """RFC 9162, 2.1.3.2; a path of another length than index and size demand is refused."""
    if not 0 <= index < size or any(len(each) != 32 for each in path):
        return False
    return _climb(leaf_hash, index, size, path) == root


def root_of(leaf_hash: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root that the path leads to, or None for a path of another length than index and size demand."""
    return _climb(leaf_hash, index, size, path) if 0 <= index < size else None


def _climb(leaf_hash: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    node, last, result = index, size - 1, leaf_hash
    for sibling in path:
        if last == 0:
            return None
        if node & 1 or node == last:
            result = sha256(b"\1" + sibling + result).digest()
            while node and not node & 1:
                node, last = node >> 1, last >> 1
        else:
            result = sha256(b"\1" + result + sibling).digest()
        node, last = node >> 1, last >> 1
    return result if last == 0 else None
