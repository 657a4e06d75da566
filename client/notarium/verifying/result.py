"""The result of a verification: its status, and a finding for everything that does not hold or was not checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from notarium.errors import ExitCode
from notarium.ledger_access.answers import VerifiedReceipt
from notarium.verifying.account import Account
from notarium.verifying.marks import Mark, outcome_marks, outcome_of
from notarium.verifying.parts import WITHOUT_RECEIPT, Grounds, VerdictParts, parts_of
from notarium.verifying.people import for_the_eye, time_text
from notarium.verifying.recorded import Claimed, Recorded
from notarium.verifying.rendering import as_html
from notarium.verifying.surroundings import Surroundings, later_marks, referred_marks
from notarium.verifying.times import lag_ms, time_marks
from notarium_ledger.entries.commitment import referred_entries
from notarium_ledger.state.genesis import Genesis


class VerificationStatus(StrEnum):
    """The outcome of a verification."""

    VERIFIED = "verified"
    MISMATCH = "mismatch"
    NOT_ANCHORED = "not-anchored"
    INCOMPLETE_EVIDENCE = "incomplete-evidence"

    @property
    def exit_code(self) -> ExitCode:
        """What the command line returns."""
        return _EXIT_CODES[self]

    @property
    def gravity(self) -> int:
        """Higher for a worse outcome; the worst of several counts."""
        return _GRAVITY.index(self)


_EXIT_CODES = {
    VerificationStatus.VERIFIED: ExitCode.OK,
    VerificationStatus.MISMATCH: ExitCode.MISMATCH,
    VerificationStatus.NOT_ANCHORED: ExitCode.NOT_ANCHORED,
    VerificationStatus.INCOMPLETE_EVIDENCE: ExitCode.INCOMPLETE_EVIDENCE,
}


_GRAVITY = (
    VerificationStatus.VERIFIED,
    VerificationStatus.INCOMPLETE_EVIDENCE,
    VerificationStatus.NOT_ANCHORED,
    VerificationStatus.MISMATCH,
)


class FindingKind(StrEnum):
    """What is wrong with one file, or why it was not checked."""

    CHANGED = "changed"
    MISSING = "missing"
    EXTRA = "extra"
    RECEIPT = "receipt"
    """The receipt is not there or not valid."""
    SEED = "seed"
    """A seed that is said to come from the ledger is another one."""
    RECORD = "record"
    """The record is not valid, or not the record that was committed to."""
    ABSENT = "absent"
    """An artifact that is not on this machine."""
    OUTSIDE = "outside"
    """A name in the record that leads out of the receipt's folder."""
    EMPTY = "empty"
    """Without a file, so nothing was compared."""
    UNREADABLE = "unreadable"
    UNRECORDED = "unrecorded"
    """Named in the record without its content."""
    AUTHOR = "author"
    """Who anchored it: others than the one that was named, or nobody was named."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it was, or could not be checked."""

    what: FindingKind
    path: str
    """Relative to the working directory, or as it was asked for."""
    detail: str
    """Why; never ""."""

    def __str__(self) -> str:
        return f"{self.what}: {self.path} ({self.detail})"


@dataclass(frozen=True, slots=True)
class Ledger:
    """The ledger that was verified against. Its name is anyone's to choose; only the hash says which ledger it is."""

    name: str
    genesis_hash: str
    """Hex."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What was checked, and the outcome."""

    path: str
    """The path that was asked about."""
    status: VerificationStatus
    receipt_path: str = ""
    about: dict[str, Any] = field(default_factory=dict)
    """Id, kind, issuer, height, time ... of a verified receipt."""
    checked: str = "nothing"
    """"receipt only", "receipt + record + 5 files"."""
    findings: tuple[Finding, ...] = ()
    files: int = 0
    """How many files were compared."""
    receipt: VerifiedReceipt | None = None
    """The receipt, where its own steps hold."""
    ledger: Ledger | None = None
    """The ledger that the result holds for."""
    places: tuple[Path, ...] = ()
    """Where the artifacts lie that the record names, as far as they were looked at."""
    without_receipt: int = 0
    """Of a folder: how many files in it no receipt names."""
    genesis: Genesis | None = None
    """Of the ledger; None where the result was made without one."""
    recorded: Recorded | None = None
    """What the record says, where it is the one that was committed to."""
    around: Surroundings | None = None
    """What other entries say, as far as they were asked."""
    notices: tuple[str, ...] = ()
    """What does no harm, and is good to know."""

    @property
    def marks(self) -> tuple[Mark, ...]:
        """What the first line says besides the status: failed, late, impossible, retracted ..."""
        if self.receipt is None:
            return ()
        body, claimed = self.receipt.body, Claimed.by(self.receipt.body, self.recorded)
        has_start = any("ends" in relations for relations in referred_entries(body).values())
        marks = outcome_marks(body) + time_marks(claimed, self.receipt.time_ms, has_start=has_start)
        if self.around is not None:
            marks += later_marks(self.receipt, self.around) + referred_marks(self.receipt, claimed, self.around)
        return tuple(marks)

    @property
    def parts(self) -> VerdictParts:
        """What is proven here, what is taken on trust from whom, the gaps, and what is not shown."""
        if self.receipt is None or self.genesis is None:
            return WITHOUT_RECEIPT
        contradicted = sum(each.what in _CONTRADICTIONS for each in self.findings)
        return parts_of(
            Grounds(
                self.genesis,
                self.receipt,
                self.recorded,
                self.around,
                files=max(0, self.files - contradicted),
                contradicted=contradicted,
                unchecked=len(self.findings) - contradicted,
                marks=self.marks,
            )
        )

    def account(self, status: str = "", reason: str = "") -> Account:
        """The lines of text; `status` and `reason` where they are not the result's own."""
        about = ""
        if (receipt := self.receipt) is not None:
            author = str(receipt.body.get("issuer", receipt.body.get("member", "")))
            about = (
                f"{receipt.body['kind']} · {author} · {time_text(receipt.time_ms)} · #{receipt.index} · {self.checked}"
            )
        notes = tuple(each for each in (reason, *self.notices) if each)
        marks = tuple(for_the_eye(each.text) for each in self.marks)
        findings = tuple(f"{each.what} {each.path} ({each.detail})" for each in self.findings)
        return Account(status or str(self.status), marks, self.path, about, notes, findings, self.parts)

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return as_html(self.account())

    def __repr__(self) -> str:
        named = "; ".join(map(str, self.findings[:3])) + ("; …" if len(self.findings) > 3 else "")
        checked = f": {self.checked}" if self.about else ""
        return f"<Verification {self.account().outcome} {self.path!r}{checked}{f' · {named}' if named else ''}>"

    def __bool__(self) -> bool:
        """Whether everything that was asked for holds."""
        return self.status is VerificationStatus.VERIFIED

    def to_json(self) -> dict[str, Any]:
        """For --json."""
        return {
            "path": self.path,
            "status": str(self.status),
            "ledger": self.ledger and self.ledger.name,
            "genesis_hash": self.ledger and self.ledger.genesis_hash,
            "receipt": self.receipt_path or None,
            "about": self.about or None,
            "checked": self.checked,
            "files": self.files,
            "without_receipt": self.without_receipt,
            "outcome": (self.receipt and outcome_of(self.receipt.body)) or None,
            "marks": [each.to_json() for each in self.marks],
            "times": self._times(),
            **self.parts.to_json(),
            "later": [each.to_json() for each in self.around.later] if self.around else [],
            "asked": list(self.around.asked) if self.around else [],
            "notices": list(self.notices),
            "findings": [{"what": str(each.what), "path": each.path, "detail": each.detail} for each in self.findings],
        }

    def _times(self) -> dict[str, int | None] | None:
        if self.receipt is None:
            return None
        claimed, decided = Claimed.by(self.receipt.body, self.recorded), self.receipt.time_ms
        return {
            "started_ms": claimed.started_ms,
            "ended_ms": claimed.ended_ms,
            "decided_ms": decided,
            "lag_ms": lag_ms(claimed, decided),
        }


_CONTRADICTIONS = frozenset({FindingKind.CHANGED, FindingKind.MISSING, FindingKind.EXTRA, FindingKind.SEED})
"""Findings that contradict the record; all others mean that something could not be checked."""


def status_by(findings: Sequence[Finding]) -> VerificationStatus:
    """The status that the findings about artifacts amount to."""
    kinds = {finding.what for finding in findings}
    if kinds & _CONTRADICTIONS:
        return VerificationStatus.MISMATCH
    return VerificationStatus.INCOMPLETE_EVIDENCE if kinds else VerificationStatus.VERIFIED
