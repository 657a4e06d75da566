"""Where else a file was recorded: by which anchors it was as it was, and since which one it is not.

Only receipts that verify count, in the order of the log. Looked at are those below a folder, and those that a later
anchoring moved to `.notarium/superseded`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from notarium.anchoring import journal
from notarium.errors import InvalidRecordFile, ProjectError
from notarium.evidence.contents import Item
from notarium.evidence.record import Record, read_record
from notarium.ledger_access.answers import VerifiedReceipt
from notarium.ledger_access.receipt_file import load_receipt
from notarium.naming import FOLDER, record_of, stem_of
from notarium.verifying.locating import locate
from notarium.verifying.searching import receipts_in
from notarium_ledger.encoding.json_file import iso_time
from notarium_ledger.errors import InvalidReceipt
from notarium_ledger.state.genesis import Genesis
from notarium_ledger.trust.receipt import ReceiptVerifier

MOST: Final = 500
"""Receipts that are looked at."""
MOST_BYTES: Final = 64 * 1024 * 1024
"""Of their records, together: an explanation is worth seconds, and not minutes."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """One anchor that recorded a file."""

    receipt: VerifiedReceipt
    record: Record
    place: Path
    """Where the receipt was when its artifacts lay beside it."""
    item: Item

    def __str__(self) -> str:
        time = f"{iso_time(self.receipt.time_ms)[:16].replace('T', ' ')} UTC"
        return f"{stem_of(self.place)} (#{self.receipt.index}, {time})"


@dataclass(slots=True)
class Sightings:
    """All anchors below `root`, read once."""

    root: Path
    genesis: Genesis
    _read: list[tuple[VerifiedReceipt, Record, Path]] | None = None

    def of(self, path: Path) -> list[Sighting]:
        """The anchors that recorded the file at `path`, oldest first."""
        asked = os.path.realpath(path)
        found: list[Sighting] = []
        for receipt, record, place in self._all():
            for artifact in record.artifacts:
                if (location := locate(artifact, record, place)) is not None:
                    items = (each for each in artifact.items if _real(location, each) == asked)
                    found += [Sighting(receipt, record, place, each) for each in items]
        return sorted(found, key=lambda each: each.receipt.index)

    def _all(self) -> list[tuple[VerifiedReceipt, Record, Path]]:
        if self._read is None:
            self._read = list(self._receipts())
        return self._read

    def _receipts(self) -> Iterator[tuple[VerifiedReceipt, Record, Path]]:
        verifier = ReceiptVerifier(self.genesis)
        places = [(each, each) for each in receipts_in(self.root, lambda _, __: None)]
        left = MOST_BYTES
        for file, place in [*places, *self._superseded()][:MOST]:
            try:
                left -= record_of(file).stat().st_size
                if left < 0:
                    return
                receipt = load_receipt(file, verifier)
                yield receipt, read_record(record_of(file), receipt.entry), place
            except (OSError, InvalidReceipt, InvalidRecordFile):
                # It says nothing about any file.
                continue

    def _superseded(self) -> Iterator[tuple[Path, Path]]:
        """(file, where it lay) of each receipt that was moved away."""
        folder = self.root / FOLDER
        try:
            lines = journal.read(folder)
        except (OSError, ProjectError):
            return
        for line in lines:
            place = self.root / line.receipt
            file = folder / "superseded" / f"{line.id[:16]}.{place.name}"
            if file.exists():
                yield file, place


def _real(location: Path, item: Item) -> str:
    return os.path.realpath(location / item.path if item.path else location)
