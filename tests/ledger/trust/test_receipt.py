"""A receipt reads back as it was written, and a change anywhere in it is found."""

import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.ledger.flipping import flip
from tests.properties.strategies import json_scalars
from tests.vectors.chain import chain
from tests.vectors.receipts import edited

from notarium_ledger.errors import (
    InvalidReceipt,
)
from notarium_ledger.trust.receipt import ReceiptVerifier

RECEIPTS = [chain().receipt(1, 1), chain().receipt(3, 4)]

FILES = [receipt.encode_json() for receipt in RECEIPTS]


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


@given(st.sampled_from(["header", "certificate", "entry", "index", "path", "handovers", "genesis", "about"]), st.data())
def test_a_receipt_with_any_field_of_another_type_is_rejected_by_name(name: str, data: st.DataObject) -> None:
    text = chain().receipt(3, 4).encode_json().decode()
    value: Any = data.draw(json_scalars | st.lists(st.text()) | st.just({}) | st.just([{}]))
    assume(value != json.loads(text)[name])
    edit = edited(text, lambda document: document.update({name: value})).encode()
    with pytest.raises(InvalidReceipt):
        # Verified, not only read: an empty path has the right type.
        ReceiptVerifier(chain().consortium.genesis).verify_json(edit)
