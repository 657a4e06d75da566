"""One entry that a submission encloses: its verdict, and what its record says about when and how."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from notarium.errors import InvalidRecordFile
from notarium.evidence.record import read_record
from notarium.explaining.mismatch import Why, explain
from notarium.ledger_access.answers import VerifiedReceipt
from notarium.naming import RECEIPT_SUFFIX, record_of
from notarium.submissions.archive import is_archive, unpacked
from notarium.verdicts import Verdict, judge
from notarium.verifying.locating import receipt_for, without_dots
from notarium.verifying.result import Finding, FindingKind, Ledger, Verification, VerificationStatus
from notarium.verifying.verification import Verifying
from notarium_ledger.state.genesis import Genesis

_OUTCOMES = ("status", "verdict", "outcome")
"""The field of a run, a review and a replication that says how it ended."""


@dataclass(frozen=True, slots=True)
class Enclosed:
    """One verdict, with what is needed to compare it with the others."""

    verdict: Verdict
    receipt: VerifiedReceipt | None
    """None where it has no valid one."""
    label: str = ""
    """Its path inside the submission, without the ending of receipts."""
    started_ms: int | None = None
    """As its author says; None where nothing says it."""
    ended_ms: int | None = None
    gaps: tuple[str, ...] = ()
    """Of its record."""
    why: tuple[Why, ...] = ()
    """Of a mismatch: since when, and by which likely cause."""

    @property
    def body(self) -> dict[str, Any]:
        """What the entry says; empty without a receipt."""
        return {} if self.receipt is None else self.receipt.body

    @property
    def outcome(self) -> str:
        """How a run ended, or what a review or a replication came to; "" for the rest."""
        return next((str(self.body[name]) for name in _OUTCOMES if name in self.body), "")

    @classmethod
    def of(cls, verdict: Verdict, folder: Path, genesis: Genesis) -> Enclosed:
        """With what the record beside its receipt says, where that is the one committed to. `folder`: it lies in."""
        result = verdict.result
        receipt, facts = result.receipt, dict[str, Any]()
        if receipt is not None and result.receipt_path:
            try:
                facts = dict(read_record(record_of(Path(result.receipt_path)), receipt.entry).facts)
            except (OSError, InvalidRecordFile):
                # The verdict says so.
                facts = {}
        body = {} if receipt is None else receipt.body
        gaps = facts.get("gaps")
        return cls(
            verdict,
            receipt,
            _label(result.path, folder),
            _milliseconds(facts.get("started"), body.get("started_ms")),
            _milliseconds(facts.get("ended"), body.get("ended_ms")),
            tuple(map(str, gaps)) if isinstance(gaps, list) else (),
            tuple(explain(result, genesis, folder)),
        )


def is_submission(path: Path) -> bool:
    """Whether `path` is a folder or a zip that no receipt is about, neither its own nor that of a folder above it."""
    try:
        return (path.is_dir() or is_archive(path)) and receipt_for(without_dots(path)) is None
    except OSError:
        # The verdict on it says so.
        return False


def enclosed_in(path: Path, verifying: Verifying, *, offline: bool, timeout: float) -> list[Enclosed]:
    """One for each receipt in `path`, as `judge` gives them; a zip is unpacked for as long as that takes.

    Raises ProjectError for a zip that is damaged or beyond its bounds.
    """

    def judged(place: Path) -> list[Enclosed]:
        verdicts = judge(place, verifying, offline=offline, timeout=timeout)
        return [Enclosed.of(each, place, verifying.genesis) for each in verdicts]

    if is_submission(path) and not path.is_dir():
        with unpacked(path) as content:
            found = judged(content.folder) if content.has_receipts else []
            if found:
                renamed = [_renamed(each, str(content.folder), str(path)) for each in found]
                return [*renamed, *_of_left_out(path, verifying, content.left_out)]
    # A zip without a receipt in it is a file like any other.
    return judged(path)


def _of_left_out(path: Path, verifying: Verifying, left_out: Sequence[tuple[str, str]]) -> Iterator[Enclosed]:
    """One result for all that is in the archive and was not unpacked."""
    if left_out:
        findings = tuple(Finding(FindingKind.UNREADABLE, f"{path}/{name}", reason) for name, reason in left_out)
        ledger = Ledger(verifying.genesis.name, verifying.genesis.hash.hex())
        status = VerificationStatus.INCOMPLETE_EVIDENCE
        yield Enclosed(Verdict.of(Verification(str(path), status, findings=findings, ledger=ledger)), None, path.name)


def _renamed(each: Enclosed, folder: str, shown: str) -> Enclosed:
    """With the archive's name in place of the folder that it was unpacked into."""

    def name(text: str) -> str:
        return text.replace(folder, shown)

    result = each.verdict.result
    findings = tuple(replace(found, path=name(found.path), detail=name(found.detail)) for found in result.findings)
    result = replace(
        result,
        path=name(result.path),
        receipt_path=name(result.receipt_path),
        findings=findings,
        places=(),
    )
    why = tuple(
        replace(one, path=name(one.path), causes=tuple(replace(cause, text=name(cause.text)) for cause in one.causes))
        for one in each.why
    )
    return replace(each, why=why, verdict=replace(each.verdict, result=result, reason=name(each.verdict.reason)))


def _label(path: str, folder: Path) -> str:
    inside = path.removeprefix(f"{folder}/") if path != str(folder) else folder.name
    return inside.removesuffix(RECEIPT_SUFFIX)


def _milliseconds(*said: Any) -> int | None:
    """The first time that is said in a form that can be read: the record is more exact than the entry."""
    for each in said:
        if isinstance(each, int):
            return each
        try:
            return round(datetime.fromisoformat(str(each or "")).timestamp() * 1000)
        except (ValueError, OverflowError, OSError):
            continue
    return None
