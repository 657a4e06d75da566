"""Receipt files are verified when they are read."""

import json

import pytest
from tests.support.consortium import Consortium

from notarium.ledger_access.receipt_file import find_receipt, is_receipt_by_content, load_receipt
from notarium_ledger.errors import InvalidReceipt
from notarium_ledger.trust.receipt import ReceiptVerifier


def test_a_receipt_that_verifies(study, ledger):
    genesis = ledger.consortium.genesis
    loaded = load_receipt(study / "data.receipt.json", ReceiptVerifier(genesis))
    assert loaded.id == ledger.entries[0].id
    assert loaded.file_bytes() == (study / "data.receipt.json").read_bytes()
    assert find_receipt(study / "data.receipt.json", genesis) == loaded


def test_a_receipt_of_another_ledger_or_none_at_all(study):
    other = Consortium(4, name="other").genesis
    with pytest.raises(InvalidReceipt):
        load_receipt(study / "data.receipt.json", ReceiptVerifier(other))
    assert find_receipt(study / "data.receipt.json", other) is None
    assert find_receipt(study / "data.record.json", other) is None
    assert find_receipt(study / "nowhere", other) is None


def test_a_receipt_whose_white_space_a_tool_changed(study, ledger):
    place = study / "data.receipt.json"
    canonical = place.read_bytes()
    found = find_receipt(place, ledger.consortium.genesis)
    for changed in (canonical.replace(b"\n", b"\r\n"), canonical.strip(), json.dumps(json.loads(canonical), indent=2)):
        other = study / "other.json"
        other.write_bytes(changed if isinstance(changed, bytes) else changed.encode())
        assert is_receipt_by_content(other)
        assert find_receipt(other, ledger.consortium.genesis) == found
