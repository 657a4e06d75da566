"""A submission as one page: every entry with its verdict and remarks, what is missing, and the gravest result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from notarium.errors import ExitCode
from notarium.ledger_access.answers import VerifiedReceipt
from notarium.naming import artifact_path
from notarium.submissions.asking import Asked, ask, targets
from notarium.submissions.enclosed import Enclosed, enclosed_in, is_submission
from notarium.submissions.remarks import Known, Remark, RemarkKind, described, issuer_of, remarks_of
from notarium.verdicts import VerdictStatus, gravest
from notarium.verifying.result import Ledger
from notarium.verifying.verification import Verifying

_OF_A_STUDY = ("preregistration", "dataset", "run-start", "run", "model", "federated-round")
"""Kinds whose entries belong to the study itself; reviews and retractions are about it."""


@dataclass(frozen=True, slots=True)
class Row:
    """One entry with what there is to know of it."""

    enclosed: Enclosed
    remarks: tuple[Remark, ...]

    @property
    def is_clean(self) -> bool:
        """Whether it verifies and nothing weighty is known of it."""
        return self.enclosed.verdict.exit_code is ExitCode.OK and not any(each.is_weighty for each in self.remarks)

    def to_json(self) -> dict[str, Any]:
        """The verdict's own, with `outcome`, `gaps`, what is `to_know`, and `why` it is a mismatch."""
        to_know = [{"kind": str(each.kind), "text": each.text, "weighty": each.is_weighty} for each in self.remarks]
        return {
            "outcome": self.enclosed.outcome or None,
            "gaps": list(self.enclosed.gaps),
            **self.enclosed.verdict.to_json(),
            "to_know": to_know,
            "why": [each.to_json() for each in self.enclosed.why],
        }


@dataclass(frozen=True, slots=True)
class Page:
    """Made by `page_of`."""

    name: str
    """The path that was asked about."""
    ledger: Ledger
    rows: tuple[Row, ...]
    left_out: tuple[str, ...]
    """Entries of the same study that the ledger has and the submission does not, each as a sentence."""
    silence: str
    """Why the ledger was not asked about all, or ""."""
    is_submission: bool = True
    """False for the verdict on a single path, which has no remarks."""

    @classmethod
    def of(cls, name: str, ledger: Ledger, enclosed: Sequence[Enclosed], asked: Asked) -> Page:
        """The page of what a submission encloses and what the ledger adds."""
        known = Known.of(enclosed, asked.others)
        rows = tuple(Row(each, remarks_of(each, known)) for each in enclosed)
        return cls(name, ledger, rows, tuple(_left_out(enclosed, known)), asked.silence)

    @property
    def exit_code(self) -> ExitCode:
        """The gravest of all verdicts; incomplete evidence where only remarks or missing entries stand against it."""
        worst = gravest(row.enclosed.verdict.exit_code for row in self.rows)
        if worst is ExitCode.OK and not (all(row.is_clean for row in self.rows) and not self.left_out):
            return ExitCode.INCOMPLETE_EVIDENCE
        return worst

    @property
    def status(self) -> str:
        """In one word, as `exit_code`."""
        worst = self.exit_code
        own = (row.enclosed.verdict for row in self.rows if row.enclosed.verdict.exit_code is worst)
        return next((each.status.value for each in own), VerdictStatus.INCOMPLETE_EVIDENCE.value)

    def count(self, kind: RemarkKind) -> int:
        """How many entries have a remark of this kind."""
        return sum(any(each.kind is kind for each in row.remarks) for row in self.rows)

    def summary(self) -> str:
        """All in one sentence: "13 entries: 13 verified · 1 retracted · 2 not enclosed"."""
        entries = sum(row.enclosed.receipt is not None for row in self.rows)
        statuses = [row.enclosed.verdict.status for row in self.rows]
        parts = [f"{statuses.count(each)} {each}" for each in VerdictStatus if each in statuses]
        parts += [f"{count} {kind}" for kind in RemarkKind if (count := self.count(kind))]
        if self.left_out:
            parts.append(f"{len(self.left_out)} on the ledger and left out")
        return f"{entries} {'entry' if entries == 1 else 'entries'}: {' · '.join(parts)}"

    def to_json(self) -> dict[str, Any]:
        """For --json."""
        return {
            "name": self.name,
            "status": self.status,
            "summary": self.summary(),
            "left_out": list(self.left_out),
            "silence": self.silence or None,
        }


def page_of(path: Path, verifying: Verifying, *, offline: bool, timeout: float) -> Page:
    """Verify `path` and, where it is a submission, see its entries together and ask the ledger what it adds.

    Raises ProjectError for a zip that is damaged or beyond its bounds.
    """
    chosen = artifact_path(path)
    ledger = Ledger(verifying.genesis.name, verifying.genesis.hash.hex())
    enclosed = enclosed_in(chosen, verifying, offline=offline, timeout=timeout)
    if not is_submission(chosen):
        return Page(str(path), ledger, tuple(Row(each, ()) for each in enclosed), (), "", False)
    return Page.of(str(path), ledger, enclosed, ask(enclosed, verifying.genesis, offline=offline, timeout=timeout))


def _left_out(enclosed: Sequence[Enclosed], known: Known) -> Iterator[str]:
    """Entries of the enclosed studies that are not enclosed, and refer to what is enclosed or referred to."""
    studies = {_study(each.receipt) for each in enclosed if each.receipt is not None}
    bodies = [*(each.body for each in enclosed), *(each.body for each in known.others.values())]
    ended = {bytes(ref["entry"]) for body in bodies for ref in body.get("refs", ()) if ref["rel"] == "ends"}
    named = targets(enclosed)
    for id_, each in sorted(known.others.items(), key=lambda item: item[1].index):
        refs = [(ref["rel"], bytes(ref["entry"])) for ref in each.body.get("refs", ())]
        is_marked = id_ in named or any(relation == "supersedes" for relation, _ in refs)
        if is_marked or id_ in ended or each.body["kind"] not in _OF_A_STUDY or _study(each) not in studies:
            # Marks say what is referred to, and what replaces it; the start of a run is shown by its run.
            continue
        for relation, target in refs:
            if target in known.enclosed or target in named:
                yield f"{described(each)}: {relation} {known.named(target)}"
                break


def _study(receipt: VerifiedReceipt) -> tuple[str, str]:
    return issuer_of(receipt), str(receipt.body.get("project", ""))
