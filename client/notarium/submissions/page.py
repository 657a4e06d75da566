"""A submission as one page: every entry with its verdict and remarks, what is missing, and the gravest result."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from notarium.errors import ExitCode
from notarium.ledger_access.answers import VerifiedReceipt
from notarium.submissions.enclosed import Enclosed
from notarium.submissions.remarks import REPLACING, WEIGHTY, Known, Remark, RemarkKind, described, issuer_of, remarks_of
from notarium.verdicts import VerdictStatus, gravest
from notarium.verifying.account import Account
from notarium.verifying.asking import Asking
from notarium.verifying.marks import FailOn, MarkKind
from notarium.verifying.people import for_the_eye
from notarium_ledger.entries.commitment import referred_entries

_OF_A_STUDY = ("preregistration", "dataset", "run-start", "run", "model", "federated-round")
"""Kinds whose entries belong to the study itself; reviews and retractions are about it."""


@dataclass(frozen=True, slots=True)
class Row:
    """One entry with what there is to know of it."""

    enclosed: Enclosed
    remarks: tuple[Remark, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Whether it verifies, and nothing weighty is known of it."""
        verdict, around = self.enclosed.verdict, self.enclosed.verdict.result.around
        marks = {each.kind for each in verdict.result.marks}
        # Anybody can write that an entry is replaced; its own institution's word counts.
        is_replaced = around is not None and any(each.is_own and each.says in REPLACING for each in around.later)
        return verdict.exit_code is ExitCode.OK and not (marks & WEIGHTY or is_replaced or self.kinds)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Of its weighty remarks."""
        return tuple(dict.fromkeys(str(each.kind) for each in self.remarks if each.is_weighty))

    def account(self) -> Account:
        """The verdict as lines, with the remarks and the explanation of a mismatch."""
        verdict = self.enclosed.verdict
        said = verdict.result.account(verdict.status, verdict.reason)
        why = (f"why: {line}" for each in self.enclosed.why for line in each.lines())
        notes = (*said.notes, *why, *(for_the_eye(f"{each.kind}: {each.text}") for each in self.remarks))
        return replace(said, marks=(*said.marks, *self.kinds), notes=notes)

    def to_json(self) -> dict[str, Any]:
        """The verdict's own, with what is `to_know`, and `why` it is a mismatch."""
        to_know = [{"kind": str(each.kind), "text": each.text, "weighty": each.is_weighty} for each in self.remarks]
        why = [each.to_json() for each in self.enclosed.why]
        return {**self.enclosed.verdict.to_json(), "to_know": to_know, "why": why}


@dataclass(frozen=True, slots=True)
class Page:
    """What is said about one path. Made by `pages_of`."""

    name: str
    """The path that was asked about."""
    rows: tuple[Row, ...]
    is_submission: bool = False
    """False for the verdict on a single path, which has no remarks."""
    left_out: tuple[str, ...] = ()
    """Entries of the same study that the ledger has and the submission does not, each as a sentence."""
    silence: str = ""
    """Why the ledger was not asked about all, or ""."""

    @property
    def exit_code(self) -> ExitCode:
        """The gravest of all verdicts; incomplete evidence where only remarks or missing entries stand against it."""
        worst = gravest(row.enclosed.verdict.exit_code for row in self.rows)
        is_clean = all(row.is_clean for row in self.rows) and not self.left_out
        return ExitCode.INCOMPLETE_EVIDENCE if self.is_submission and worst is ExitCode.OK and not is_clean else worst

    @property
    def status(self) -> str:
        """In one word, as `exit_code`."""
        worst = self.exit_code
        own = (row.enclosed.verdict for row in self.rows if row.enclosed.verdict.exit_code is worst)
        return next((each.status.value for each in own), VerdictStatus.INCOMPLETE_EVIDENCE.value)

    def fails_on(self, fail_on: Iterable[FailOn]) -> bool:
        """Whether one of these is said of any of its entries."""
        return any(row.enclosed.verdict.fails_on(fail_on) for row in self.rows)

    def summary(self) -> str:
        """All in one sentence: "13 entries: 13 verified · 1 retracted · 2 not enclosed"."""
        entries = sum(row.enclosed.receipt is not None for row in self.rows)
        statuses = [row.enclosed.verdict.status for row in self.rows]
        parts = [f"{statuses.count(each)} {each}" for each in VerdictStatus if each in statuses]
        kinds = [{*(mark.kind for mark in row.enclosed.verdict.result.marks)} for row in self.rows]
        parts += [f"{count} {kind}" for kind in MarkKind if (count := sum(kind in each for each in kinds))]
        remarks = [{*(remark.kind for remark in row.remarks)} for row in self.rows]
        parts += [f"{count} {kind}" for kind in RemarkKind if (count := sum(kind in each for each in remarks))]
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


@dataclass(frozen=True, slots=True)
class Inside:
    """What was found at one path."""

    name: str
    is_submission: bool
    enclosed: Sequence[Enclosed]


def pages_of(found: Sequence[Inside], asking: Asking) -> list[Page]:
    """A page for each path, with what other entries say of what is in there."""
    results = iter(asking.ask([each.verdict.result for inside in found for each in inside.enclosed]))
    pages = []
    for inside in found:
        asked = [replace(each, verdict=replace(each.verdict, result=next(results))) for each in inside.enclosed]
        alone = Page(inside.name, tuple(map(Row, asked)))
        pages.append(_page(inside.name, asked, asking) if inside.is_submission else alone)
    return pages


def _page(name: str, enclosed: Sequence[Enclosed], asking: Asking) -> Page:
    known = Known.of(enclosed, _others(enclosed, asking))
    rows = tuple(Row(each, remarks_of(each, known)) for each in enclosed)
    silence = asking.why_not or ("" if asking.client is not None else "no node was asked (--offline)")
    return Page(name, rows, True, tuple(_left_out(enclosed, known)), silence)


def _others(enclosed: Sequence[Enclosed], asking: Asking) -> list[VerifiedReceipt]:
    """Entries that are not enclosed: what an enclosed one refers to, and what refers to either.

    Runs on an earlier plan, which is only referred to, are runs of the study.
    """
    around = [each.verdict.result.around for each in enclosed]
    targets = [each for one in around if one is not None for each in one.referred.values() if each is not None]
    receipts = [each.receipt for each in enclosed if each.receipt is not None]
    unique = {bytes(each.id): each for each in (*receipts, *targets)}
    return [*targets, *(later for each in unique.values() for later in asking.references(each))]


def _left_out(enclosed: Sequence[Enclosed], known: Known) -> Iterator[str]:
    """Entries of the enclosed studies that are not enclosed, and refer to what is enclosed or referred to."""
    studies = {_study(each.receipt) for each in enclosed if each.receipt is not None}
    bodies = [*(each.body for each in enclosed), *(each.body for each in known.others.values())]
    ended = {id_ for body in bodies for id_, relations in referred_entries(body).items() if "ends" in relations}
    named = {id_ for each in enclosed for id_ in referred_entries(each.body)}
    for id_, each in sorted(known.others.items(), key=lambda item: item[1].index):
        refs = [
            (relation, target) for target, relations in referred_entries(each.body).items() for relation in relations
        ]
        is_said = id_ in named or any(relation == "supersedes" for relation, _ in refs)
        if is_said or id_ in ended or each.body["kind"] not in _OF_A_STUDY or _study(each) not in studies:
            # Remarks say what is referred to, and what replaces it; the start of a run is shown by its run.
            continue
        for relation, target in refs:
            if target in known.enclosed or target in named:
                yield f"{described(each)}: {relation} {known.named(target)}"
                break


def _study(receipt: VerifiedReceipt) -> tuple[str, str]:
    return issuer_of(receipt), str(receipt.body.get("project", ""))
