"""What a reviewer must know of an entry besides its verdict: each is seen only when its neighbours are looked at, too.

Whose word counts: an entry is retracted or replaced by its own institution. What another one says of it is shown as
theirs. Times that an author claims are compared with the time of the block, which the consortium agreed on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from notarium.ledger_access.answers import VerifiedReceipt
from notarium.submissions.enclosed import Enclosed
from notarium_ledger.encoding.json_file import iso_time

LATE_MS: Final = 24 * 3600 * 1000
"""An entry that came to the ledger later than this after it happened is late."""
AHEAD_MS: Final = 10 * 60 * 1000
"""So far ahead of the block's time a researcher's clock may be."""
_FAILED: Final = ("failed", "interrupted", "reject", "not-reproduced")


class RemarkKind(StrEnum):
    """What a remark is about."""

    RETRACTED = "retracted"
    CHANGED = "changed"
    """Replaced by a later entry."""
    RESTS_ON = "rests on"
    """It refers to an entry that was retracted or replaced."""
    FAILED = "failed"
    LATE = "late"
    IMPOSSIBLE = "impossible time"
    AFTER = "after its data"
    NOT_ENCLOSED = "not enclosed"
    SAID_LATER = "said later"
    """A review, a replication, and what another institution says of it."""


WEIGHTY: Final = frozenset(
    {RemarkKind.RETRACTED, RemarkKind.CHANGED, RemarkKind.RESTS_ON, RemarkKind.IMPOSSIBLE, RemarkKind.NOT_ENCLOSED}
)
"""With one of these a submission does not count as verified. A failed run, honestly enclosed, is no defect."""


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing to know of one entry."""

    kind: RemarkKind
    text: str
    is_weighty: bool = False

    @classmethod
    def of(cls, kind: RemarkKind, text: str) -> Remark:
        """With the weight of its kind."""
        return cls(kind, text, kind in WEIGHTY)


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
        return f"{id_.hex()[:16]}…" if receipt is None else described(receipt)

    def later(self, id_: bytes, relation: str) -> Iterator[VerifiedReceipt]:
        """The entries that refer to `id_` by `relation`, in the order of the log."""
        receipts = [each.receipt for each in self.enclosed.values() if each.receipt is not None]
        for each in sorted([*receipts, *self.others.values()], key=lambda receipt: receipt.index):
            if any(ref["entry"] == id_ and ref["rel"] == relation for ref in each.body.get("refs", ())):
                yield each


def described(receipt: VerifiedReceipt) -> str:
    """An entry that is not enclosed, for a sentence."""
    body = receipt.body
    said = [body["kind"], *(str(body[name]) for name in ("status", "verdict", "outcome") if name in body)]
    who = f"{receipt.id.hex()[:16]}… of {issuer_of(receipt)}"
    return f"{' '.join(said)} {who} · {when(receipt.time_ms)} (#{receipt.index})"


def when(time_ms: int) -> str:
    """A time for people: 2026-11-28 17:43 UTC."""
    return f"{iso_time(time_ms)[:16].replace('T', ' ')} UTC"


def issuer_of(receipt: VerifiedReceipt) -> str:
    """The institution that an entry is of: a researcher's issuer, or the member that speaks."""
    return str(receipt.body.get("issuer", receipt.body.get("member", "")))


def remarks_of(each: Enclosed, known: Known) -> tuple[Remark, ...]:
    """What there is to know of one entry."""
    if each.receipt is None:
        return ()
    found = [*_later(each.receipt, known), *_refs(each, known), *_times(each)]
    if each.outcome in _FAILED:
        found.insert(0, Remark.of(RemarkKind.FAILED, f"the outcome of this {each.body['kind']} is: {each.outcome}"))
    if each.body["kind"] == "preregistration":
        found += _plan(each.receipt, known)
    return tuple(found)


def _later(receipt: VerifiedReceipt, known: Known) -> Iterator[Remark]:
    """What later entries say."""
    for each in known.later(receipt.id, "supersedes"):
        who = f"{_who(each, receipt)}, {when(each.time_ms)} (#{each.index})"
        is_retraction = each.body["kind"] == "retraction"
        said = f"reason: {each.body['reason']}" if is_retraction else f"replaced by {known.named(each.id)}"
        kind = RemarkKind.RETRACTED if is_retraction else RemarkKind.CHANGED
        if issuer_of(each) == issuer_of(receipt):
            yield Remark.of(kind, f"{said}; by {who}")
        else:
            said = f"{kind}, {said}; by {who}: only the author's institution can do so"
            yield Remark.of(RemarkKind.SAID_LATER, said)
    for relation, name in (("reviews", "verdict"), ("replicates", "outcome")):
        for each in known.later(receipt.id, relation):
            outcome = each.body.get(name, each.body["kind"])
            yield Remark.of(RemarkKind.SAID_LATER, f"{relation}: {outcome}; by {_who(each, receipt)} (#{each.index})")


def _who(later: VerifiedReceipt, of: VerifiedReceipt) -> str:
    if later.entry.key == of.entry.key:
        return f"the author's own key ({issuer_of(of)})"
    if issuer_of(later) == issuer_of(of):
        return f"the author's institution {issuer_of(of)}"
    return f"another institution, {issuer_of(later)}"


def _refs(each: Enclosed, known: Known) -> Iterator[Remark]:
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
            if is_own and (each.receipt is None or later.id != each.receipt.id):
                how = "retracted" if later.body["kind"] == "retraction" else "replaced"
                yield Remark.of(RemarkKind.RESTS_ON, f"{said}, which was {how} by {known.named(later.id)}")
        if earlier is not None and each.started_ms is not None and earlier.time_ms > each.started_ms:
            apart = _apart(earlier.time_ms - each.started_ms)
            # A plan that came after the run began is no plan; an input may be anchored late.
            is_plan = relation == "preRegisteredBy"
            yield Remark(RemarkKind.AFTER, f"{said}, which was decided {apart} after this began", is_plan)


def _absent(each: Enclosed, relation: str, named: str) -> Remark:
    if relation != "supersedes":
        return Remark.of(RemarkKind.NOT_ENCLOSED, f"{relation} {named}, which is only referred to")
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
                yield Remark.of(RemarkKind.AFTER, text)


def _times(each: Enclosed) -> Iterator[Remark]:
    """Claimed times against each other, and against the block's."""
    receipt, started, ended = each.receipt, each.started_ms, each.ended_ms
    if receipt is None:
        return
    if started is not None and ended is not None and ended < started:
        yield Remark.of(RemarkKind.IMPOSSIBLE, f"its claimed end is {_apart(started - ended)} before its claimed start")
    last = max((each for each in (started, ended) if each is not None), default=None)
    if last is None:
        return
    if last > receipt.time_ms + AHEAD_MS:
        apart = _apart(last - receipt.time_ms)
        yield Remark.of(RemarkKind.IMPOSSIBLE, f"its claimed time is {apart} after the block that holds it")
    elif receipt.time_ms - last > LATE_MS:
        yield Remark.of(RemarkKind.LATE, f"it came to the ledger {_apart(receipt.time_ms - last)} after it happened")


def _apart(milliseconds: int) -> str:
    """A time span for people."""
    seconds = milliseconds / 1000
    for size, unit in ((86_400 * 365, "years"), (86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.1f} s"
