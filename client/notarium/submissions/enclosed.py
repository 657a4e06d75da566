"""One entry that a submission encloses: its verdict, and what else is known of it before its neighbours are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from notarium.errors import ProjectError
from notarium.explaining.why import Why
from notarium.files import read_regular
from notarium.ledger_access.answers import VerifiedReceipt
from notarium.naming import RECEIPT_SUFFIX
from notarium.verdicts import Verdict
from notarium.verifying.locating import receipt_for, without_dots
from notarium.verifying.marks import outcome_of
from notarium.verifying.recorded import Claimed
from notarium.verifying.result import Finding, FindingKind, Ledger, Verification, VerificationStatus
from notarium.verifying.verification import Verifying
from notarium_ledger.state.genesis import Genesis


@dataclass(frozen=True, slots=True)
class Enclosed:
    """One verdict."""

    verdict: Verdict
    label: str = ""
    """Its path inside the submission, without the ending of receipts."""
    why: tuple[Why, ...] = ()
    """Of a mismatch: since when, and by which likely cause."""

    @classmethod
    def of(cls, verdict: Verdict, folder: Path, genesis: Genesis) -> Enclosed:
        """With the explanation of a mismatch, which needs the files. `folder`: it lies in."""
        result = verdict.result
        label = _label(result.path, folder)
        if result.status is not VerificationStatus.MISMATCH:
            return cls(verdict, label)
        # Here and not above: it loads much that no other verdict needs.
        from notarium.explaining.mismatch import explain

        return cls(verdict, label, tuple(explain(result, genesis, folder)))

    @property
    def receipt(self) -> VerifiedReceipt | None:
        """None where it has no valid one."""
        return self.verdict.result.receipt

    @property
    def body(self) -> dict[str, Any]:
        """What the entry says; empty without a receipt."""
        return {} if self.receipt is None else self.receipt.body

    @property
    def outcome(self) -> str:
        """How a run ended, or what a review or a replication came to; "" for the rest."""
        return outcome_of(self.body) if self.body else ""

    @property
    def started_ms(self) -> int | None:
        """As its author says; None where nothing says it."""
        return Claimed.by(self.body, self.verdict.result.recorded).started_ms


_BEGINNINGS = (b"PK\3\4", b"PK\5\6")
"""Of a zip, and of an empty one."""


def _is_archive(path: Path) -> bool:
    return path.is_file() and read_regular(path, len(_BEGINNINGS[0])).startswith(_BEGINNINGS)


def is_submission(path: Path) -> bool:
    """Whether `path` is a folder or a zip that no receipt is about, neither its own nor that of a folder above it."""
    try:
        return (path.is_dir() or _is_archive(path)) and receipt_for(without_dots(path)) is None
    except OSError:
        # The verdict on it says so.
        return False


def enclosed_in(path: Path, verifying: Verifying, judge: Callable[[Path], list[Verdict]]) -> list[Enclosed]:
    """One for each receipt in `path`; a zip is unpacked for as long as that takes. `judge`: the verdicts on a path.

    One that is damaged or beyond its bounds is a file like any other, and its verdict says why it was not unpacked.
    """

    def judged(place: Path) -> list[Enclosed]:
        return [Enclosed.of(each, place, verifying.genesis) for each in judge(place)]

    if not is_submission(path) or path.is_dir():
        return judged(path)
    # Here and not above: only a zip needs it.
    from notarium.submissions.archive import unpacked

    reason = ""
    try:
        with unpacked(path) as content:
            if content.has_receipts:
                found = [_renamed(each, str(content.folder), str(path)) for each in judged(content.folder)]
                return [*found, *_of_left_out(path, verifying, content.left_out)]
    except ProjectError as error:
        # It hides no verdict on another path.
        reason = str(error)
    # A zip that holds no receipt, or none that anyone can see, is a file like any other.
    return [replace(each, verdict=replace(each.verdict, reason=each.verdict.reason or reason)) for each in judged(path)]


def _of_left_out(path: Path, verifying: Verifying, left_out: Sequence[tuple[str, str]]) -> Iterator[Enclosed]:
    """One result for all that is in the archive and was not unpacked."""
    if left_out:
        findings = tuple(Finding(FindingKind.UNREADABLE, f"{path}/{name}", reason) for name, reason in left_out)
        ledger = Ledger(verifying.genesis.name, verifying.genesis.hash.hex())
        status = VerificationStatus.INCOMPLETE_EVIDENCE
        yield Enclosed(Verdict.of(Verification(str(path), status, findings=findings, ledger=ledger)), path.name)


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
        notices=tuple(map(name, result.notices)),
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
