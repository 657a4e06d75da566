"""Many receipts in one canonical msgpack message: what all entries of a block share is sent once.

    {"blocks": [[header, certificate, [[header, certificate, validators], ...]], ...],
     "receipts": [[block number, index, path as one byte string] | nil, ...]}

The asker has the entries, so they are not sent back. nil stands for an entry that is not decided.
"""

from __future__ import annotations

from collections.abc import Sequence

from notarium_ledger.encoding import canonical
from notarium_ledger.errors import InvalidReceipt, LedgerError
from notarium_ledger.trust.receipt import DecidedHeader, Receipt
from notarium_ledger.types import HASH_BYTES, Hash

_VALUES_AROUND = 5
"""The map, its two keys and the two lists."""
_VALUES_OF_ROW = 4
"""[block number, index, path]"""
_BYTES_OF_VALUE = 20
"""Everything else has more bytes than this for each of its values. The densest is a list of validators with ids of one
letter, three values in 37 bytes; but each of these sets signs what comes next, by two thirds of it at least and with
three values in 101 bytes, which makes 20 bytes for each value."""


def encode_receipts(receipts: Sequence[Receipt | None]) -> bytes:
    """The message for `receipts`, in order."""
    numbers: dict[Hash, int] = {}
    blocks: list[canonical.Value] = []
    rows: list[canonical.Value] = []
    for receipt in receipts:
        if receipt is None:
            rows.append(None)
            continue
        block = receipt.decided.header.hash
        if block not in numbers:
            numbers[block] = len(blocks)
            blocks.append(receipt.decided.to_value())
        rows.append([numbers[block], receipt.index, b"".join(receipt.path)])
    return canonical.encode({"blocks": blocks, "receipts": rows})


def decode_receipts(data: bytes, entries: Sequence[bytes]) -> list[Receipt | None]:
    """Receipts for `entries`, in order; not yet verified. Raises InvalidReceipt (step 1)."""
    try:
        value = canonical.decode(data, _VALUES_AROUND + _VALUES_OF_ROW * len(entries) + len(data) // _BYTES_OF_VALUE)
        if not isinstance(value, dict) or value.keys() != {"blocks", "receipts"}:
            raise InvalidReceipt(1, "not {blocks, receipts}")
        blocks, rows = value["blocks"], value["receipts"]
        if not isinstance(blocks, list) or not isinstance(rows, list) or len(rows) != len(entries):
            raise InvalidReceipt(1, f"not one row for each of {len(entries)} entries", "receipts")
        if len(blocks) > len(rows):
            raise InvalidReceipt(1, f"{len(blocks)} blocks for {len(rows)} entries", "blocks")
        decided = [DecidedHeader.from_value(each) for each in blocks]
        return [_receipt(row, raw, decided) for row, raw in zip(rows, entries, strict=True)]
    except InvalidReceipt:
        raise
    except LedgerError as error:
        raise InvalidReceipt(1, error.reason, error.field) from error


def _receipt(row: canonical.Value, raw: bytes, decided: list[DecidedHeader]) -> Receipt | None:
    if row is None:
        return None
    if not isinstance(row, list) or len(row) != 3:
        raise InvalidReceipt(1, "not [block, index, path]", "receipts")
    block, index, joined = row
    if type(block) is not int or not 0 <= block < len(decided) or type(index) is not int:
        raise InvalidReceipt(1, "not a block number and an index", "receipts")
    if not isinstance(joined, bytes) or len(joined) % HASH_BYTES:
        raise InvalidReceipt(1, f"not a multiple of {HASH_BYTES} bytes", "receipts.path")
    path = tuple(Hash(joined[at : at + HASH_BYTES]) for at in range(0, len(joined), HASH_BYTES))
    return Receipt(raw, index, path, decided[block])
