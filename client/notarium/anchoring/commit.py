"""From a record to a signed entry: write the record, sign the commitment, put it into the outbox.

The order makes every crash harmless: the record first, then the signed entry in the outbox, then the network
(`delivery`). An entry leaves the outbox only when its receipt is on the disk.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from notarium.anchoring import journal
from notarium.anchoring.outbox import Waiting, now_ms, outbox_of
from notarium.errors import ProjectError, Unwritable
from notarium.evidence.record import Record
from notarium.files import write_atomically
from notarium.naming import record_of
from notarium.project import Project
from notarium.values.secret_names import names_a_secret
from notarium.values.secret_shapes import find
from notarium_ledger.entries.commitment import BODY_VERSION, Body
from notarium_ledger.entries.entry import encode_body, sign_entry
from notarium_ledger.errors import LedgerError
from notarium_ledger.signing import SigningKey

MAX_SUBJECTS = 64
MAX_SUBJECT_NAME = 255
SET_BY_OTHERS = frozenset({"v", "kind", "issuer", "project", "disclosure", "record", "subjects", "refs"})
"""Parts of a commitment that do not come from its `fields`."""


class Disclosure(StrEnum):
    """What the ledger shows, besides kind, issuer, project, references and the status of a run."""

    PUBLIC = "public"
    """As CONSORTIUM, and the names and digests of the artifacts."""
    CONSORTIUM = "consortium"
    """The digest of the record; of a run its times and Git commit, of a data set its number of files."""
    SEALED = "sealed"
    """The digest of the record only."""


def check_disclosure(disclosure: str) -> None:
    """Raise ProjectError for a value that no one knows."""
    if disclosure not in set(Disclosure):
        raise ProjectError(f"disclosure {disclosure!r} is not one of {', '.join(Disclosure)}")


@dataclass(frozen=True, slots=True)
class Ref:
    """A reference to another entry: the relation and the entry's id."""

    rel: str
    entry: bytes

    def to_value(self) -> dict[str, Any]:
        """{rel, entry}."""
        return {"rel": self.rel, "entry": self.entry}


def make_body(
    project: Project,
    record: Record,
    digest: bytes,
    *,
    fields: Mapping[str, Any],
    refs: Sequence[Ref],
    disclosure: str,
) -> Body:
    """The commitment to `record`, which has `digest`. It names digests of artifacts only where all is public."""
    check_disclosure(disclosure)
    body: Body = {
        "v": BODY_VERSION,
        "kind": record.kind,
        "issuer": project.issuer_or_fail(),
        "project": project.name,
        "disclosure": str(disclosure),
        "record": digest,
        **fields,
    }
    if refs:
        body["refs"] = [each.to_value() for each in dict.fromkeys(refs)]
    if disclosure == Disclosure.PUBLIC and record.artifacts:
        body["subjects"] = [
            {"digest": bytes.fromhex(each.sha256), "role": each.role, "name": each.name[-MAX_SUBJECT_NAME:]}
            for each in record.artifacts[:MAX_SUBJECTS]
        ]
    return body


def check_commitment(
    project: Project, kind: str, *, fields: Mapping[str, Any], refs: Sequence[Ref], disclosure: str
) -> None:
    """Raise ProjectError for what the schema would refuse after all hashing and training is done."""
    if taken := sorted(fields.keys() & SET_BY_OTHERS):
        raise ProjectError(f"the field {taken[0]!r} is not yours to set: project, disclosure and references give it")
    for name, value in fields.items():
        if names_a_secret(name, value) or (isinstance(value, str) and find(value)):
            raise ProjectError(f"the field {name!r} looks like a secret, and everyone reads the ledger: leave it out")
    body = make_body(project, Record(kind, (), {}), bytes(32), fields=fields, refs=refs, disclosure=disclosure)
    try:
        encode_body(body)
    except LedgerError as error:
        raise _invalid(body, error) from error


def _invalid(body: Body, error: LedgerError) -> ProjectError:
    return ProjectError(f"this {body['kind']} is not a valid commitment: {error}")


def commit(
    project: Project,
    record: Record,
    receipt_path: Path,
    *,
    fields: Mapping[str, Any] | None = None,
    refs: Sequence[Ref] = (),
    disclosure: str = Disclosure.CONSORTIUM,
    make_room: Callable[[], None] = lambda: None,
) -> Waiting:
    """Write the record beside `receipt_path` and put the signed entry into the outbox; nothing is sent yet.

    `make_room` moves away what is in the place. It runs after everything is signed and before anything is written.
    Raises ProjectError (no key, no issuer, a field that the schema refuses) before anything is written, Unwritable.
    """
    # One key for both, because the record names whoever signs.
    key = project.key()
    record = record.by(project.author(key))
    body = make_body(project, record, record.digest, fields=fields or {}, refs=refs, disclosure=disclosure)
    waiting = Waiting(sign(project, body, key), receipt_path, record.kind, now_ms())
    make_room()
    write_record(record_of(receipt_path), record.encode(key))
    keep(project, waiting)
    return waiting


def write_record(place: Path, data: bytes) -> None:
    """Write a record's file. Raises Unwritable."""
    try:
        write_atomically(place, data)
    except OSError as error:
        raise Unwritable(f"{place} cannot be written", place.parent, error) from error


def sign(project: Project, body: Body, key: SigningKey) -> bytes:
    """The wire bytes of the entry. Raises ProjectError."""
    try:
        entry = sign_entry(key, project.genesis.hash, body)
    except LedgerError as error:
        raise _invalid(body, error) from error
    limit = project.genesis.registry.parameters.max_entry_bytes
    if len(entry) > limit:
        raise ProjectError(
            f"the commitment has {len(entry)} bytes, at most {limit} allowed: use fewer subjects and references"
        )
    return entry


def keep(project: Project, waiting: Waiting) -> None:
    """Put a newly signed entry into the outbox and the log. Raises Unwritable."""
    place = _relative(waiting.receipt_path, project.folder)
    try:
        outbox_of(project).put(waiting)
        journal.append(project.folder, journal.JournalLine(waiting.created_ms, waiting.id, waiting.kind, place))
    except OSError as error:
        raise Unwritable(f"the signed entry for {place} cannot be kept in the outbox", project.folder, error) from error


def _relative(path: Path, folder: Path) -> str:
    absolute, base = path.absolute(), folder.absolute().parent
    return absolute.relative_to(base).as_posix() if absolute.is_relative_to(base) else str(absolute)
