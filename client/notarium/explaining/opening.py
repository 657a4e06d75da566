"""Opens a record by what a researcher has at hand: the artifact, the receipt, the record itself, or a run's name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from notarium.errors import InvalidRecordFile, NotAnchored
from notarium.evidence.record import MAX_RECORD_BYTES, Record, read_record
from notarium.explaining.at_hand import Side
from notarium.files import read_regular
from notarium.ledger_access.answers import VerifiedReceipt
from notarium.ledger_access.receipt_file import load_receipt, receipt_named
from notarium.naming import RECEIPT_SUFFIX, check_no_draft, is_record, receipt_of, record_of
from notarium_ledger.errors import InvalidReceipt
from notarium_ledger.state.genesis import Genesis
from notarium_ledger.trust.receipt import ReceiptVerifier


@dataclass(frozen=True, slots=True)
class Opened:
    """A record that its author signed."""

    side: Side
    receipt: VerifiedReceipt | None
    """Of the entry that commits to it; None where there is no receipt."""


def open_record(path: Path, genesis: Genesis) -> Opened:
    """The record of what `path` names. Raises NotAnchored where it has no record, InvalidRecordFile, OSError.

    A record with a receipt counts only where that holds and commits to it; one without is its author's word.
    """
    place = place_of(path)
    beside = record_of(place)
    if not beside.exists():
        check_no_draft(path)
        raise NotAnchored(f"{path} has no record: there is no {beside}")
    if not place.exists():
        return Opened(Side(Record.decode(read_regular(beside, MAX_RECORD_BYTES)), place), None)
    try:
        receipt = load_receipt(place, ReceiptVerifier(genesis))
    except InvalidReceipt as error:
        raise InvalidRecordFile(f"{place} is not valid: step {error.step}: {error}") from error
    return Opened(Side(read_record(beside, receipt.entry), place), receipt)


def place_of(path: Path) -> Path:
    """The receipt that `path` stands for, which need not exist."""
    place = receipt_of(path) if is_record(path) else receipt_named(path)
    run = path.parent / f"{path.name}.run{RECEIPT_SUFFIX}"
    is_run = not record_of(place).exists() and not place.exists() and record_of(run).exists()
    return run if is_run else place
