"""Who was first: whether others named an entry's digests before its author did."""

from __future__ import annotations

from notarium.ledger_access.answers import VerifiedReceipt
from notarium.ledger_access.blocking import BlockingClient

MOST_DIGESTS = 8
"""Digests of one entry that are looked up: that of its record, and those of its first artifacts."""


def earlier_by_others(client: BlockingClient, receipt: VerifiedReceipt) -> dict[str, VerifiedReceipt]:
    """For each digest of the entry that another author named first: that author's entry."""
    earlier: dict[str, VerifiedReceipt] = {}
    for digest in receipt.digests[:MOST_DIGESTS]:
        for first in client.find(digest, limit=1).receipts:
            if first.index < receipt.index and first.entry.key != receipt.entry.key:
                earlier[digest.hex()] = first
    return earlier
