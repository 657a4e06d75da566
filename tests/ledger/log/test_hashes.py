"""Leaves and nodes have hashes of their own (RFC 6962, 2.1)."""

import pytest
from tests.ledger.log.trees import Tree

from notarium_ledger.errors import InvalidProof
from notarium_ledger.log.hashes import leaf_hash
from notarium_ledger.log.proofs import verify_inclusion
from notarium_ledger.types import Hash


def test_a_leaf_is_no_node() -> None:
    """RFC 6962, 2.1: without the prefixes, two leaves could be passed off as one node."""
    left, right = leaf_hash(b"left"), leaf_hash(b"right")
    root = Tree([b"left", b"right"]).frontier.root()
    with pytest.raises(InvalidProof):
        verify_inclusion(leaf_hash(left + right), 0, 1, [], Hash(root))
