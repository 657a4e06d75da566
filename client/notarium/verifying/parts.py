"""The four parts of a verdict: what is proven here, what is taken on trust from whom, the gaps, what is not shown.

They are the same in text, JSON, Markdown and a notebook. A line is one clause, and may quote what comes from outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from notarium.evidence.author import Author
from notarium.ledger_access.answers import VerifiedReceipt
from notarium.verifying.marks import Mark, MarkKind
from notarium.verifying.people import count_text, for_the_eye, span_text, time_text
from notarium.verifying.recorded import Claimed, Recorded
from notarium.verifying.surroundings import Surroundings
from notarium.verifying.times import lag_ms
from notarium_ledger.entries.commitment import referred_entries
from notarium_ledger.state.genesis import Genesis

_PLAIN_NOT_SHOWN = (
    "that data and results are genuine: only that they are what was anchored",
    "which person did it: a key stands for an institution",
    "that nothing was left out: what was never anchored does not show",
)


@dataclass(frozen=True, slots=True)
class Trusted:
    """A claim, and whose word it rests on."""

    whom: str
    what: str

    def __str__(self) -> str:
        return f"{self.whom}: {self.what}"


@dataclass(frozen=True, slots=True)
class VerdictParts:
    """The four parts."""

    proven: tuple[str, ...] = ()
    trusted: tuple[Trusted, ...] = ()
    gaps: tuple[str, ...] = ()
    not_shown: tuple[str, ...] = ()

    def titled(self) -> list[tuple[str, list[str]]]:
        """Title and lines of each part, in order."""
        titles = ("proven here", "taken on trust from", "gaps", "not shown by this")
        parts = (self.proven, self.trusted, self.gaps, self.not_shown)
        return [(title, [for_the_eye(str(each)) for each in said]) for title, said in zip(titles, parts, strict=True)]

    def to_json(self) -> dict[str, Any]:
        """{proven, trusted: [{whom, what}], gaps, not_shown}."""
        return {
            "proven": list(self.proven),
            "trusted": [{"whom": each.whom, "what": each.what} for each in self.trusted],
            "gaps": list(self.gaps),
            "not_shown": list(self.not_shown),
        }

    def without(self, other: VerdictParts) -> VerdictParts:
        """What is not in `other`."""
        return VerdictParts(
            *(
                tuple(line for line in getattr(self, each.name) if line not in getattr(other, each.name))
                for each in fields(self)
            )
        )


def shared(several: Sequence[VerdictParts]) -> VerdictParts:
    """The lines that each of `several` has, so that a page of many verdicts says them once."""
    first, *others = several or [VerdictParts()]
    return VerdictParts(
        *(
            tuple(
                line for line in getattr(first, each.name) if all(line in getattr(other, each.name) for other in others)
            )
            for each in fields(VerdictParts)
        )
    )


@dataclass(frozen=True, slots=True)
class Grounds:
    """What a verdict on one entry rests on."""

    genesis: Genesis
    receipt: VerifiedReceipt
    recorded: Recorded | None
    """None where the record was not checked, or is not the one that was committed to."""
    around: Surroundings | None
    """None where neither a node nor the entries at hand were asked."""
    files: int
    """So many were compared and are as they were."""
    contradicted: int
    """Findings that contradict the record."""
    unchecked: int
    """Findings about what could not be checked."""
    marks: tuple[Mark, ...] = ()


def parts_of(grounds: Grounds) -> VerdictParts:
    """The four parts of a verdict on an entry whose receipt holds."""
    gaps = grounds.recorded.gaps if grounds.recorded else ()
    unknown = tuple(each.text for each in grounds.marks if each.kind is MarkKind.UNKNOWN)
    return VerdictParts(
        tuple(_proven(grounds)), tuple(_trusted(grounds)), (*gaps, *unknown), tuple(_not_shown(grounds))
    )


WITHOUT_RECEIPT = VerdictParts(not_shown=("that it was ever anchored: there is no receipt that holds",))
"""Nothing is proven, and nothing need be trusted."""


def _proven(grounds: Grounds) -> list[str]:
    receipt, author = grounds.receipt, Author.of(grounds.receipt.entry)
    lines = [
        f"entry {receipt.id.hex()} is #{receipt.index} of the ledger, in block {receipt.height}",
        f"the key {author.key.hex()} signed it",
    ]
    if grounds.recorded is not None:
        lines.append("the record is the one that was anchored, and the same key signed it")
        lines += grounds.recorded.seeds.proven
    if grounds.files:
        differ = f"; {grounds.contradicted} more differ" if grounds.contradicted else ""
        lines.append(f"{count_text(grounds.files, 'file has', 'files have')} the content that was anchored{differ}")
    if grounds.around is not None:
        lines += [f"a later entry says: {each}" for each in grounds.around.later]
    return lines


def _trusted(grounds: Grounds) -> list[Trusted]:
    receipt, body = grounds.receipt, grounds.receipt.body
    signers, of = _signers(grounds)
    genesis, quorum = grounds.genesis.hash.hex(), f"{len(signers)} of {of} validators"
    found = [
        Trusted("whoever gave you the genesis", f"that the consortium's ledger is the one with the hash {genesis}"),
        Trusted(f"{', '.join(signers)} ({quorum})", "the order of entries, and the time of blocks"),
    ]
    author = str(body.get("issuer", body.get("member", "")))
    found.append(Trusted("the consortium", f"that {author} let the key {receipt.entry.key.hex()} speak for it"))
    claimed = Claimed.by(body, grounds.recorded)
    if said := _times(claimed, receipt.time_ms):
        found.append(Trusted(author, said))
    if grounds.recorded is not None:
        found.append(Trusted(author, "what the record says: it is proven to be said, not to be true"))
        if grounds.recorded.algorithms:
            found.append(Trusted("other tools", f"the digests {', '.join(grounds.recorded.algorithms)}"))
    if grounds.around is not None and grounds.around.asked:
        found.append(Trusted(", ".join(grounds.around.asked), "that no other later entry is about this one"))
    return found


def _signers(grounds: Grounds) -> tuple[list[str], int]:
    """The members whose validators signed the block, and how many validators there were."""
    decided = grounds.receipt.receipt.decided
    handovers = decided.handovers
    validators = handovers[-1].validators if handovers else grounds.genesis.registry.validators
    members = {each.key: each.member for each in validators.validators}
    return [members[seal.key] for seal in decided.certificate.seals], len(members)


def _times(claimed: Claimed, decided_ms: int) -> str:
    said = [
        f"that it {verb} at {time_text(time)}"
        for verb, time in (("began", claimed.started_ms), ("ended", claimed.ended_ms))
        if time is not None
    ]
    lag = lag_ms(claimed, decided_ms)
    if lag is None:
        return ""
    return f"{' and '.join(said)}, {span_text(lag)} {'before' if lag >= 0 else 'after'} its block"


def _not_shown(grounds: Grounds) -> list[str]:
    lines: list[str] = []
    if grounds.recorded is None and "record" in grounds.receipt.body:
        lines.append("what the record says: it was not checked")
    if grounds.recorded is not None:
        lines += grounds.recorded.seeds.not_shown
        lines += grounds.recorded.left_out
    if not grounds.files:
        lines.append("what any file holds: none was compared")
    if grounds.unchecked:
        lines.append(f"{count_text(grounds.unchecked, 'thing')} that could not be checked, as listed")
    around = grounds.around
    if around is None or not around.asked:
        why = (around and around.why_not) or "no node was asked"
        lines.append(f"what later entries say, such as a retraction: {why}")
    elif around.more:
        lines.append("all that later entries say: there are more than were fetched")
    unknown = referred_entries(grounds.receipt.body).keys() - (around.referred.keys() if around else set())
    if unknown:
        lines.append(f"that {count_text(len(unknown), 'entry', 'entries')} to which it refers exist: nobody was asked")
    return [*lines, *_PLAIN_NOT_SHOWN]
