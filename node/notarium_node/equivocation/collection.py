"""What this node holds against validators: kept on disk, told to every node, verified before either.

A proof comes from the own engine or from a peer. A peer's is looked at in the order of cost: form, ledger, whether it
is known, the validator set of that height by the own chain, and at last the two signatures. Whoever sends what does not
hold is dropped, for an honest node keeps and passes on nothing that it has not verified.

Bounds. One piece per validator, kind and height is enough. Of one key MOST_PER_KEY are kept and MOST in all, and what
comes later is refused rather than the oldest dropped: one piece convicts, the first may have been cited already, and
a liar could else push out its first lie by a flood of new ones, each with an fsync and a message to all. Since nothing
is ever dropped, an honest peer sends at most MOST pieces, each once a connection, and more is a flood.

Every peer gets all. What its link does not take, because much else waits there, is told when it is looked again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from notarium_ledger.blocks.statements import StatementKind
from notarium_ledger.errors import EquivocationOfLaterVersion, InvalidEquivocation
from notarium_ledger.trust.equivocation import Equivocation
from notarium_ledger.trust.equivocation_file import EquivocationFile
from notarium_ledger.types import Hash, Height, PublicKey
from notarium_node.peers import wire
from notarium_node.peers.network import DropReason, PeerNetwork
from notarium_store.errors import StoreError
from notarium_store.store import Store

_log = structlog.get_logger("notarium.node")

ALARM = "EQUIVOCATION: a validator signed two different things"
"""Operators alert on this line: docs/operations.md, Watch it."""
MOST = 1024
MOST_PER_KEY = 16
EARLY_PER_PEER = 128
"""Of heights not reached here: kept until they are. A new node meets all proofs so; what is more comes with the next
connection."""

Slot = tuple[PublicKey, Height, StatementKind]


@dataclass(frozen=True, slots=True)
class KeptEquivocation:
    """Equivocation as it stands in the list."""

    number: int
    """From 1, in the order in which this node learned of it."""
    id: Hash
    equivocation: Equivocation
    member: str
    """Who ran the accused validator at that height."""


class Equivocations:
    """The equivocation of one node."""

    def __init__(
        self,
        store: Store,
        network: PeerNetwork,
        own_key: PublicKey,
        misbehaved: Callable[[PublicKey, DropReason, str], None],
        of_later_version: Callable[[PublicKey, str], None],
    ) -> None:
        """`misbehaved`: drops a peer; key, reason and the detail. Raises StoreCorruption.

        `of_later_version`: a peer sent what this software does not know yet; key and detail.
        """
        self._store = store
        self._network = network
        self._own_key = own_key
        self._misbehaved = misbehaved
        self._of_later_version = of_later_version
        self._all: list[KeptEquivocation] = []
        self._by_id: dict[Hash, KeptEquivocation] = {}
        self._slots: set[Slot] = set()
        self._per_key: Counter[PublicKey] = Counter()
        self._unsaved: list[tuple[Equivocation, PublicKey | None]] = []
        self._early: dict[PublicKey, dict[bytes, Equivocation]] = {}
        self._heard: Counter[PublicKey] = Counter()
        self._told: dict[PublicKey, int] = {}
        """How many of the list each connected peer has been told, or has told us."""
        self.refused = 0
        """Pieces beyond the bounds, since the start."""
        for number, equivocation in store.equivocations():
            self._reserve(equivocation)
            self._list(number, equivocation)
        if self._all:
            _log.warning("equivocations is on disk", pieces=len(self._all), members=dict(self._count()))

    # What is held

    def __len__(self) -> int:
        return len(self._all)

    def get(self, id_: Hash) -> KeptEquivocation | None:
        """One piece by its id."""
        return self._by_id.get(id_)

    def page(self, after: int, limit: int) -> Sequence[KeptEquivocation]:
        """Up to `limit` pieces with numbers above `after`, ascending."""
        return self._all[after : after + limit]

    def by_member(self) -> Mapping[str, int]:
        """How many pieces accuse each member; every present validator's member is named, also with 0."""
        present = self._store.state.registry.validators.validators
        return {**{each.member: 0 for each in present}, **self._count()}

    def file(self, accusation: KeptEquivocation) -> EquivocationFile | None:
        """The piece with what proves whose key it is, or None while the block before its height is not here."""
        height = accusation.equivocation.height
        validators = self._store.validators_at(height)
        parent = self._store.decided_header(Height(height - 1)) if height > 1 else None
        if validators is None or (height > 1 and parent is None):
            return None
        return EquivocationFile(accusation.equivocation, validators, parent)

    # What comes

    def detect(self, equivocation: Equivocation) -> None:
        """The own engine has seen both messages and verified them."""
        if self._is_news(equivocation):
            self._reserve(equivocation)
            self._keep(equivocation, None)

    def hear(self, peer: PublicKey, items: Sequence[bytes]) -> None:
        """A peer's equivocation; drops the peer at the first piece that does not hold."""
        self._heard[peer] += len(items)
        if self._heard[peer] > MOST:
            self._misbehaved(peer, "flood", f"more than the {MOST} equivocations that a node keeps")
            return
        try:
            for item in items:
                try:
                    equivocation = Equivocation.decode(item)
                except EquivocationOfLaterVersion as error:
                    self._of_later_version(peer, f"equivocation: {error}")
                else:
                    self._judge(peer, equivocation)
        except InvalidEquivocation as error:
            self._misbehaved(peer, "invalid equivocation", str(error))

    def greet(self, peer: PublicKey) -> None:
        """A peer is there: it gets all."""
        self._told[peer] = 0
        self._tell(peer)

    def forget(self, peer: PublicKey) -> None:
        """A peer left. What it told too early it tells again when it comes back."""
        del self._heard[peer]
        self._told.pop(peer, None)
        self._early.pop(peer, None)

    def look_again(self) -> None:
        """Judge what came before its height was reached; keep and tell what could not be. Called now and then."""
        for peer, waiting in list(self._early.items()):
            ripe = [raw for raw, each in waiting.items() if each.height <= self._store.state.height + 1]
            try:
                for raw in ripe:
                    self._judge(peer, waiting.pop(raw))
            except InvalidEquivocation as error:
                self._misbehaved(peer, "invalid equivocation", str(error))
        unsaved, self._unsaved = self._unsaved, []
        for equivocation, source in unsaved:
            self._keep(equivocation, source)
        self._tell_all()

    def _judge(self, peer: PublicKey, equivocation: Equivocation) -> None:
        """Keep what is new and holds. Raises InvalidEquivocation for what no honest node sends."""
        if equivocation.genesis != self._store.genesis.hash:
            raise InvalidEquivocation("is of another ledger", "genesis")
        if not self._is_news(equivocation):
            return
        validators = self._store.validators_at(equivocation.height)
        if validators is None:
            waiting = self._early.setdefault(peer, {})
            if len(waiting) < EARLY_PER_PEER:
                waiting[equivocation.encode()] = equivocation
            return
        if equivocation.validators != validators.hash:
            raise InvalidEquivocation(f"not the set that signs height {equivocation.height}", "validators")
        if equivocation.key not in validators:
            raise InvalidEquivocation(
                f"{equivocation.key.hex()} is not a validator of height {equivocation.height}", "key"
            )
        equivocation.verify()
        self._reserve(equivocation)
        self._keep(equivocation, peer)

    # Keeping

    def _is_news(self, equivocation: Equivocation) -> bool:
        """Whether it is about another fault than those known, and there is room."""
        if _slot(equivocation) in self._slots:
            return False
        if self._per_key[equivocation.key] >= MOST_PER_KEY or len(self._slots) >= MOST:
            self.refused += 1
            return False
        return True

    def _reserve(self, equivocation: Equivocation) -> None:
        self._slots.add(_slot(equivocation))
        self._per_key[equivocation.key] += 1

    def _keep(self, equivocation: Equivocation, source: PublicKey | None) -> None:
        """On disk first, then told: to the operator, and to all peers but the one that told us."""
        number = len(self._all) + 1
        try:
            self._store.put_equivocation(number, equivocation)
        except StoreError as error:
            _log.warning("equivocation waits for the disk", error=str(error))
            self._unsaved.append((equivocation, source))
            return
        accusation = self._list(number, equivocation)
        own = {"own_key": True, "remedy": "make sure that the key is used by one node only"}
        _log.error(
            ALARM,
            member=accusation.member,
            key=equivocation.key.hex(),
            kind=equivocation.kind.name.lower().replace("_", "-"),
            height=equivocation.height,
            round=equivocation.round,
            equivocation=accusation.id.hex(),
            told_by=None if source is None else self._member(source),
            **(own if equivocation.key == self._own_key else {}),
        )
        if source is not None and self._told.get(source) == number - 1:
            self._told[source] = number  # from where it came
        self._tell_all()

    def _tell_all(self) -> None:
        for peer in self._store.state.registry.nodes:
            if peer in self._told:
                self._tell(peer)

    def _tell(self, peer: PublicKey) -> None:
        """What this peer was not told yet, as far as its link takes it."""
        while (told := self._told[peer]) < len(self._all):
            group = self._all[told : told + wire.MAX_EQUIVOCATIONS]
            raws = [each.equivocation.encode() for each in group]
            if not self._network.send(peer, wire.pack_list(wire.Kind.EQUIVOCATIONS, raws)):
                return
            self._told[peer] = told + len(group)

    def _list(self, number: int, equivocation: Equivocation) -> KeptEquivocation:
        validators = self._store.validators_at(equivocation.height)
        member = validators.member_of(equivocation.key) if validators is not None else None
        accusation = KeptEquivocation(number, equivocation.id, equivocation, member or "unknown")
        self._all.append(accusation)
        self._by_id[accusation.id] = accusation
        return accusation

    def _count(self) -> Counter[str]:
        return Counter(each.member for each in self._all)

    def _member(self, key: PublicKey) -> str:
        record = self._store.state.registry.nodes.get(key)
        return record.member if record else "unknown"


def _slot(equivocation: Equivocation) -> Slot:
    return equivocation.key, equivocation.height, equivocation.kind
