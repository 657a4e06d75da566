"""A flipped bit anywhere in what was signed or proven is found."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.consortium import digest, key, valid_body
from tests.vectors.chain import chain

from notarium_ledger.blocks.block import Block
from notarium_ledger.blocks.certificate import QuorumCertificate
from notarium_ledger.encoding import canonical
from notarium_ledger.entries.entry import decode_entry, sign_batch, sign_entry, verify_signature
from notarium_ledger.errors import (
    InvalidBlock,
    InvalidCertificate,
    InvalidEntry,
    InvalidProof,
    InvalidReceipt,
    LedgerError,
)
from notarium_ledger.log.frontier import EMPTY, consistency_path, inclusion_path
from notarium_ledger.log.hashes import leaf_hash, node_hash
from notarium_ledger.log.proofs import verify_consistency, verify_inclusion
from notarium_ledger.state.chain_state import apply_block
from notarium_ledger.trust.receipt import ReceiptVerifier
from notarium_ledger.trust.receipt_batch import decode_receipts, encode_receipts
from notarium_ledger.types import Hash

GENESIS = Hash(digest("genesis"))
SINGLE = sign_entry(key("author"), GENESIS, valid_body("run", 1, refs=[{"rel": "derivedFrom", "entry": digest("r")}]))
BATCHED = sign_batch(key("author"), GENESIS, [valid_body("run", number) for number in range(11)])
RECEIPTS = [chain().receipt(1, 1), chain().receipt(3, 4)]
FILES = [receipt.encode_json() for receipt in RECEIPTS]


def flip(data: bytes, bit: int) -> bytes:
    """`data` with one bit changed."""
    return data[: bit // 8] + bytes((data[bit // 8] ^ 1 << bit % 8,)) + data[bit // 8 + 1 :]


@pytest.mark.parametrize("raw", [SINGLE, BATCHED[0], BATCHED[10]], ids=["single", "batch, first", "batch, last"])
def test_any_flipped_bit_of_an_entry_is_rejected(raw: bytes) -> None:
    """Every bit, not a sample."""
    verify_signature(decode_entry(raw), GENESIS)
    for bit in range(8 * len(raw)):
        with pytest.raises(InvalidEntry):
            verify_signature(decode_entry(flip(raw, bit)), GENESIS)


@pytest.fixture(scope="module")
def verifier() -> ReceiptVerifier:
    return ReceiptVerifier(chain().consortium.genesis)


@pytest.mark.parametrize("data", FILES, ids=["no handover", "with a handover"])
def test_any_flipped_bit_of_a_receipt_file_is_rejected(verifier: ReceiptVerifier, data: bytes) -> None:
    """Every bit, not a sample. The verifier remembers headers that it certified, and is still not fooled."""
    verifier.verify_json(data)
    for bit in range(8 * len(data)):
        with pytest.raises(InvalidReceipt):
            verifier.verify_json(flip(data, bit))


@given(st.sampled_from(FILES), st.data())
def test_a_receipt_file_cut_stretched_or_spliced_is_rejected(data: bytes, draw: st.DataObject) -> None:
    verifier = ReceiptVerifier(chain().consortium.genesis)
    at = draw.draw(st.integers(0, len(data) - 1))
    extra = draw.draw(st.binary(min_size=1, max_size=4))
    for changed in (data[:at], data[:at] + extra + data[at:], data + extra, data[at:]):
        if changed != data:
            with pytest.raises(InvalidReceipt):
                verifier.verify_json(changed)


@given(st.data())
def test_parts_of_two_receipts_do_not_make_a_third(draw: st.DataObject) -> None:
    verifier = ReceiptVerifier(chain().consortium.genesis)
    one, other = (json.loads(data) for data in FILES)
    taken = draw.draw(st.sets(st.sampled_from(sorted(one)), min_size=1))
    mixed = {name: other[name] if name in taken else one[name] for name in one}
    if mixed in (one, other):
        return
    parts = [f"{json.dumps(name)}:{json.dumps(value, separators=(',', ':'))}" for name, value in mixed.items()]
    with pytest.raises(InvalidReceipt):
        verifier.verify_json(("{\n" + ",\n".join(parts) + "\n}\n").encode())


@given(st.data())
@settings(max_examples=300)
def test_a_flipped_bit_of_a_receipt_batch_never_verifies(draw: st.DataObject) -> None:
    verifier = ReceiptVerifier(chain().consortium.genesis)
    data = encode_receipts(RECEIPTS)
    entries = [receipt.entry for receipt in RECEIPTS]
    changed = flip(data, draw.draw(st.integers(0, 8 * len(data) - 1)))
    try:
        receipts = decode_receipts(changed, entries)
    except InvalidReceipt:
        return
    assert receipts != RECEIPTS
    for receipt, original in zip(receipts, RECEIPTS, strict=True):
        if receipt is not None and receipt != original:
            with pytest.raises(InvalidReceipt):
                verifier.verify(receipt)


def test_any_flipped_bit_of_a_certificate_is_rejected() -> None:
    decision = chain().decisions[1]
    validators = chain().states[1].registry.validators
    data = decision.certificate.encode()
    for bit in range(8 * len(data)):
        with pytest.raises(InvalidCertificate):
            QuorumCertificate.decode(flip(data, bit)).verify(
                chain().consortium.genesis.hash, validators, decision.height, decision.block.hash
            )


@given(st.data())
@settings(max_examples=300)
def test_any_flipped_bit_of_a_block_is_rejected_or_makes_another_hash(draw: st.DataObject) -> None:
    block = chain().decisions[2].block
    data = block.encode()
    changed = flip(data, draw.draw(st.integers(0, 8 * len(data) - 1)))
    try:
        other = Block.decode(changed)
        apply_block(chain().states[2], other, lambda _: False)
    except InvalidBlock:
        return
    assert other.hash != block.hash


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


@given(st.binary(min_size=1, max_size=200))
def test_canonical_bytes_of_an_entry_are_all_there_is(extra: bytes) -> None:
    with pytest.raises(InvalidEntry):
        decode_entry(SINGLE + extra)
    with pytest.raises(LedgerError):
        canonical.decode(SINGLE + extra)
