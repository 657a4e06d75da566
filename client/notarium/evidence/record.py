"""The record of a run, a data set or a model: all that is known of it, signed by its author and kept off the ledger.

An in-toto Statement v1 (https://in-toto.io/Statement/v1) in a readable envelope. The ledger holds the SHA-256 of the
statement in canonical form (RFC 8785); a random salt inside prevents anyone from guessing what was committed to. White
space that a tool changes in the file changes neither digest nor signature.

A folder is one subject. Its digest is the SHA-256 of the list of its files, which stands in the predicate.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from notarium.errors import InvalidRecordFile, ProjectError
from notarium.evidence.artifact import Artifact
from notarium.evidence.author import Author
from notarium.evidence.envelope import Envelope
from notarium.evidence.json_text import canonical_json, readable_json
from notarium.evidence.predicate import RESERVED, kind_of, predicate, predicate_type, read_predicate, subjects
from notarium.files import read_regular
from notarium.values.as_json import to_json
from notarium_ledger.encoding.json_file import parse_json
from notarium_ledger.entries.entry import Entry
from notarium_ledger.signing import SigningKey

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
MAX_RECORD_BYTES = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Record:
    """A record, read or about to be written."""

    kind: str
    artifacts: tuple[Artifact, ...]
    facts: Mapping[str, Any]
    """Everything but artifacts and author: params, metrics, environment, code, times, salt ..."""
    author: Author | None = None
    """None until somebody is about to sign it; only a record with an author has a digest."""

    @classmethod
    def new(cls, kind: str, artifacts: Sequence[Artifact], facts: Mapping[str, Any]) -> Record:
        """A record with a fresh salt. `facts` may hold anything; what JSON cannot represent becomes text.

        Raises ProjectError for a fact whose name is taken.
        """
        check_facts(facts)
        return cls(kind, tuple(artifacts), {**to_json(facts), "salt": secrets.token_hex(32)})

    def by(self, author: Author) -> Record:
        """The same, by `author`."""
        return replace(self, author=author)

    @property
    def statement(self) -> dict[str, Any]:
        """The in-toto Statement. Raises InvalidRecordFile where it has no author."""
        if self.author is None:
            raise InvalidRecordFile("a record without an author cannot be committed to")
        return {
            "_type": STATEMENT_TYPE,
            "subject": subjects(self.kind, self.artifacts, self.facts),
            "predicateType": predicate_type(self.kind),
            "predicate": predicate(self.kind, self.artifacts, self.facts, self.author),
        }

    @property
    def digest(self) -> bytes:
        """What the commitment's field `record` holds: SHA-256 of the statement's canonical form."""
        return hashlib.sha256(canonical_json(self.statement)).digest()

    def encode(self, key: SigningKey) -> bytes:
        """The file's bytes, signed by the author's key. Raises InvalidRecordFile where it is the key of another."""
        if self.author is None or self.author.key != key.public:
            raise InvalidRecordFile("a record is signed by its author's key and by no other")
        return readable_json(Envelope.sign(self.statement, key).to_json())

    @classmethod
    def decode(cls, data: bytes) -> Record:
        """Read a record's file and check its author's signature. Raises InvalidRecordFile."""
        if len(data) > MAX_RECORD_BYTES:
            raise InvalidRecordFile(f"{len(data)} bytes, at most {MAX_RECORD_BYTES} allowed")
        try:
            document = parse_json(data)
        except (ValueError, RecursionError) as error:
            raise InvalidRecordFile(f"not JSON: {error}") from error
        envelope = Envelope.from_json(document)
        record = cls.from_statement(envelope.statement)
        if record.author is None or envelope.key != record.author.key:
            raise InvalidRecordFile("signed by another key than its author's")
        return record

    @classmethod
    def from_statement(cls, statement: Any) -> Record:
        """The record that makes this statement. Raises InvalidRecordFile, also where parts of it contradict others."""
        try:
            kind = kind_of(statement)
            record = cls(kind, *read_predicate(kind, statement["predicate"]))
            if canonical_json(record.statement) != canonical_json(statement):
                raise InvalidRecordFile("it has fields that no record has, or repeats its artifacts differently")
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise InvalidRecordFile(f"not a valid record: {type(error).__name__}: {error}") from error
        return record


def check_facts(facts: Mapping[str, Any], *, taken_too: Sequence[str] = ()) -> None:
    """Raise ProjectError for a fact whose name is taken; `taken_too`: further names that are."""
    if taken := sorted(facts.keys() & {*RESERVED, *taken_too}):
        raise ProjectError(f"a fact cannot be named {taken[0]!r}: the record uses that name; choose another one")


def committed_record(data: bytes, entry: Entry) -> Record:
    """The record in `data`. Raises InvalidRecordFile unless `entry` commits to it and their author signed both."""
    committed = entry.body.get("record")
    if committed is None:
        raise InvalidRecordFile("the entry commits to no record")
    record = Record.decode(data)
    if record.digest != committed:
        raise InvalidRecordFile("not the record that was anchored: its digest differs from the one on the ledger")
    signed_by = Author.of(entry)
    if record.author != signed_by:
        raise InvalidRecordFile(f"this record is by {record.author}, but {signed_by} signed the entry of this receipt")
    return record


def read_record(place: Path, entry: Entry) -> Record:
    """The record at `place`. Raises InvalidRecordFile unless the author of `entry` committed to it, OSError."""
    return committed_record(read_regular(place, MAX_RECORD_BYTES), entry)
