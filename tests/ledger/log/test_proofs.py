"""RFC 6962: the known answers of Certificate Transparency, and the RFC's own recursion for every small tree."""

import pytest
from tests.support import naive_tree

from notarium_ledger.errors import InvalidProof
from notarium_ledger.log.frontier import EMPTY, Frontier, consistency_path, frontier_at, inclusion_path, range_root
from notarium_ledger.log.hashes import EMPTY_ROOT, leaf_hash
from notarium_ledger.log.proofs import root_from_inclusion, verify_consistency, verify_inclusion
from notarium_ledger.types import Hash

LEAVES = [
    bytes.fromhex(each)
    for each in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
"""Of the first 0 to 8 leaves."""

NODES = {
    "1": "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    "2-3": "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    "4": "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    "4-5": "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
    "4-7": "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    "6-7": "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    "0-3": ROOTS[4],
    "0-1": ROOTS[2],
    "0": ROOTS[1],
}

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


class Tree:
    """A tree grown by the ledger's own frontier, with its nodes."""

    def __init__(self, leaves: list[bytes]) -> None:
        self.frontier, nodes = EMPTY.extend(map(leaf_hash, leaves))
        self._nodes = {(level, index): value for level, index, value in nodes}
        assert len(self._nodes) == len(nodes), "a node was written twice"

    def read(self, level: int, index: int) -> bytes:
        return self._nodes[level, index]


def hashes(names: list[str]) -> list[bytes]:
    return [bytes.fromhex(NODES[name]) for name in names]


def test_known_roots() -> None:
    assert EMPTY_ROOT.hex() == ROOTS[0]
    for size, root in enumerate(ROOTS):
        assert Tree(LEAVES[:size]).frontier.root().hex() == root
        assert naive_tree.mth(LEAVES[:size]).hex() == root


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


SIZE = 130
MANY = [b"leaf %d" % number for number in range(SIZE)]


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


@pytest.mark.parametrize("cut", range(0, SIZE, 7))
def test_growing_in_parts_is_growing_at_once(cut: int) -> None:
    first, nodes1 = EMPTY.extend(map(leaf_hash, MANY[:cut]))
    second, nodes2 = first.extend(map(leaf_hash, MANY[cut:]))
    whole, nodes = EMPTY.extend(map(leaf_hash, MANY))
    assert (second, nodes1 + nodes2) == (whole, nodes)
    assert first == Frontier(cut, first.peaks)
    assert len(first.peaks) == cut.bit_count()


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


def test_a_tree_shows_no_proofs_beyond_itself() -> None:
    tree = Tree(LEAVES)
    for index, size in ((8, 8), (-1, 8), (0, 0)):
        with pytest.raises(InvalidProof):
            inclusion_path(tree.read, index, size)
    for size1, size2 in ((5, 4), (-1, 4)):
        with pytest.raises(InvalidProof):
            consistency_path(tree.read, size1, size2)
    assert consistency_path(tree.read, 0, 5) == []
    with pytest.raises(KeyError):
        inclusion_path(tree.read, 0, 9)


def test_a_leaf_is_no_node() -> None:
    """RFC 6962, 2.1: without the prefixes, two leaves could be passed off as one node."""
    left, right = leaf_hash(b"left"), leaf_hash(b"right")
    root = Tree([b"left", b"right"]).frontier.root()
    with pytest.raises(InvalidProof):
        verify_inclusion(leaf_hash(left + right), 0, 1, [], Hash(root))
