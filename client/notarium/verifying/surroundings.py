"""What other entries say about one: those that it refers to, and those that refer to it.

Each of them is proven like the entry itself. That there are no others is not: whoever gives them can leave some out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from notarium.evidence.author import Author
from notarium.ledger_access.answers import VerifiedReceipt
from notarium.verifying.marks import Mark, MarkKind, outcome_of
from notarium.verifying.people import span_text, time_text
from notarium.verifying.recorded import Claimed
from notarium.verifying.times import start_marks
from notarium_ledger.entries.commitment import referred_entries


class Standing(StrEnum):
    """Who says it, seen from the entry that it is about."""

    AUTHOR = "the author"
    """The same key."""
    INSTITUTION = "the author's own institution"
    """Another key of the same institution."""
    MEMBER = "another member"


class Says(StrEnum):
    """What a later entry says about an earlier one."""

    RETRACTED = "retracted"
    CORRECTED = "corrected"
    """The author's own entry of the same kind stands in its place."""
    SUPERSEDED = "superseded"
    """Any other entry says that it stands in its place."""
    REVIEWED = "reviewed"
    REPLICATED = "replicated"
    ENDED = "ended"
    """A run-start whose end is known."""


_BY_RELATION: Final = {"reviews": Says.REVIEWED, "replicates": Says.REPLICATED, "ends": Says.ENDED}


@dataclass(frozen=True, slots=True)
class LaterEntry:
    """One thing that a later entry says."""

    says: Says
    standing: Standing
    receipt: VerifiedReceipt
    detail: str
    """Verdict, outcome or reason; it may be anyone's text."""

    @property
    def is_own(self) -> bool:
        """Whether the author or the author's institution says it."""
        return self.standing is not Standing.MEMBER

    def __str__(self) -> str:
        by, standing = Author.of(self.receipt.entry), str(self.standing)
        who = f"{by.issuer} · {by.project} · key {by.key.hex()}"
        if self.says is Says.REVIEWED and self.standing is Standing.AUTHOR:
            standing = "the author, who reviews his or her own work"
        if self.says is Says.RETRACTED and not self.is_own:
            standing = "another member, who cannot retract what is not its own"
        detail = f" ({self.detail})" if self.detail else ""
        when = f"{time_text(self.receipt.time_ms)} · entry {self.receipt.id.hex()}"
        return f"{self.says}{detail} by {standing}: {who} · {when}"

    def to_json(self) -> dict[str, Any]:
        """{says, standing, detail, id, index, kind, issuer, project, author, time_ms}."""
        by = Author.of(self.receipt.entry)
        return {
            "says": str(self.says),
            "standing": str(self.standing),
            "detail": self.detail,
            "id": self.receipt.id.hex(),
            "index": self.receipt.index,
            "kind": self.receipt.body["kind"],
            **{"issuer": by.issuer, "project": by.project, "author": by.key.hex()},
            "time_ms": self.receipt.time_ms,
        }


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The entries around one entry, as far as they are known."""

    referred: Mapping[bytes, VerifiedReceipt | None]
    """Id -> the entry that it refers to; None where no node that answered knows it. Absent: nobody was asked."""
    later: tuple[LaterEntry, ...]
    """Oldest first."""
    asked: tuple[str, ...] = ()
    """Addresses of the nodes that were asked; none offline."""
    why_not: str = ""
    """Why no node could be asked, although one should have been."""
    more: bool = False
    """Whether there are later entries that were not fetched."""


def at_hand(receipt: VerifiedReceipt, known: Iterable[VerifiedReceipt]) -> Surroundings:
    """What the entries `known` say, of which no node was asked."""
    known = list(known)
    ids = referred_entries(receipt.body)
    referred = {bytes(each.id): each for each in known if bytes(each.id) in ids}
    return Surroundings(referred, later_entries(receipt, known))


def later_entries(receipt: VerifiedReceipt, known: Iterable[VerifiedReceipt]) -> tuple[LaterEntry, ...]:
    """What those of `known` that refer to `receipt` say about it, oldest first, each once."""
    found = {each.index: each for each in known if bytes(receipt.id) in referred_entries(each.body)}
    return tuple(said for _, each in sorted(found.items()) for said in _said(receipt, each))


def _said(about: VerifiedReceipt, later: VerifiedReceipt) -> Iterable[LaterEntry]:
    standing = _standing(about, later)
    for relation in referred_entries(later.body)[bytes(about.id)]:
        if relation == "supersedes":
            says = _replaces(about, later, standing)
        elif relation in _BY_RELATION:
            says = _BY_RELATION[relation]
        else:
            continue
        detail = str(later.body.get("reason", "")) if says is Says.RETRACTED else outcome_of(later.body)
        yield LaterEntry(says, standing, later, detail)


def _standing(about: VerifiedReceipt, later: VerifiedReceipt) -> Standing:
    if about.entry.key == later.entry.key:
        return Standing.AUTHOR
    same = about.body.get("issuer") == later.body.get("issuer")
    return Standing.INSTITUTION if same else Standing.MEMBER


def _replaces(about: VerifiedReceipt, later: VerifiedReceipt, standing: Standing) -> Says:
    if later.body["kind"] == "retraction":
        return Says.RETRACTED
    same_kind = later.body["kind"] == about.body["kind"]
    return Says.CORRECTED if standing is Standing.AUTHOR and same_kind else Says.SUPERSEDED


_DISPUTES: Final = {(Says.REVIEWED, "reject"), (Says.REPLICATED, "not-reproduced")}


def later_marks(receipt: VerifiedReceipt, around: Surroundings) -> list[Mark]:
    """What later entries add to the first line."""
    marks: list[Mark] = []
    for each in around.later:
        if each.says is Says.RETRACTED:
            kind = MarkKind.RETRACTED if each.is_own else MarkKind.DISPUTED
            stranger = "" if each.is_own else f"a stranger, {Author.of(each.receipt.entry).issuer}"
            marks.append(Mark(kind, f"retracted by {stranger or each.standing}"))
        elif each.says in (Says.CORRECTED, Says.SUPERSEDED):
            marks.append(Mark(MarkKind.REPLACED, f"{each.says} by {each.standing}"))
        elif (each.says, each.detail) in _DISPUTES:
            verb = "rejected" if each.says is Says.REVIEWED else "not reproduced"
            marks.append(Mark(MarkKind.DISPUTED, f"{verb} by {each.standing}"))
    has_end = any(each.says is Says.ENDED for each in around.later)
    if receipt.body["kind"] == "run-start" and around.asked and not has_end and not around.more:
        marks.append(Mark(MarkKind.OPEN, "began, and no end is known"))
    return list(dict.fromkeys(marks))


def referred_marks(receipt: VerifiedReceipt, claimed: Claimed, around: Surroundings) -> list[Mark]:
    """What is wrong with the entries that it refers to, as far as they are known."""
    marks: list[Mark] = []
    starts = {id_ for id_, relations in referred_entries(receipt.body).items() if "ends" in relations}
    start = next((found for id_ in starts if (found := around.referred.get(id_)) is not None), None)
    if start is not None:
        marks += start_marks(claimed, start.time_ms)
    for id_, relations in referred_entries(receipt.body).items():
        if id_ not in around.referred:
            continue
        found = around.referred[id_]
        for relation in relations:
            if found is None:
                marks.append(Mark(MarkKind.UNKNOWN, f"{relation} entry {id_.hex()}, which no node knows"))
            else:
                marks += _relation_marks(receipt, relation, found, start, claimed)
    return marks


def _relation_marks(
    receipt: VerifiedReceipt, relation: str, found: VerifiedReceipt, start: VerifiedReceipt | None, claimed: Claimed
) -> list[Mark]:
    kind = str(found.body["kind"])
    expected = {"preRegisteredBy": "preregistration", "ends": "run-start"}.get(relation, kind)
    if kind != expected:
        return [Mark(MarkKind.UNKNOWN, f"{relation} entry {found.id.hex()}, which is a {kind} and no {expected}")]
    standing = _standing(found, receipt)
    if relation == "supersedes" and standing is Standing.MEMBER:
        verb, whose = (
            "retracts" if receipt.body["kind"] == "retraction" else "supersedes",
            Author.of(found.entry).issuer,
        )
        return [Mark(MarkKind.STANDING, f"{verb} entry {found.id.hex()} of {whose}, which is not its own")]
    if found.index >= receipt.index:
        late = f"{relation} entry {found.id.hex()}, which was decided after this one"
        return [Mark(MarkKind.LATE if relation == "preRegisteredBy" else MarkKind.UNKNOWN, late)]
    if relation in ("reviews", "replicates") and standing is Standing.AUTHOR:
        return [Mark(MarkKind.STANDING, f"the author {relation} his or her own work")]
    if relation != "preRegisteredBy":
        return []
    if start is not None and found.index > start.index:
        return [Mark(MarkKind.LATE, "its plan was decided after the run began, as the order of the log proves")]
    began = claimed.started_ms
    if start is None and began is not None and found.time_ms > began:
        return [Mark(MarkKind.LATE, f"its plan was decided {span_text(found.time_ms - began)} after it began")]
    return []
