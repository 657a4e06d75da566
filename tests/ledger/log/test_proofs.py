"""RFC 6962: the known answers of Certificate Transparency, and the RFC's own recursion for every small tree."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ledger.flipping import flip
from tests.ledger.log.trees import LEAVES, MANY, NODES, ROOTS, SIZE, Tree
from tests.support import naive_tree

from notarium_ledger.errors import (
    InvalidProof,
)
from notarium_ledger.log.frontier import EMPTY, consistency_path, frontier_at, inclusion_path, range_root
from notarium_ledger.log.hashes import EMPTY_ROOT, leaf_hash, node_hash
from notarium_ledger.log.proofs import root_from_inclusion, verify_consistency, verify_inclusion
from notarium_ledger.types import Hash

INCLUSION = [
    (0, 1, []),
    (0, 8, ["1", "2-3", "4-7"]),
    (5, 8, ["4", "6-7", "0-3"]),
    (2, 3, ["0-1"]),
    (1, 5, ["0", "2-3", "4"]),
]

CONSISTENCY = [
    (1, 1, []),
    (1, 8, ["1", "2-3", "4-7"]),
    (6, 8, ["4-5", "6-7", "0-3"]),
    (2, 5, ["2-3", "4"]),
]


def hashes(names: list[str]) -> list[bytes]:
    return [bytes.fromhex(NODES[name]) for name in names]


@pytest.mark.parametrize(("index", "size", "names"), INCLUSION)
def test_known_inclusion_proofs(index: int, size: int, names: list[str]) -> None:
    path = hashes(names)
    assert inclusion_path(Tree(LEAVES[:size]).read, index, size) == path
    verify_inclusion(leaf_hash(LEAVES[index]), index, size, path, bytes.fromhex(ROOTS[size]))


@pytest.mark.parametrize(("size1", "size2", "names"), CONSISTENCY)
def test_known_consistency_proofs(size1: int, size2: int, names: list[str]) -> None:
    path = hashes(names)
    assert consistency_path(Tree(LEAVES).read, size1, size2) == path
    verify_consistency(size1, bytes.fromhex(ROOTS[size1]), size2, bytes.fromhex(ROOTS[size2]), path)


@pytest.fixture(scope="module")
def many() -> Tree:
    return Tree(MANY)


@pytest.mark.parametrize("size", range(SIZE + 1))
def test_every_proof_of_every_small_tree_is_the_rfc_s_own(many: Tree, size: int) -> None:
    """All proofs are read from the nodes of the largest tree: an earlier size needs no rebuild."""
    root = naive_tree.mth(MANY[:size])
    assert frontier_at(many.read, size).root() == root
    assert range_root(many.read, 0, size) == root
    for index in range(size):
        path = inclusion_path(many.read, index, size)
        assert path == naive_tree.path(index, MANY[:size])
        verify_inclusion(leaf_hash(MANY[index]), index, size, path, root)
    for earlier in range(1, size + 1):
        proof = consistency_path(many.read, earlier, size)
        assert proof == naive_tree.proof(earlier, MANY[:size])
        verify_consistency(earlier, naive_tree.mth(MANY[:earlier]), size, root, proof)


HASH = bytes(32)

BAD_INCLUSION = [
    (b"", 0, 1, [], "a hash has 0 bytes"),
    (HASH, 0, 2, [b""], "a hash has 0 bytes"),
    (HASH, 0, 2, [bytes(31)], "a hash has 31 bytes"),
    (HASH, 0, 2, [bytes(33)], "a hash has 33 bytes"),
    (HASH, 0, 0, [], "index 0 is not in a tree of 0 leaves"),
    (HASH, 1, 1, [], "index 1 is not in a tree of 1 leaves"),
    (HASH, -1, 4, [HASH] * 2, "index -1 is not in a tree"),
    (HASH, 0, -1, [], "is not in a tree of -1 leaves"),
    (HASH, 0, 1 << 63, [HASH] * 63, "is not in a tree"),
    (HASH, 0, 1, [HASH], "longer than the tree is high"),
    (HASH, 0, 4, [HASH], "shorter than the tree is high"),
    (HASH, 0, 4, [HASH] * 3, "longer than the tree is high"),
    (HASH, 4, 5, [HASH] * 2, "longer than the tree is high"),
    (HASH, 0, 4, [HASH] * 70, "more than 63 hashes"),
]


@pytest.mark.parametrize(("leaf", "index", "size", "path", "reason"), BAD_INCLUSION)
def test_an_inclusion_proof_of_the_wrong_shape(leaf: bytes, index: int, size: int, path: list, reason: str) -> None:
    with pytest.raises(InvalidProof, match=reason):
        root_from_inclusion(leaf, index, size, path)


BAD_CONSISTENCY = [
    (0, HASH, 4, HASH, [], "is not the root of the empty tree"),
    (0, EMPTY_ROOT, 4, HASH, [HASH], "must be empty"),
    (3, HASH, 3, bytes(31) + b"1", [], "two roots for one size"),
    (3, HASH, 3, HASH, [HASH], "must be empty"),
    (3, HASH, 4, HASH, [], "empty between trees of different sizes"),
    (4, HASH, 3, HASH, [HASH], "are not in order"),
    (-1, HASH, 3, HASH, [HASH], "are not in order"),
    (3, b"", 4, HASH, [HASH], "a hash has 0 bytes"),
    (3, HASH, 4, HASH, [b""], "a hash has 0 bytes"),
    (2, HASH, 4, HASH, [HASH] * 2, "longer than the tree is high"),
    (2, HASH, 8, HASH, [HASH], "shorter than the tree is high"),
    (2, HASH, 4, HASH, [HASH], "second root"),
    (3, HASH, 4, HASH, [HASH] * 3, "does not lead to the first root"),
    (1, HASH, 1 << 63, HASH, [HASH], "are not in order"),
]


@pytest.mark.parametrize(("size1", "root1", "size2", "root2", "path", "reason"), BAD_CONSISTENCY)
def test_a_consistency_proof_that_is_none(
    size1: int, root1: bytes, size2: int, root2: bytes, path: list, reason: str
) -> None:
    with pytest.raises(InvalidProof, match=reason):
        verify_consistency(size1, root1, size2, root2, path)


class Grown:
    """A tree of `size` leaves."""

    def __init__(self, size: int) -> None:
        self.leaves = [leaf_hash(b"%d" % number) for number in range(size)]
        self.frontier, nodes = EMPTY.extend(self.leaves)
        self._nodes = {(level, index): value for level, index, value in nodes}

    def read(self, level: int, index: int) -> bytes:
        return self._nodes[level, index]


GROWN = Grown(5000)


def root_of(size: int) -> Hash:
    return EMPTY.extend(GROWN.leaves[:size])[0].root()


@given(st.data())
def test_an_inclusion_proof_proves_one_leaf_at_one_place_in_one_tree(draw: st.DataObject) -> None:
    size = draw.draw(st.integers(1, len(GROWN.leaves)))
    index = draw.draw(st.integers(0, size - 1))
    leaf, root, path = GROWN.leaves[index], root_of(size), inclusion_path(GROWN.read, index, size)
    verify_inclusion(leaf, index, size, path, root)

    def rejected(*proof: Any) -> None:
        with pytest.raises(InvalidProof):
            verify_inclusion(*proof)

    bit = draw.draw(st.integers(0, 255))
    rejected(flip(leaf, bit), index, size, path, root)
    rejected(leaf, index, size, path, flip(root, bit))
    rejected(leaf, index, size, [*path, leaf], root)
    rejected(leaf, index, size, [*path, b""], root)
    rejected(leaf, -1 - index, size, path, root)
    other = draw.draw(st.integers(0, size - 1))
    if other != index:
        rejected(leaf, other, size, path, root)
        rejected(GROWN.leaves[other], index, size, path, root)
    if path:
        at = draw.draw(st.integers(0, len(path) - 1))
        rejected(leaf, index, size, [*path[:at], flip(path[at], bit), *path[at + 1 :]], root)
        rejected(leaf, index, size, [*path[:at], *path[at + 1 :]], root)
        rejected(leaf, index, size, [*path[:at], path[at], *path[at:]], root)
        if len(path) > 1:
            rejected(leaf, index, size, path[::-1], root)
        # An inner node shown as a leaf, with the rest of the path.
        joined = node_hash(leaf, path[0]) if index % 2 == 0 else node_hash(path[0], leaf)
        rejected(joined, index // 2, size, path[1:], root)


@given(st.data())
def test_a_consistency_proof_proves_one_pair_of_trees(draw: st.DataObject) -> None:
    size2 = draw.draw(st.integers(2, len(GROWN.leaves)))
    size1 = draw.draw(st.integers(1, size2 - 1))
    root1, root2, path = root_of(size1), root_of(size2), consistency_path(GROWN.read, size1, size2)
    verify_consistency(size1, root1, size2, root2, path)

    def rejected(*proof: Any) -> None:
        with pytest.raises(InvalidProof):
            verify_consistency(*proof)

    bit = draw.draw(st.integers(0, 255))
    rejected(size1, flip(root1, bit), size2, root2, path)
    rejected(size1, root1, size2, flip(root2, bit), path)
    rejected(size2, root2, size1, root1, path)
    rejected(size1, root1, size2, root2, [*path, path[-1]])
    at = draw.draw(st.integers(0, len(path) - 1))
    rejected(size1, root1, size2, root2, [*path[:at], flip(path[at], bit), *path[at + 1 :]])
    rejected(size1, root1, size2, root2, [*path[:at], *path[at + 1 :]])
    # A history that was rewritten in one leaf is no extension.
    rewritten = list(GROWN.leaves[:size2])
    rewritten[draw.draw(st.integers(0, size1 - 1))] = leaf_hash(b"rewritten")
    frontier, nodes = EMPTY.extend(rewritten)
    stored = {(level, index): value for level, index, value in nodes}
    proof = consistency_path(lambda level, index: stored[level, index], size1, size2)
    rejected(size1, root1, size2, frontier.root(), proof)
