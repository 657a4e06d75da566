"""What an earlier anchoring left beside an artifact: whether it still holds, and how it makes room for a new one."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from notarium.anchoring.commit import SET_BY_OTHERS, Ref
from notarium.anchoring.outbox import Waiting, outbox_of
from notarium.errors import InvalidRecordFile, ProjectError, Unwritable
from notarium.evidence.author import Author
from notarium.evidence.record import MAX_RECORD_BYTES, Record, read_record
from notarium.files import read_regular, write_atomically
from notarium.ledger_access.answers import VerifiedReceipt
from notarium.ledger_access.receipt_file import find_receipt
from notarium.naming import record_of
from notarium.project import Project
from notarium_ledger.entries.commitment import Body
from notarium_ledger.entries.entry import decode_entry


def signed_at(project: Project, receipt_path: Path) -> tuple[VerifiedReceipt | None, Waiting | None]:
    """The receipt at `receipt_path`, or else the entry that waits for it."""
    receipt = find_receipt(receipt_path, project.genesis)
    waiting = None if receipt else outbox_of(project).find(receipt_path)
    if receipt is None and waiting is None:
        # A start is delivered in the background, perhaps between these two looks: its receipt is written first.
        receipt = find_receipt(receipt_path, project.genesis)
    return receipt, waiting


@dataclass(frozen=True, slots=True)
class Earlier:
    """What an earlier anchoring left beside an artifact. Any part may be missing."""

    record: Record | None
    receipt: VerifiedReceipt | None
    waiting: Waiting | None

    @classmethod
    def find(cls, project: Project, receipt_path: Path) -> Earlier:
        """What lies at `receipt_path`, beside it, and in the outbox."""
        receipt, waiting = signed_at(project, receipt_path)
        entry = receipt.entry if receipt else decode_entry(waiting.entry) if waiting else None
        try:
            record = read_record(record_of(receipt_path), entry) if entry else None
        except (FileNotFoundError, InvalidRecordFile):
            record = None
        return cls(record, receipt, waiting)

    @property
    def id(self) -> bytes | None:
        """Id of the earlier entry."""
        if self.receipt is not None:
            return self.receipt.id
        return bytes.fromhex(self.waiting.id) if self.waiting else None

    @property
    def superseded(self) -> list[Ref]:
        """The reference to what a new commitment replaces, if there is anything."""
        return [Ref("supersedes", self.id)] if self.id else []

    @property
    def body(self) -> Body | None:
        """What the earlier entry commits to."""
        if self.receipt is not None:
            return self.receipt.body
        return decode_entry(self.waiting.entry).body if self.waiting else None

    def matches(self, record: Record, fields: Mapping[str, Any], refs: Sequence[Ref], disclosure: str) -> bool:
        """Whether it already commits to all that is asked for now: content, kind, facts, fields, refs, disclosure."""
        body = self.body
        if body is None or self.record is None or self.record.kind != record.kind:
            return False
        asked = [each.to_value() for each in refs]
        known = list(body.get("refs", ()))
        return (
            self.record.artifacts == record.artifacts
            and _facts(self.record) == _facts(record)
            and body["disclosure"] == disclosure
            and {name: value for name, value in body.items() if name not in SET_BY_OTHERS} == dict(fields)
            and all(each in known for each in asked)
            # A reference to what it supersedes is added without being asked for.
            and all(each in asked or each["rel"] == "supersedes" for each in known)
        )

    def check_issuer(self, path: Path, project: Project) -> None:
        """Raise ProjectError where what is anchored here is another institution's: nobody else supersedes that."""
        if self.receipt is None:
            return
        author = Author.of(self.receipt.entry)
        if author.issuer != project.issuer_or_fail():
            raise ProjectError(
                f"{path} is anchored by {author}, and this project writes for {project.issuer}: nobody supersedes the "
                "record of another institution. Anchor a copy by another name, or move that receipt and its record "
                "away (they still verify)"
            )

    def check_kind(self, path: Path, kind: str) -> None:
        """Raise ProjectError where `kind` is another one: a publication does not supersede the review of a file."""
        known = None if self.body is None else self.body["kind"]
        if known in (None, kind):
            return
        if self.receipt is None:
            raise ProjectError(
                f"{path} is signed as a {known} and waits in the outbox; the receipt of a {kind} would have the same "
                "path. Anchor a copy by another name, or run 'notarium status --help' to see how to send or drop it"
            )
        stem = path.name
        raise ProjectError(
            f"{path} is anchored as a {known}, which a {kind} does not supersede. To have both, first rename "
            f"{stem}.receipt.json and {stem}.record.json to {stem}.{known}.receipt.json and {stem}.{known}.record.json "
            "(they still verify), or anchor a copy by another name"
        )

    def put_aside(self, project: Project, receipt_path: Path) -> None:
        """Move the earlier receipt and record to `.notarium/superseded`, where nothing is ever overwritten.

        Raises Unwritable, which names the folder.
        """
        kept_in, beside = project.folder / "superseded", receipt_path.absolute().parent
        with _moving(receipt_path, kept_in, failing=beside):
            kept = {
                path: read_regular(path, MAX_RECORD_BYTES)
                for path in (record_of(receipt_path), receipt_path)
                if path.exists()
            }
        if not kept and self.waiting is None:
            return
        with _moving(receipt_path, kept_in, failing=kept_in):
            kept_in.mkdir(parents=True, exist_ok=True)
            label = _label(kept_in, self.id, kept)
            if self.waiting is not None:
                # Its receipt, when it comes, must not replace the newer one.
                moved = replace(self.waiting, receipt_path=kept_in / f"{label}.{receipt_path.name}")
                outbox_of(project).put(moved)
            for path, data in kept.items():
                write_atomically(kept_in / f"{label}.{path.name}", data)
        with _moving(receipt_path, kept_in, failing=beside):
            for path in kept:
                path.unlink()


@contextmanager
def _moving(receipt_path: Path, to: Path, *, failing: Path) -> Iterator[None]:
    """Raise Unwritable for an OSError, naming the folder `failing` as the one to fix."""
    try:
        yield
    except OSError as error:
        raise Unwritable(f"the earlier receipt {receipt_path} cannot be moved to {to}", failing, error) from error


def _facts(record: Record) -> dict[str, Any]:
    """What a record says, without the parts that are new each time."""
    return {name: value for name, value in record.facts.items() if name not in ("salt", "code")}


def _label(folder: Path, id_: bytes | None, kept: Mapping[Path, bytes]) -> str:
    """What the superseded files are named by: their entry's id, or their own digest where the id is lost."""
    digest = hashlib.sha256(next(iter(kept.values()), b"")).hexdigest()
    labels = [id_.hex()[:16]] if id_ else []
    for label in (*labels, digest[:16], digest):
        places = {folder / f"{label}.{path.name}": data for path, data in kept.items()}
        if all(not place.exists() or read_regular(place, len(data)) == data for place, data in places.items()):
            return label
    # The same record is kept there already with another receipt.
    return f"{digest}.{secrets.token_hex(8)}"
