"""The frontier grows to the roots of RFC 6962 and makes its proofs, and none beyond the tree."""

import pytest
from tests.ledger.log.trees import LEAVES, MANY, ROOTS, SIZE, Tree
from tests.support import naive_tree

from notarium_ledger.errors import InvalidProof
from notarium_ledger.log.frontier import EMPTY, Frontier, consistency_path, inclusion_path
from notarium_ledger.log.hashes import EMPTY_ROOT, leaf_hash


def test_known_roots() -> None:
    assert EMPTY_ROOT.hex() == ROOTS[0]
    for size, root in enumerate(ROOTS):
        assert Tree(LEAVES[:size]).frontier.root().hex() == root
        assert naive_tree.mth(LEAVES[:size]).hex() == root


@pytest.mark.parametrize("cut", range(0, SIZE, 7))
def test_growing_in_parts_is_growing_at_once(cut: int) -> None:
    first, nodes1 = EMPTY.extend(map(leaf_hash, MANY[:cut]))
    second, nodes2 = first.extend(map(leaf_hash, MANY[cut:]))
    whole, nodes = EMPTY.extend(map(leaf_hash, MANY))
    assert (second, nodes1 + nodes2) == (whole, nodes)
    assert first == Frontier(cut, first.peaks)
    assert len(first.peaks) == cut.bit_count()


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
