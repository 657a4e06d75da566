"""What a reviewer must know of an entry and sees only when its neighbours are looked at, too.

What the entry says of itself, and what later entries say about it, is said by the marks of its own verdict.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from notarium.ledger_access.answers import VerifiedReceipt
from notarium.submissions.enclosed import Enclosed
from notarium.verifying.marks import MarkKind, outcome_of
from notarium.verifying.people import span_text, time_text
from notarium.verifying.surroundings import Says


class RemarkKind(StrEnum):
    """What a remark is about."""

    CHANGED = "changed"
    """It stands in the place of an entry that is not enclosed."""
    RESTS_ON = "rests on"
    """It refers to an entry that was retracted or replaced."""
    AFTER = "after its data"
    NOT_ENCLOSED = "not enclosed"
    """What it refers to."""


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing to know of one entry."""

    kind: RemarkKind
    text: str
    is_weighty: bool = True
    """With such a one, a submission does not count as verified."""


WEIGHTY: Final = frozenset({MarkKind.RETRACTED, MarkKind.IMPOSSIBLE, MarkKind.UNKNOWN})
"""Marks with which a submission does not count as verified. A failed run, honestly enclosed, is no defect."""
REPLACING: Final = frozenset({Says.CORRECTED, Says.SUPERSEDED})
"""Nor does it with one of these, where the author's institution says so."""


@dataclass(frozen=True, slots=True)
class Known:
    """All entries that are known, by id: those enclosed, and those that the ledger named."""

    enclosed: Mapping[bytes, Enclosed]
    others: Mapping[bytes, VerifiedReceipt]
    """Not enclosed."""

    @classmethod
    def of(cls, enclosed: Sequence[Enclosed], others: Sequence[VerifiedReceipt]) -> Known:
        """By their ids."""
        own = {bytes(each.receipt.id): each for each in enclosed if each.receipt is not None}
        return cls(own, {bytes(each.id): each for each in others if bytes(each.id) not in own})

    def receipt(self, id_: bytes) -> VerifiedReceipt | None:
        """Of an entry, wherever it comes from."""
        found = self.enclosed.get(id_)
        return found.receipt if found is not None else self.others.get(id_)

    def named(self, id_: bytes) -> str:
        """An entry, for a sentence."""
        if (found := self.enclosed.get(id_)) is not None:
            return f"{found.label} (#{found.receipt.index if found.receipt else '?'})"
        receipt = self.others.get(id_)
        return f"entry {id_.hex()}" if receipt is None else described(receipt)

    def later(self, id_: bytes, relation: str) -> Iterator[VerifiedReceipt]:
        """The entries that refer to `id_` by `relation`, in the order of the log."""
        receipts = [each.receipt for each in self.enclosed.values() if each.receipt is not None]
        for each in sorted([*receipts, *self.others.values()], key=lambda receipt: receipt.index):
            if any(ref["entry"] == id_ and ref["rel"] == relation for ref in each.body.get("refs", ())):
                yield each


def described(receipt: VerifiedReceipt) -> str:
    """An entry that is not enclosed, for a sentence."""
    said = " ".join(filter(None, (str(receipt.body["kind"]), outcome_of(receipt.body))))
    who = f"entry {receipt.id.hex()} of {issuer_of(receipt)}"
    return f"{said} {who} · {time_text(receipt.time_ms)} (#{receipt.index})"


def issuer_of(receipt: VerifiedReceipt) -> str:
    """The institution that an entry is of: a researcher's issuer, or the member that speaks."""
    return str(receipt.body.get("issuer", receipt.body.get("member", "")))


def remarks_of(each: Enclosed, known: Known) -> tuple[Remark, ...]:
    """What there is to know of one entry."""
    if each.receipt is None:
        return ()
    found = [*_refs(each, each.receipt, known)]
    if each.body["kind"] == "preregistration":
        found += _plan(each.receipt, known)
    return tuple(found)


def _refs(each: Enclosed, receipt: VerifiedReceipt, known: Known) -> Iterator[Remark]:
    """What it refers to, where that is not enclosed, was retracted or replaced, or came later than it may."""
    for ref in each.body.get("refs", ()):
        relation, target = ref["rel"], bytes(ref["entry"])
        if relation == "ends":
            # The start of a run is the same run: nobody encloses it.
            continue
        said = f"{relation} {known.named(target)}"
        if target not in known.enclosed:
            yield _absent(each, relation, known.named(target))
        earlier = known.receipt(target)
        for later in known.later(target, "supersedes"):
            is_own = earlier is None or issuer_of(later) == issuer_of(earlier)
            if is_own and later.id != receipt.id:
                how = "retracted" if later.body["kind"] == "retraction" else "replaced"
                yield Remark(RemarkKind.RESTS_ON, f"{said}, which was {how} by {known.named(later.id)}")
        if earlier is not None and each.started_ms is not None and earlier.time_ms > each.started_ms:
            apart = span_text(earlier.time_ms - each.started_ms)
            # A plan that came after the run began is no plan; an input may be anchored late.
            is_plan = relation == "preRegisteredBy"
            yield Remark(RemarkKind.AFTER, f"{said}, which was decided {apart} after this began", is_plan)


def _absent(each: Enclosed, relation: str, named: str) -> Remark:
    if relation != "supersedes":
        return Remark(RemarkKind.NOT_ENCLOSED, f"{relation} {named}, which is only referred to")
    # Data and models are replaced every day; a plan is not.
    is_plan = each.body["kind"] == "preregistration"
    return Remark(RemarkKind.CHANGED, f"replaces {named}, which is not enclosed", is_plan)


def _plan(plan: VerifiedReceipt, known: Known) -> Iterator[Remark]:
    """The data that a plan's runs rest on, where it was anchored before the plan."""
    for run in known.later(plan.id, "preRegisteredBy"):
        for ref in run.body.get("refs", ()):
            data = known.receipt(bytes(ref["entry"]))
            if data is not None and data.body["kind"] == "dataset" and data.index < plan.index:
                text = f"anchored after {known.named(data.id)}, on which {known.named(run.id)} rests"
                yield Remark(RemarkKind.AFTER, text, False)
