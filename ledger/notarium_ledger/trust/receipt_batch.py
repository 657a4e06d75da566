"""Many receipts in one canonical msgpack message, which holds each block once for all its entries.

    {"blocks": [[header, certificate, [[header, certificate, validators], ...]], ...],
     "receipts": [[block number, index, path as one byte string] | nil, ...]}

The receiver has the entries, so the message does not repeat them. nil stands for an entry that is not decided.
"""

from __future__ import annotations

from collections.abc import Sequence

from notarium_ledger.encoding import canonical
from notarium_ledger.encoding.reading import read_hashes, read_items, read_list
from notarium_ledger.errors import InvalidReceipt, LedgerError, errors_as
from notarium_ledger.trust.chain import DecidedHeader
from notarium_ledger.trust.receipt import Receipt
from notarium_ledger.types import Hash

_VALUES_AROUND = 5
"""The map, its two keys and the two lists."""
_VALUES_OF_ROW = 4
"""[block number, index, path]"""
_BYTES_OF_VALUE = 20
"""Every other part has more bytes than this for each of its values. The densest part is a list of validators with ids
of one letter: three values in 37 bytes. But at least two thirds of each such set sign the next part, with three values
in 101 bytes, which makes 20 bytes for each value."""


def encode_receipts(receipts: Sequence[Receipt | None]) -> bytes:
    """The message for `receipts`, in their order."""
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
    """The receipts for `entries`, in their order; does not verify them. Raises InvalidReceipt (step 1)."""
    with errors_as(InvalidReceipt, 1):  # 1 form
        value = canonical.decode(data, _VALUES_AROUND + _VALUES_OF_ROW * len(entries) + len(data) // _BYTES_OF_VALUE)
        if not isinstance(value, dict) or value.keys() != {"blocks", "receipts"}:
            raise LedgerError("not {blocks, receipts}")
        rows = read_list(value["receipts"], "receipts", len(entries), f"one row for each of {len(entries)} entries")
        blocks = read_items(value["blocks"], "blocks")
        if len(blocks) > len(rows):
            raise LedgerError(f"{len(blocks)} blocks for {len(rows)} entries", "blocks", limit=len(rows))
        decided = [DecidedHeader.from_value(each) for each in blocks]
        return [_receipt(row, raw, decided) for row, raw in zip(rows, entries, strict=True)]


def _receipt(row: canonical.Value, raw: bytes, decided: list[DecidedHeader]) -> Receipt | None:
    if row is None:
        return None
    block, index, path = read_list(row, "receipts", 3, "[block, index, path]")
    if type(block) is not int or not 0 <= block < len(decided) or type(index) is not int:
        raise LedgerError("not a block number and an index", "receipts")
    return Receipt(raw, index, read_hashes(path, "receipts.path"), decided[block])
