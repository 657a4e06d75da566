"""Asks the nodes what other entries say about a verified one: those that it refers to, and those that refer to it.

Every answer is proven. A node that cannot be reached is asked once for all the paths of a command: the verdict on the
files stands without it, and says that it was not asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from notarium.errors import NotAnchored, NotariumError
from notarium.ledger_access.answers import VerifiedReceipt
from notarium.ledger_access.blocking import BlockingClient
from notarium.ledger_access.found import Found
from notarium.verifying.result import Verification
from notarium.verifying.surroundings import Surroundings, at_hand, later_entries
from notarium_ledger.entries.commitment import referred_entries

MOST_ASKING_S = 3.0
"""So long one question may take: what is verified on the disk stands without an answer."""
MOST_OWN = 1000
"""Later entries of the author's own institution that are fetched: all of them, in practice."""
MOST_OTHERS = 100
"""Of anybody. Strangers may write as many as they like, so they must not hide what the author says."""


@dataclass(slots=True)
class Asking:
    """Asks for one command. Without a client it has the entries at hand only."""

    client: BlockingClient | None = None
    nodes: tuple[str, ...] = ()
    why_not: str = ""
    """Why no node is asked, or no longer."""
    _known: dict[bytes, VerifiedReceipt | None] = field(default_factory=dict)
    _about: dict[bytes, list[VerifiedReceipt]] = field(default_factory=dict)
    """Id -> those at hand that refer to it."""
    _found: dict[bytes, Found] = field(default_factory=dict)
    """Id -> what the nodes have of those that refer to it."""

    def ask(self, results: Iterable[Verification]) -> list[Verification]:
        """The results with what other entries say; each of them may speak about the others."""
        results = list(results)
        for receipt in {bytes(each.receipt.id): each.receipt for each in results if each.receipt is not None}.values():
            self._known[bytes(receipt.id)] = receipt
            for id_ in referred_entries(receipt.body):
                self._about.setdefault(id_, []).append(receipt)
        return [replace(each, around=self._around(each.receipt)) if each.receipt else each for each in results]

    def references(self, receipt: VerifiedReceipt) -> Sequence[VerifiedReceipt]:
        """All entries that refer to it, by whatever relation; those at hand where no node is asked."""
        about = self._about.get(bytes(receipt.id), [])
        if self.client is None or self.why_not:
            return about
        try:
            return [*about, *self._later(self.client, receipt).receipts]
        except NotariumError as error:
            self.why_not = f"no node could be asked: {error}"
            return about

    def _around(self, receipt: VerifiedReceipt) -> Surroundings:
        about = self._about.get(bytes(receipt.id), [])
        referred = [found for id_ in referred_entries(receipt.body) if (found := self._known.get(id_)) is not None]
        known = replace(at_hand(receipt, [*about, *referred]), why_not=self.why_not)
        if self.client is None or self.why_not:
            return known
        try:
            later = self._later(self.client, receipt)
            asked = {id_: self._receipt(self.client, id_) for id_ in referred_entries(receipt.body)}
        except NotariumError as error:
            self.why_not = f"no node could be asked: {error}"
            return replace(known, why_not=self.why_not)
        return Surroundings(asked, later_entries(receipt, [*about, *later.receipts]), self.nodes, more=later.more)

    def _later(self, client: BlockingClient, receipt: VerifiedReceipt) -> Found:
        """Entries that refer to it: anybody's, and where there are too many, those of the author's institution first.

        Raises NotariumError.
        """
        id_ = bytes(receipt.id)
        if id_ not in self._found:
            found = client.references(id_, limit=MOST_OTHERS)
            issuer = str(receipt.body.get("issuer", ""))
            if found.more and issuer:
                own = client.references(id_, issuer=issuer, limit=MOST_OWN)
                found = Found((*own.receipts, *found.receipts), found.next)
            self._found[id_] = found
        return self._found[id_]

    def _receipt(self, client: BlockingClient, id_: bytes) -> VerifiedReceipt | None:
        """The entry of that id; None where no node that answered knows it. Raises NotariumError."""
        if id_ not in self._known:
            try:
                self._known[id_] = client.receipt(id_)
            except NotAnchored:
                self._known[id_] = None
        return self._known[id_]
