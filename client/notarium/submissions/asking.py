"""What the ledger knows of a submission's entries and is not enclosed: retractions, other runs, what they refer to.

A node can leave entries out, but it cannot invent one: each is proven. So this adds to what a submission says of
itself, and its silence proves nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from notarium.errors import NotAnchored, NotariumError, ProjectError
from notarium.ledger_access.answers import VerifiedReceipt
from notarium.ledger_access.blocking import BlockingClient
from notarium.project import find_project
from notarium.submissions.enclosed import Enclosed
from notarium_ledger.state.genesis import Genesis

MOST_ASKED: Final = 1000
"""Entries of one submission that the nodes are asked about."""
_MOST_REFERENCES: Final = 100
"""That are fetched of one entry."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the nodes answered."""

    others: tuple[VerifiedReceipt, ...] = ()
    """Entries that are not enclosed: those that refer to one that is, and those that one refers to."""
    silence: str = ""
    """Why the ledger was not asked, or not about all; "" where it was."""


def ask(enclosed: Sequence[Enclosed], genesis: Genesis, *, offline: bool, timeout: float) -> Asked:
    """Ask the nodes of whoever verifies, never those that a submission names."""
    if offline:
        return Asked(silence="the ledger was not asked (--offline)")
    try:
        here = find_project()
        if here.genesis.hash != genesis.hash:
            return Asked(silence="the ledger was not asked: the project here is on another one")
    except ProjectError as error:
        return Asked(silence=f"the ledger was not asked: {error}")
    ids = {bytes(each.receipt.id) for each in enclosed if each.receipt is not None}
    # What they refer to, too: runs on an earlier plan are runs of the study.
    wanted = [*sorted(ids), *sorted(targets(enclosed) - ids)]
    found: dict[bytes, VerifiedReceipt] = {}
    silence = f"the ledger was asked about the first {MOST_ASKED} entries only" if len(wanted) > MOST_ASKED else ""
    try:
        with BlockingClient(genesis, here.nodes, timeout=timeout) as client:
            for id_ in wanted[:MOST_ASKED]:
                answer = client.references(id_, limit=_MOST_REFERENCES)
                found |= {bytes(later.id): later for later in answer.receipts}
                if answer.more:
                    silence = f"the ledger has more than {_MOST_REFERENCES} entries that refer to {id_.hex()[:16]}…"
                if id_ not in ids and id_ not in found:
                    # Where nobody knows it, it stays an id.
                    with suppress(NotAnchored):
                        found[id_] = client.receipt(id_)
    except NotariumError as error:
        silence = f"the ledger was not asked about all: {error}"
    return Asked(tuple(receipt for id_, receipt in found.items() if id_ not in ids), silence)


def targets(enclosed: Sequence[Enclosed]) -> set[bytes]:
    """The entries that the enclosed ones refer to."""
    return {bytes(ref["entry"]) for each in enclosed for ref in each.body.get("refs", ())}
