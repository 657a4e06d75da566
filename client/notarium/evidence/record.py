"""The record: the full record of a run, a data set or a model, kept off the ledger.

An in-toto Statement v1 (https://in-toto.io/Statement/v1) as RFC 8785 canonical JSON. Its `subject` names the
artifacts, its predicate says what they are, how they were made, and who signs this. The ledger holds the SHA-256 of the
file's bytes; a random salt inside prevents anyone from guessing what was committed to.

A folder is one subject. Its digest is the SHA-256 of the list of its files, which stands in the predicate.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any

import rfc8785

from notarium.errors import InvalidRecordFile, ProjectError
from notarium.evidence.author import Author
from notarium.evidence.contents import SHA256, Contents, Item
from notarium.files import read_regular
from notarium_ledger.entries.entry import Entry

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_PREFIX = "urn:notarium:predicate:"
MAX_RECORD_BYTES = 512 * 1024 * 1024
RESERVED = ("artifacts", "author", "salt")
"""Names in the predicate that no fact may take."""
_SAFE_INTEGER = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file or folder that a commitment is about, or that went into it."""

    name: str
    """POSIX path relative to the folder the record lies in; may begin with "..", is never absolute."""
    role: str
    """"subject" (what the commitment is about), "input", "config", "output", or the name a run gave to it."""
    content: Contents

    @property
    def sha256(self) -> str:
        """Hex SHA-256 of the file, or of the folder's list of items."""
        return self.content.sha256

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return self.content.is_folder

    @property
    def items(self) -> tuple[Item, ...]:
        """Every file and link; a file has one item with the path ""."""
        return self.content.items

    def to_json(self) -> dict[str, Any]:
        """{name, role, type, size, sha256, files?, digests?}."""
        return {"name": self.name, "role": self.role, **self.content.to_json()}

    @classmethod
    def from_json(cls, value: Any) -> Artifact:
        """Raises InvalidRecordFile, ValueError, KeyError, TypeError or AttributeError for anything else."""
        name = value["name"]
        if not isinstance(name, str) or not name or name.startswith("/") or "\0" in name:
            raise InvalidRecordFile(f"{name!r} is not a relative path")
        vouched = value.get("digests")
        if vouched is not None and not _is_vouched(vouched):
            raise InvalidRecordFile(f"{name}: digests must map algorithms other than sha256 to text")
        if value["type"] == "folder":
            content = Contents.of_folder([_item(each) for each in value["files"]], vouched)
        else:
            content = Contents.of_file(int(value["size"]), str(value["sha256"]), vouched)
        return cls(name, str(value["role"]), content)


@dataclass(frozen=True, slots=True)
class Record:
    """An record, read or about to be written."""

    kind: str
    artifacts: tuple[Artifact, ...]
    predicate: Mapping[str, Any]
    """Everything but artifacts and author: params, metrics, environment, code, times, salt ..."""
    author: Author | None = None
    """None until it is signed; only a record with an author has bytes."""

    @classmethod
    def new(cls, kind: str, artifacts: Sequence[Artifact], facts: Mapping[str, Any]) -> Record:
        """A record with a fresh salt. `facts` may hold anything; what JSON cannot represent becomes text.

        Raises ProjectError for a fact whose name is taken.
        """
        check_facts(facts)
        return cls(kind, tuple(artifacts), {**to_json(facts), "salt": secrets.token_hex(32)})

    def by(self, author: Author) -> Record:
        """The same evidence, signed by `author`."""
        return replace(self, author=author)

    def encode(self) -> bytes:
        """The file's bytes. Raises InvalidRecordFile where it has no author."""
        if self.author is None:
            raise InvalidRecordFile("evidence without an author cannot be committed to")
        statement: dict[str, Any] = {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": each.name, "digest": {"sha256": each.sha256}} for each in self.artifacts],
            "predicateType": f"{PREDICATE_PREFIX}{self.kind}:v1",
            "predicate": {
                **self.predicate,
                "artifacts": [each.to_json() for each in self.artifacts],
                "author": self.author.to_json(),
            },
        }
        return rfc8785.dumps(statement)

    @classmethod
    def decode(cls, data: bytes) -> Record:
        """Read a record's bytes. Raises InvalidRecordFile, also where subject and predicate contradict each other."""
        if len(data) > MAX_RECORD_BYTES:
            raise InvalidRecordFile(f"{len(data)} bytes, at most {MAX_RECORD_BYTES} allowed")
        try:
            statement = json.loads(data)
            if statement["_type"] != STATEMENT_TYPE or not statement["predicateType"].startswith(PREDICATE_PREFIX):
                raise InvalidRecordFile(f"not a statement of type {PREDICATE_PREFIX}*")
            predicate = dict(statement["predicate"])
            artifacts = tuple(Artifact.from_json(each) for each in predicate.pop("artifacts"))
            author = Author.from_json(predicate.pop("author", None))
            kind = statement["predicateType"].removeprefix(PREDICATE_PREFIX).removesuffix(":v1")
            record = cls(kind, artifacts, predicate, author)
            if record.encode() != data:
                raise InvalidRecordFile("not in canonical form, or its subjects are not its artifacts")
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise InvalidRecordFile(f"not a valid record: {type(error).__name__}: {error}") from error
        return record


def check_facts(facts: Mapping[str, Any]) -> None:
    """Raise ProjectError for a fact whose name is taken."""
    if taken := sorted(facts.keys() & set(RESERVED)):
        raise ProjectError(f"a fact cannot be named {taken[0]!r}: the evidence uses that name; choose another one")


def record_digest(data: bytes) -> bytes:
    """What the commitment's field `record` holds: SHA-256 of the file's bytes."""
    return hashlib.sha256(data).digest()


def committed_record(data: bytes, entry: Entry) -> Record:
    """The record in `data`. Raises InvalidRecordFile unless `entry` commits to these bytes and their author signed it."""
    committed = entry.body.get("record")
    if committed is None:
        raise InvalidRecordFile("the entry commits to no evidence")
    if record_digest(data) != committed:
        raise InvalidRecordFile("not the evidence that was anchored: its digest differs from the one on the ledger")
    record = Record.decode(data)
    signed_by = Author.of(entry)
    if record.author != signed_by:
        raise InvalidRecordFile(
            f"this evidence is by {record.author}, but {signed_by} signed the entry of this receipt"
        )
    return record


def read_record(place: Path, entry: Entry) -> Record:
    """The record in the file `place`. Raises InvalidRecordFile where it is not the committed one of the author, OSError."""
    return committed_record(read_regular(place, MAX_RECORD_BYTES), entry)


def relative_name(path: Path, folder: Path) -> str:
    """`path` as it is named in a record that lies in `folder`."""
    return PurePosixPath(os.path.relpath(path.absolute(), folder.absolute())).as_posix()


def to_json(value: Any) -> Any:
    """`value` as RFC 8785 JSON represents it exactly; what JSON cannot represent becomes text.

    Integers and whole floats from 2^53 on, NaN and infinities become text, because JSON readers round or refuse them.
    """
    if value is None or isinstance(value, bool | str):
        return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
    if isinstance(value, int):
        return int(value) if abs(value) <= _SAFE_INTEGER else str(int(value))
    if isinstance(value, float):
        # RFC 8785 writes large whole floats as integers, which are then beyond what readers keep exactly.
        whole = _SAFE_INTEGER < abs(value) < 1e21
        return float(value) if math.isfinite(value) and not whole else repr(float(value))
    if isinstance(value, Mapping):
        return {to_json(str(name)): to_json(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value, key=repr) if isinstance(value, set | frozenset) else value
        return [to_json(item) for item in items]
    scalar = _numpy_scalar(value)
    return to_json(scalar) if scalar is not None else str(value)


def decimal_text(value: Any) -> str:
    """A metric as a decimal string that reads back as the same number. Raises ValueError for what is not a number."""
    if isinstance(value, bool):
        raise ValueError(f"not a number: the boolean {value}")
    if isinstance(value, int | Decimal):
        return str(value)
    if isinstance(value, float):
        return repr(float(value))
    scalar = _numpy_scalar(value)
    if isinstance(scalar, int):
        return decimal_text(scalar)
    try:
        return repr(float(scalar if scalar is not None else value))
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"not a number: {_described(value)}") from error


def _described(value: Any) -> str:
    """What `value` is, for an error message."""
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple):
        return f"an array of shape {tuple(shape)}"
    if isinstance(value, str):
        return f"the text {value[:40]!r}"
    return "None" if value is None else f"a value of type {type(value).__name__}"


def _numpy_scalar(value: Any) -> bool | int | float | str | None:
    """The Python number in a NumPy or PyTorch scalar, without importing either."""
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "shape", None) == ():
        plain = item()
        return plain if isinstance(plain, bool | int | float | str) else None
    return None


def _is_vouched(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and bool(value)
        and SHA256 not in value
        and all(isinstance(digest, str) for digest in value.values())
    )


def _item(value: Any) -> Item:
    path = value["path"]
    if not isinstance(path, str) or path.startswith("/") or "\0" in path or ".." in path.split("/") or not path:
        raise InvalidRecordFile(f"{path!r} is not a path inside a folder")
    if "symlink" in value:
        return Item.link(path, str(value["symlink"]))
    return Item(path, int(value["size"]), str(value["sha256"]))
