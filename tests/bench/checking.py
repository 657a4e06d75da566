"""Verifies receipts as a client must, once what is shared and everything that is not.

For an entry that this very process signed, equality of its bytes stands for step 6 (the author's signature); all
other steps of `notarium_ledger.trust.receipt` are done: header and certificate once per block, the inclusion proof and
the canonical form once per entry.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from notarium_ledger.entries.entry import Entry
from notarium_ledger.log.hashes import leaf_hash
from notarium_ledger.log.proofs import verify_inclusion
from notarium_ledger.state.genesis import Genesis
from notarium_ledger.trust.chain import DecidedHeader
from notarium_ledger.trust.receipt import Receipt, ReceiptDecoder, ReceiptVerifier, encode_receipt
from notarium_ledger.trust.receipt_batch import decode_receipts

REMEMBERED_BLOCKS = 256


class WrongReceipt(Exception):
    """A node answered with a receipt for something else, or with none."""


class Checker:
    """For one client process."""

    def __init__(self, genesis: Genesis) -> None:
        self._verifier = ReceiptVerifier(genesis)
        self._decoder = ReceiptDecoder(REMEMBERED_BLOCKS)

    def check_in_full(self, data: bytes, entry: bytes) -> None:
        """A receipt file, by all seven steps. Raises InvalidReceipt or WrongReceipt."""
        if self._verifier.verify_json(data).entry.raw != entry:
            raise WrongReceipt("for another entry")

    def check(self, data: bytes, entry: Entry) -> None:
        """A receipt file for what this process signed. Raises InvalidReceipt, InvalidProof or WrongReceipt."""
        receipt = self._decoder.decode(data, entry.raw)
        if receipt is None:
            # The first of its block: in full, and what it shares with the others is known from then on.
            first = Receipt.decode_json(data)
            self._verifier.verify(first)
            self._decoder.remember(data, first)
            receipt = replace(first, entry=entry.raw)
        _check_inclusion(receipt)
        if encode_receipt(receipt, entry) != data:
            raise WrongReceipt("for another entry, or not in canonical form")

    def check_batch(self, data: bytes, entries: Sequence[bytes]) -> None:
        """The msgpack answer to a batch. Raises InvalidReceipt, InvalidProof or WrongReceipt."""
        checked: DecidedHeader | None = None
        for receipt in decode_receipts(data, entries):
            if receipt is None:
                raise WrongReceipt("an entry of the batch was not decided in time")
            if receipt.decided is not checked:
                self._verifier.verify_header(receipt.decided)
                checked = receipt.decided
            _check_inclusion(receipt)


def _check_inclusion(receipt: Receipt) -> None:
    header = receipt.decided.header
    verify_inclusion(leaf_hash(receipt.entry), receipt.index, header.tree_size, receipt.path, header.tree_root)
