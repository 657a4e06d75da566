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

from notarium_ledger.entries.entry import decode_entry
from notarium_ledger.errors import (
    InvalidReceipt,
)
from notarium_ledger.trust.receipt import Receipt, ReceiptDecoder, ReceiptVerifier

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


@pytest.mark.parametrize("data", FILES, ids=["no handover", "with a handover"])
def test_a_file_whose_white_space_a_tool_changed_is_the_same_receipt(data: bytes) -> None:
    document = json.loads(data)
    crlf, stripped, longer = data.replace(b"\n", b"\r\n"), data.rstrip(), data + b"\n"
    sorted_ = json.dumps(document, indent=2, sort_keys=True).encode()
    for changed in (crlf, stripped, longer, sorted_):
        assert Receipt.decode_any_form(changed) == (Receipt.decode_json(data), False)
        with pytest.raises(InvalidReceipt):
            Receipt.decode_json(changed)
    assert Receipt.decode_any_form(data) == (Receipt.decode_json(data), True)


def test_in_no_form_is_a_changed_value_the_same_receipt(verifier: ReceiptVerifier) -> None:
    data = FILES[1]
    for bit in range(8 * len(data)):
        with pytest.raises(InvalidReceipt):
            verifier.verify(Receipt.decode_any_form(flip(data, bit))[0])


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


def test_a_decoder_reads_the_shared_part_of_a_block_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = chain().receipt(1, 0), chain().receipt(1, 1)
    decoder = ReceiptDecoder()
    assert decoder.decode(second.encode_json(), second.entry) is None
    decoder.remember(first.encode_json(), first)
    monkeypatch.setattr("notarium_ledger.blocks.block.Header.decode", lambda _: pytest.fail("read again"))
    read = decoder.decode(second.encode_json(), second.entry)
    assert read == second
    assert read is not None
    assert read.decided is first.decided


def test_a_decoder_takes_nothing_but_the_place_from_the_file(verifier: ReceiptVerifier) -> None:
    """The entry is the caller's: a file of another entry of the block gives a receipt that does not verify."""
    first, second = chain().receipt(1, 0), chain().receipt(1, 1)
    decoder = ReceiptDecoder()
    decoder.remember(first.encode_json(), first)
    wrong = decoder.decode(second.encode_json(), first.entry)
    assert wrong is not None
    with pytest.raises(InvalidReceipt) as caught:
        verifier.verify_place(wrong)
    assert caught.value.step == 5
    right = decoder.decode(first.encode_json(), first.entry)
    assert right is not None
    assert verifier.verify_place(right) == decode_entry(first.entry).id


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [('"index":0', '"index":true', "index"), ('"index":0', '"index":', ""), ('"path":[', '"path":[1,', "path")],
)
def test_a_decoder_names_what_it_cannot_read(old: str, new: str, field: str) -> None:
    receipt = chain().receipt(1, 0)
    decoder = ReceiptDecoder()
    decoder.remember(receipt.encode_json(), receipt)
    text = receipt.encode_json().decode()
    assert old in text
    with pytest.raises(InvalidReceipt) as caught:
        decoder.decode(text.replace(old, new).encode(), receipt.entry)
    assert (caught.value.step, caught.value.field) == (1, field)


def test_a_decoder_remembers_only_so_many_blocks() -> None:
    decoder = ReceiptDecoder(remembered_blocks=2)
    receipts = [chain().receipt(height, 0) for height in (1, 2, 3)]
    for receipt in receipts:
        decoder.remember(receipt.encode_json(), receipt)
    known = [decoder.decode(each.encode_json(), each.entry) is not None for each in receipts]
    assert known == [False, True, True]
