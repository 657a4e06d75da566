"""Errors named by what is invalid. Each carries the field, so that whoever sent it can mend it."""

from __future__ import annotations


class LedgerError(ValueError):
    """Base of all errors about bytes and values of the ledger.

    `field` is the path of the offending part (``body.subjects[3].digest``), or "" for the whole.
    """

    def __init__(self, reason: str, field: str = "") -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.reason = reason
        self.field = field


class NotCanonical(LedgerError):
    """Bytes that are not the one canonical msgpack encoding of their value."""


class InvalidEntry(LedgerError):
    """An entry that no honest validator accepts: malformed, oversized, wrongly signed or not permitted."""


class EntryOfLaterVersion(InvalidEntry):
    """An entry of a form or body version that this software does not know: not for us, and nobody's fault."""


class InvalidGenesis(LedgerError):
    """A genesis document that does not describe a consortium."""


class InvalidBlock(LedgerError):
    """A block that does not follow from the state it claims to extend."""


class InvalidCertificate(LedgerError):
    """A quorum certificate that does not prove a decision."""


class InvalidProof(LedgerError):
    """A Merkle proof that does not prove what it claims."""


class InvalidReceipt(LedgerError):
    """A receipt that fails verification; `step` is the number of the failed step (docs/formats.md, Receipt)."""

    def __init__(self, step: int, reason: str, field: str = "") -> None:
        super().__init__(reason, field)
        self.step = step


class InvalidSnapshot(LedgerError):
    """A snapshot that fails verification; `step` is the number of the failed step (docs/formats.md, Snapshot)."""

    def __init__(self, step: int, reason: str, field: str = "") -> None:
        super().__init__(reason, field)
        self.step = step


class InvalidEquivocation(LedgerError):
    """Equivocation that does not prove that one key signed two different things."""


class EquivocationOfLaterVersion(InvalidEquivocation):
    """Equivocation of a version that this software does not know: not for us, and nobody's fault."""


class InvalidEquivocationFile(LedgerError):
    """An equivocation file that fails verification; `step` is that of docs/formats.md, Equivocation file."""

    def __init__(self, step: int, reason: str, field: str = "") -> None:
        super().__init__(reason, field)
        self.step = step
