"""A verified entry as plain values."""

import json

from notarium.ledger_access.describing import describe_receipt
from notarium.ledger_access.receipt_file import load_receipt
from notarium_ledger.trust.receipt import ReceiptVerifier


def test_everything_is_json_and_bytes_are_hex(study, ledger):
    receipt = load_receipt(study / "data.receipt.json", ReceiptVerifier(ledger.consortium.genesis))
    said = describe_receipt(receipt)
    assert json.loads(json.dumps(said)) == said
    assert said["id"] == receipt.id.hex()
    assert said["body"]["record"] == receipt.body["record"].hex()
    assert len(said["signers"]) >= 3
