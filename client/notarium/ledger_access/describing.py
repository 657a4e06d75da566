"""A verified entry as plain values, for `show`, `find` and --json."""

from __future__ import annotations

from typing import Any

from notarium.ledger_access.answers import VerifiedReceipt
from notarium_ledger.trust.receipt import about


def describe_receipt(receipt: VerifiedReceipt) -> dict[str, Any]:
    """What the entry says, where it stands, and who signed its block; bytes as hex."""
    return {
        **about(receipt.entry, receipt.index, receipt.header),
        "body": _plain(receipt.body),
        "block": receipt.header.hash.hex(),
        "round": receipt.receipt.decided.certificate.round,
        "signers": [seal.key.hex() for seal in receipt.receipt.decided.certificate.seals],
        "tree_size": receipt.header.tree_size,
        "tree_root": receipt.header.tree_root.hex(),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value
