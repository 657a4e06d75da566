"""Receipt files on the disk, verified when they are read."""

from __future__ import annotations

from pathlib import Path

from notarium.files import read_regular
from notarium.ledger_access.answers import VerifiedReceipt
from notarium_ledger.errors import LedgerError
from notarium_ledger.state.genesis import Genesis
from notarium_ledger.trust.receipt import MAX_RECEIPT_BYTES, Receipt, ReceiptVerifier


def load_receipt(path: Path, verifier: ReceiptVerifier) -> VerifiedReceipt:
    """The receipt in `path` after its steps 1 to 7. Raises InvalidReceipt, OSError."""
    receipt = Receipt.decode_json(read_regular(path, MAX_RECEIPT_BYTES))
    verified = verifier.verify(receipt)
    return VerifiedReceipt(receipt, verified.entry.id, _decoded=[verified.entry])


def find_receipt(path: Path, genesis: Genesis) -> VerifiedReceipt | None:
    """The receipt in `path` if it belongs to this ledger and verifies, otherwise None."""
    try:
        return load_receipt(path, ReceiptVerifier(genesis))
    except (FileNotFoundError, LedgerError):
        return None
