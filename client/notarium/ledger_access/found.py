"""What is looked for in the log, and what was found: values, without the network that finds them."""

from __future__ import annotations

from dataclasses import dataclass

from notarium.errors import ProjectError
from notarium.ledger_access.answers import VerifiedReceipt
from notarium_ledger.entries.commitment import referred_entries


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for. An empty filter matches everything."""

    value: bytes
    """The digest that the entries name, or the id of the entry that they refer to."""
    is_referred: bool = False
    """Whether it is such an id."""
    issuer: str = ""
    project: str = ""
    kind: str = ""
    since_ms: int | None = None
    """Decided at this time or later."""
    until_ms: int | None = None
    """Decided before this time."""
    relation: str = ""
    """By which they refer to it."""

    @property
    def path(self) -> str:
        """Of the request."""
        return f"/v1/references/{self.value.hex()}" if self.is_referred else "/v1/search"

    def query(self) -> dict[str, str]:
        """For the request."""
        filters = {
            "digest": "" if self.is_referred else self.value.hex(),
            "rel": self.relation,
            "issuer": self.issuer,
            "project": self.project,
            "kind": self.kind,
            "since_ms": "" if self.since_ms is None else str(self.since_ms),
            "until_ms": "" if self.until_ms is None else str(self.until_ms),
        }
        return {name: value for name, value in filters.items() if value}

    def mismatch(self, receipt: VerifiedReceipt) -> str:
        """Why the entry is not one of those looked for, or ""."""
        if self.is_referred:
            relations = referred_entries(receipt.body).get(self.value, [])
            if not relations or (self.relation and self.relation not in relations):
                return f"which does not refer to {self.value.hex()} like this"
        elif self.value not in receipt.digests:
            return f"which does not name {self.value.hex()}"
        for name in ("issuer", "project", "kind"):
            asked = getattr(self, name)
            if asked and receipt.body.get(name) != asked:
                return f"whose {name} is not the one that was asked for"
        if self.since_ms is not None and receipt.time_ms < self.since_ms:
            return "which is older than was asked for"
        if self.until_ms is not None and receipt.time_ms >= self.until_ms:
            return "which is later than was asked for"
        return ""


@dataclass(frozen=True, slots=True)
class Found:
    """Entries that name a digest, or refer to an entry, oldest first."""

    receipts: tuple[VerifiedReceipt, ...]
    next: int | None
    """The log index after which to go on, as `after`; None where the node lists no more."""

    @property
    def more(self) -> bool:
        """Whether there may be more."""
        return self.next is not None


def entry_id(value: bytes | str) -> bytes:
    """32 bytes from bytes or hex. Raises ProjectError."""
    try:
        decoded = bytes.fromhex(value) if isinstance(value, str) else value
    except ValueError:
        decoded = b""
    if len(decoded) != 32:
        raise ProjectError(f"{value!r} is not an id or digest: 64 hexadecimal digits expected")
    return decoded
