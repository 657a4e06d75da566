"""Marks: what the first line of a verdict says besides the status, so that no reader takes it for a plain one.

They are no part of the proof: an entry that says "failed" is as proven as one that says "completed".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from notarium_ledger.entries.commitment import Body


class MarkKind(StrEnum):
    """What a mark is about."""

    FAILED = "failed"
    """A run that did not complete, a review that rejects, a replication that did not reproduce."""
    IMPOSSIBLE = "impossible"
    """A time that cannot be true."""
    LATE = "late"
    """Anchored long after it happened, or a plan that came after what it was to precede."""
    RETRACTED = "retracted"
    """By its author, or by another key of the author's institution."""
    DISPUTED = "disputed"
    """Somebody else says that it is retracted, rejects it or did not reproduce it."""
    STANDING = "standing"
    """Who says it matters: a stranger's retraction, or an author's review of his or her own work."""
    REPLACED = "replaced"
    """A later entry stands in its place."""
    OPEN = "open"
    """A run that began and has not ended."""
    UNKNOWN = "unknown"
    """It refers to what no node knows, or to something of another kind than it says."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One thing that the first line says."""

    kind: MarkKind
    text: str
    """A clause; it may quote what comes from outside."""

    def to_json(self) -> dict[str, str]:
        """{kind, text}."""
        return {"kind": str(self.kind), "text": self.text}


class FailOn(StrEnum):
    """What a verification can be asked to fail on, though all that it checked holds."""

    GAPS = "gaps"
    FAILED = "failed"
    LATE = "late"
    RETRACTED = "retracted"


_FAILS = {
    FailOn.GAPS: {MarkKind.UNKNOWN},
    FailOn.FAILED: {MarkKind.FAILED},
    FailOn.LATE: {MarkKind.LATE, MarkKind.IMPOSSIBLE},
    FailOn.RETRACTED: {MarkKind.RETRACTED},
}


def fails(marks: Iterable[Mark], has_gaps: bool, fail_on: Iterable[FailOn]) -> bool:
    """Whether an entry with these marks is one that was asked to fail."""
    kinds = {each.kind for each in marks}
    return any(kinds & _FAILS[each] or (has_gaps and each is FailOn.GAPS) for each in fail_on)


_BAD = {
    ("run", "failed"): "the run failed",
    ("run", "interrupted"): "the run was interrupted",
    ("review", "reject"): "a review that rejects",
    ("review", "revise"): "a review that asks for changes",
    ("replication", "not-reproduced"): "not reproduced",
    ("replication", "partly"): "reproduced only in part",
}
_FIELDS = {"run": "status", "review": "verdict", "replication": "outcome"}
"""Kind -> the field of its body that says how it came out."""


def outcome_of(body: Body) -> str:
    """How it came out, in the entry's own word: completed, reject, reproduced; "" for kinds that have no outcome."""
    return str(body.get(_FIELDS.get(str(body["kind"]), ""), ""))


def outcome_marks(body: Body) -> list[Mark]:
    """The outcome of a run, review or replication where it is not a good one."""
    kind, outcome = str(body["kind"]), outcome_of(body)
    text = _BAD.get((kind, outcome), "")
    if kind == "run" and outcome != "completed" and not text:
        text = f"how the run ended is {outcome}"
    return [Mark(MarkKind.FAILED, text)] if text else []
