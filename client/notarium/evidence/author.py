"""The author of a record: the key that signs it, the institution it is signed for, and the project.

The author is inside the bytes that the commitment digests. So a copy of the digest under another key gains nothing,
whichever of the two entries came first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from notarium.errors import InvalidRecordFile
from notarium_ledger.entries.entry import Entry

_KEY = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Author:
    """Who signs a record."""

    key: bytes
    """Public key."""
    issuer: str
    project: str

    @classmethod
    def of(cls, entry: Entry) -> Author:
        """Who signed `entry`. The nodes have checked that the institution enrolled the key."""
        return cls(entry.key, str(entry.body.get("issuer", "")), str(entry.body.get("project", "")))

    @classmethod
    def from_json(cls, value: Any) -> Author:
        """Raises InvalidRecordFile."""
        if not isinstance(value, dict) or value.keys() != {"key", "issuer", "project"}:
            raise InvalidRecordFile(
                "predicate.author must have key, issuer and project: no record without an author is valid"
            )
        if not all(isinstance(each, str) for each in value.values()) or not _KEY.fullmatch(value["key"]):
            raise InvalidRecordFile("predicate.author: key must be 64 hexadecimal digits, issuer and project text")
        return cls(bytes.fromhex(value["key"]), value["issuer"], value["project"])

    def to_json(self) -> dict[str, Any]:
        """{key, issuer, project}."""
        return {"key": self.key.hex(), "issuer": self.issuer, "project": self.project}

    def __str__(self) -> str:
        return f"{self.issuer} · {self.project} · key {self.key.hex()[:16]}…"
