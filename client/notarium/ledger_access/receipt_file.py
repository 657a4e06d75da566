"""Receipt files on the disk, verified when they are read."""

from __future__ import annotations

from pathlib import Path

from notarium.files import read_regular
from notarium.ledger_access.answers import VerifiedReceipt
from notarium.naming import is_receipt, receipt_beside
from notarium_ledger.errors import LedgerError
from notarium_ledger.state.genesis import Genesis
from notarium_ledger.trust.receipt import MAX_RECEIPT_BYTES, MEDIA_TYPE, Receipt, ReceiptVerifier

_HEAD = f'{{"mediaType":"{MEDIA_TYPE}",'.encode()
"""How each receipt begins, white space aside, which a tool may have changed."""
_HEAD_BYTES = 4 * len(_HEAD)


def load_receipt(path: Path, verifier: ReceiptVerifier) -> VerifiedReceipt:
    """The receipt in `path` after its steps 1 to 7, whatever a tool did to its white space.

    Raises InvalidReceipt, OSError.
    """
    receipt, _ = Receipt.decode_any_form(read_regular(path, MAX_RECEIPT_BYTES))
    verified = verifier.verify(receipt)
    return VerifiedReceipt(receipt, verified.entry.id, _decoded=[verified.entry])


def is_receipt_by_content(path: Path) -> bool:
    """Whether the file at `path`, whatever its name, begins as a receipt does. It may still be a false one."""
    try:
        return path.is_file() and b"".join(read_regular(path, _HEAD_BYTES).split()).startswith(_HEAD)
    except OSError:
        # Whoever uses it as an artifact says so.
        return False


def receipt_named(path: Path) -> Path:
    """The receipt that `path` stands for: `path` itself, or the one beside it, which need not exist."""
    beside = receipt_beside(path)
    return path if is_receipt(path) or (not beside.exists() and is_receipt_by_content(path)) else beside


def find_receipt(path: Path, genesis: Genesis) -> VerifiedReceipt | None:
    """The receipt in `path` if it belongs to this ledger and verifies, otherwise None."""
    try:
        return load_receipt(path, ReceiptVerifier(genesis))
    except (FileNotFoundError, LedgerError):
        return None
