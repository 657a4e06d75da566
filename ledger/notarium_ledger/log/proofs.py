"""RFC 6962 Merkle trees: verification of proofs, as functions over values.

No function here needs a tree. Proofs come from outside, so each function checks lengths, sizes and indices; an empty
hash is never valid.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from notarium_ledger.errors import InvalidProof
from notarium_ledger.log.hashes import EMPTY_ROOT, node_hash
from notarium_ledger.types import HASH_BYTES, Hash

MAX_PATH = 63


def root_from_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> Hash:
    """The root that `path` leads to from `leaf` at `index` in a tree of `size` leaves (RFC 9162, 2.1.3.2).

    Raises InvalidProof where the path does not have the exact length that index and size require.
    """
    _check_hashes((leaf, *path))
    if not 0 <= index < size < 2**63:
        raise InvalidProof(f"index {index} is not in a tree of {size} leaves", "index")
    node, last, result = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise InvalidProof("longer than the tree is high", "path")
        # node_hash inlined for speed: this loop runs for every entry of a signed batch and for every receipt.
        if node & 1 or node == last:
            result = sha256(b"\x01" + sibling + result).digest()
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            result = sha256(b"\x01" + result + sibling).digest()
        node >>= 1
        last >>= 1
    if last != 0:
        raise InvalidProof("shorter than the tree is high", "path")
    return Hash(result)


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """Raise InvalidProof unless `path` proves `leaf` at `index` in the tree of `size` leaves with `root`."""
    if root_from_inclusion(leaf, index, size, path) != root:
        raise InvalidProof("does not lead to the root", "path")


def verify_consistency(size1: int, root1: bytes, size2: int, root2: bytes, path: Sequence[bytes]) -> None:
    """Raise InvalidProof unless `path` proves that the first tree is a prefix of the second (RFC 9162, 2.1.4.2)."""
    _check_hashes((root1, root2, *path))
    if not 0 <= size1 <= size2 < 2**63:
        raise InvalidProof(f"sizes {size1} and {size2} are not in order", "size")
    if size1 == 0 or size1 == size2:
        _check_trivial_consistency(size1, root1, size2, root2, path)
        return
    if not path:
        raise InvalidProof("empty between trees of different sizes", "path")
    hashes = list(path)
    if size1 & (size1 - 1) == 0:
        hashes.insert(0, root1)
    node, last = size1 - 1, size2 - 1
    while node & 1:
        node >>= 1
        last >>= 1
    old = new = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            raise InvalidProof("longer than the tree is high", "path")
        if node & 1 or node == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            new = node_hash(new, sibling)
        node >>= 1
        last >>= 1
    if last != 0:
        raise InvalidProof("shorter than the tree is high", "path")
    if old != root1:
        raise InvalidProof("does not lead to the first root", "path")
    if new != root2:
        raise InvalidProof("does not lead to the second root", "path")


def _check_trivial_consistency(size1: int, root1: bytes, size2: int, root2: bytes, path: Sequence[bytes]) -> None:
    if path:
        raise InvalidProof("must be empty if the first tree is empty or the sizes are equal", "path")
    if size1 == 0 and root1 != EMPTY_ROOT:
        raise InvalidProof("is not the root of the empty tree", "root1")
    if size1 == size2 and root1 != root2:
        raise InvalidProof("two roots for one size", "root2")


def _check_hashes(hashes: Sequence[bytes]) -> None:
    if len(hashes) > MAX_PATH + 2:
        raise InvalidProof(f"more than {MAX_PATH} hashes", "path", limit=MAX_PATH)
    wrong = {*map(len, hashes)} - {HASH_BYTES}
    if wrong:
        raise InvalidProof(f"a hash has {min(wrong)} bytes, not {HASH_BYTES}", "path")
