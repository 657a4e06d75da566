"""Many receipts in one message: they read back, lies are found, and a hostile answer costs little memory."""

import tracemalloc
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ledger.flipping import flip
from tests.support.consortium import Consortium, digest
from tests.vectors.chain import chain

from notarium_ledger.blocks.certificate import Seal
from notarium_ledger.blocks.validators import Validator, ValidatorSet
from notarium_ledger.encoding import canonical
from notarium_ledger.errors import (
    InvalidReceipt,
)
from notarium_ledger.trust.chain import DecidedHeader, Handover
from notarium_ledger.trust.receipt import Receipt, ReceiptVerifier
from notarium_ledger.trust.receipt_batch import decode_receipts, encode_receipts
from notarium_ledger.types import PublicKey, Signature

SIZE = 1024 * 1024

ROWS = 16


def decided_by(size):
    """A header and a certificate as `size` validators sign it: no more seals than a quorum."""
    consortium = Consortium(4)
    decision, _ = consortium.decide(consortium.state, [consortium.entry()])
    validators = ValidatorSet(tuple(Validator(chr(33 + each), PublicKey(digest(each))) for each in range(size)))
    seals = tuple(Seal(each.key, Signature(bytes(64))) for each in validators.validators[: validators.quorum])
    return DecidedHeader(decision.block.header, replace(decision.certificate, seals=seals), ()), validators


@pytest.mark.parametrize("size", [1, 3, 93])
@pytest.mark.parametrize("handovers", [0, 1, 200])
@pytest.mark.parametrize("decided", [0, 1, ROWS])
def test_the_densest_honest_answer_is_read(size, handovers, decided):
    """Ids of one letter, the smallest quorums, an empty path; each set signs the next handover, the last the block."""
    last, validators = decided_by(size)
    first, _ = decided_by(1)
    signers = [first, *[last] * handovers]
    chain = tuple(Handover(each.header, each.certificate, validators) for each in signers[:handovers])
    receipts = [
        Receipt(b"entry", 0, (), DecidedHeader(last.header, last.certificate, chain)) if number < decided else None
        for number in range(ROWS)
    ]
    assert decode_receipts(encode_receipts(receipts), [b"entry"] * ROWS) == receipts


def hostile(values):
    """An answer of `values` small values that take the most memory, filled up to SIZE by a path."""
    filler = bytes(SIZE - 3 * values)
    return canonical.encode({"blocks": ["Ā"] * values, "receipts": [[0, 0, filler], *[None] * (ROWS - 1)]})


@pytest.mark.parametrize("bytes_of_value", [4, 8, 19, 21])
def test_a_lying_answer_is_refused_before_it_takes_much_memory(bytes_of_value):
    data = hostile(SIZE // bytes_of_value)
    tracemalloc.start()
    with pytest.raises(InvalidReceipt) as caught:
        decode_receipts(data, [b"entry"] * ROWS)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert caught.value.step == 1
    assert peak < (9 * len(data) if bytes_of_value > 20 else SIZE // 10)


def test_more_blocks_than_entries_are_not_read():
    last, _ = decided_by(4)
    data = canonical.encode({"blocks": [last.to_value()] * (ROWS + 1), "receipts": [None] * ROWS})
    with pytest.raises(InvalidReceipt, match="17 blocks for 16 entries"):
        decode_receipts(data, [b"entry"] * ROWS)


@given(st.lists(st.sampled_from([(1, 0), (1, 2), (2, 1), (3, 0), (3, 4), None]), max_size=8))
def test_receipts_round_trip_alone_and_together(wanted: list) -> None:
    receipts = [each and chain().receipt(*each) for each in wanted]
    entries = [each.entry if each else b"" for each in receipts]
    assert decode_receipts(encode_receipts(receipts), entries) == receipts
    for receipt in receipts:
        if receipt:
            assert Receipt.decode_json(receipt.encode_json()) == receipt


RECEIPTS = [chain().receipt(1, 1), chain().receipt(3, 4)]


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
