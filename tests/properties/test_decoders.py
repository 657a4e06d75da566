"""No decoder of foreign bytes raises an undocumented error."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.properties.strategies import json_scalars, values

from notarium_ledger.blocks.block import Block, Header
from notarium_ledger.blocks.certificate import QuorumCertificate
from notarium_ledger.encoding import canonical
from notarium_ledger.entries.entry import decode_entry
from notarium_ledger.errors import (
    InvalidBlock,
    InvalidCertificate,
    InvalidEntry,
    InvalidReceipt,
    LedgerError,
)
from notarium_ledger.state.genesis import Genesis
from notarium_ledger.trust.receipt import Receipt
from notarium_ledger.trust.receipt_batch import decode_receipts


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_rejected_by_name(data: bytes) -> None:
    """No decoder of what comes from outside lets another exception out."""
    for decode, error in (
        (Block.decode, InvalidBlock),
        (Header.decode, InvalidBlock),
        (QuorumCertificate.decode, InvalidCertificate),
        (decode_entry, InvalidEntry),
        (Receipt.decode_json, InvalidReceipt),
        (Genesis.decode_json, LedgerError),
    ):
        with pytest.raises(error):
            decode(data)


@given(values)
def test_any_value_is_read_or_rejected_by_name(value: Any) -> None:
    encoded = canonical.encode(value)
    for decode in (Block.decode, Header.decode, QuorumCertificate.decode, decode_entry):
        with pytest.raises(LedgerError):
            decode(encoded)
    nested: Any
    for nested in ([1, encoded, bytes(32), bytes(64)], [2, encoded, bytes(32), bytes(64), 0, 1, []]):
        with pytest.raises(InvalidEntry):
            decode_entry(canonical.encode(nested))
    with pytest.raises(InvalidReceipt):
        decode_receipts(encoded, [b""] * 3)


@given(st.recursive(json_scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_any_json_is_no_receipt_and_no_genesis(document: Any) -> None:
    data = json.dumps(document).encode()
    with pytest.raises(InvalidReceipt):
        Receipt.decode_json(data)
    with pytest.raises(LedgerError):
        Genesis.decode_json(data)
