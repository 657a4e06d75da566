"""The equivocations that this node keeps: verified first, then stored on disk, then sent to every other node.

A proof comes from this node's engine or from a peer. A peer's proof is checked in the order of cost: form, ledger,
whether it is known, the validator set of that height by this node's chain, and the two signatures. A peer that sends an
invalid proof is dropped, because an honest node keeps and sends nothing that it has not verified.

Bounds. One proof per validator, kind and height is enough. A node keeps at most MOST_PER_KEY proofs of one key and at
most MOST in all. Further ones are refused; the oldest is never dropped, because one proof is enough, the first may have
been cited already, and otherwise a liar could push out its first lie by a flood of new ones, each of which costs an
fsync and a message to all. Since no proof is ever dropped, an honest peer sends at most MOST proofs, each once per
connection; more is a flood.

Every peer is sent all proofs. What does not fit into its send queue is sent at the next `retry`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from notarium_ledger.blocks.statements import StatementKind
from notarium_ledger.errors import EquivocationOfLaterVersion, InvalidEquivocation
from notarium_ledger.trust.equivocation import Equivocation
from notarium_ledger.trust.equivocation_file import EquivocationFile
from notarium_ledger.types import Hash, Height, PublicKey
from notarium_node.peers import wire
from notarium_node.peers.conduct import Conduct
from notarium_node.peers.network import PeerNetwork
from notarium_store.errors import StoreError
from notarium_store.store import Store

_log = structlog.get_logger("notarium.node")

ALARM = "EQUIVOCATION: a validator signed two different things"
"""Operators alert on this line (docs/operations.md, "Watch it")."""
MOST = 1024
MOST_PER_KEY = 16
EARLY_PER_PEER = 128
"""Proofs of heights that this node has not reached wait until it has; a new node receives all proofs this way. What
exceeds the bound comes again with the peer's next connection."""

Slot = tuple[PublicKey, Height, StatementKind]


@dataclass(frozen=True, slots=True)
class KeptEquivocation:
    """An equivocation and its place in the list."""

    number: int
    """From 1, in the order in which this node learned of it."""
    id: Hash
    equivocation: Equivocation
    member: str
    """The member that ran the validator at that height."""


class Equivocations:
    """All equivocations that one node keeps."""

    def __init__(self, store: Store, network: PeerNetwork, own_key: PublicKey, conduct: Conduct) -> None:
        """Reads the stored ones. Raises StoreCorruption."""
        self._store = store
        self._network = network
        self._own_key = own_key
        self._conduct = conduct
        self._all: list[KeptEquivocation] = []
        self._by_id: dict[Hash, KeptEquivocation] = {}
        self._slots: set[Slot] = set()
        self._per_key: Counter[PublicKey] = Counter()
        self._unsaved: list[tuple[Equivocation, PublicKey | None]] = []
        self._early: dict[PublicKey, dict[bytes, Equivocation]] = {}
        self._heard: Counter[PublicKey] = Counter()
        self._exchanged: dict[PublicKey, int] = {}
        """How many of the list each connected peer was sent, or has sent itself."""
        self.refused = 0
        """Proofs beyond the bounds, since the start."""
        for number, equivocation in store.equivocations():
            self._reserve(equivocation)
            self._list(number, equivocation)
        if self._all:
            _log.warning("equivocations on disk", count=len(self._all), members=dict(self._count()))

    # What is kept

    def __len__(self) -> int:
        return len(self._all)

    def get(self, id_: Hash) -> KeptEquivocation | None:
        """The equivocation with this id, or None."""
        return self._by_id.get(id_)

    def page(self, after: int, limit: int) -> Sequence[KeptEquivocation]:
        """Up to `limit` equivocations with numbers above `after`, ascending."""
        return self._all[after : after + limit]

    def by_member(self) -> Mapping[str, int]:
        """How many equivocations of each member are kept; the present validators' members are included with 0."""
        present = self._store.state.registry.validators.validators
        return {**{each.member: 0 for each in present}, **self._count()}

    def file(self, kept: KeptEquivocation) -> EquivocationFile | None:
        """The equivocation with the proof of whose key it is, or None while the block before its height is missing."""
        height = kept.equivocation.height
        validators = self._store.validators_at(height)
        parent = self._store.decided_header(Height(height - 1)) if height > 1 else None
        if validators is None or (height > 1 and parent is None):
            return None
        return EquivocationFile(kept.equivocation, validators, parent)

    # What arrives

    def detect(self, equivocation: Equivocation) -> None:
        """This node's engine received both messages and verified them."""
        if self._is_new(equivocation):
            self._reserve(equivocation)
            self._keep(equivocation, None)

    def hear(self, peer: PublicKey, items: Sequence[bytes]) -> None:
        """A peer's equivocations, encoded. Drops the peer at the first invalid one."""
        self._heard[peer] += len(items)
        if self._heard[peer] > MOST:
            self._conduct.drop(peer, "flood", f"it sends more than the {MOST} equivocations that a node keeps")
            return
        try:
            for item in items:
                try:
                    equivocation = Equivocation.decode(item)
                except EquivocationOfLaterVersion as error:
                    self._conduct.note_later_version(peer, f"equivocation: {error}")
                else:
                    self._judge(peer, equivocation)
        except InvalidEquivocation as error:
            self._conduct.drop(peer, "invalid equivocation", str(error))

    def greet(self, peer: PublicKey) -> None:
        """A peer connected: send it all."""
        self._exchanged[peer] = 0
        self._send(peer)

    def forget(self, peer: PublicKey) -> None:
        """A peer disconnected. What it sent too early it sends again when it comes back."""
        del self._heard[peer]
        self._exchanged.pop(peer, None)
        self._early.pop(peer, None)

    def retry(self) -> None:
        """Judge what came before its height was reached, store what the disk refused, send what did not fit.

        Called periodically.
        """
        for peer, waiting in list(self._early.items()):
            reached = [raw for raw, each in waiting.items() if each.height <= self._store.state.height + 1]
            try:
                for raw in reached:
                    self._judge(peer, waiting.pop(raw))
            except InvalidEquivocation as error:
                self._conduct.drop(peer, "invalid equivocation", str(error))
        unsaved, self._unsaved = self._unsaved, []
        for equivocation, source in unsaved:
            self._keep(equivocation, source)
        self._send_to_all()

    def _judge(self, peer: PublicKey, equivocation: Equivocation) -> None:
        """Keep it if it is new and valid. Raises InvalidEquivocation for what no honest node sends."""
        if equivocation.genesis != self._store.genesis.hash:
            raise InvalidEquivocation("is of another ledger", "genesis")
        if not self._is_new(equivocation):
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

    def _is_new(self, equivocation: Equivocation) -> bool:
        """Whether it proves another fault than the known ones, and there is room for it."""
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
        """Store it, then report it to the operator, then send it to all peers except the one that sent it."""
        number = len(self._all) + 1
        try:
            self._store.put_equivocation(number, equivocation)
        except StoreError as error:
            _log.warning("equivocation waits for the disk", error=str(error))
            self._unsaved.append((equivocation, source))
            return
        kept = self._list(number, equivocation)
        own = {"own_key": True, "remedy": "use this key on one node only"}
        _log.error(
            ALARM,
            member=kept.member,
            key=equivocation.key.hex(),
            kind=equivocation.kind.name.lower().replace("_", "-"),
            height=equivocation.height,
            round=equivocation.round,
            equivocation=kept.id.hex(),
            reported_by=None if source is None else self._member(source),
            **(own if equivocation.key == self._own_key else {}),
        )
        if source is not None and self._exchanged.get(source) == number - 1:
            self._exchanged[source] = number  # It came from there.
        self._send_to_all()

    def _send_to_all(self) -> None:
        for peer in self._store.state.registry.nodes:
            if peer in self._exchanged:
                self._send(peer)

    def _send(self, peer: PublicKey) -> None:
        """Send what this peer lacks, as far as it fits into its send queue."""
        while (exchanged := self._exchanged[peer]) < len(self._all):
            group = self._all[exchanged : exchanged + wire.MAX_EQUIVOCATIONS]
            raws = [each.equivocation.encode() for each in group]
            if not self._network.send(peer, wire.pack_list(wire.Kind.EQUIVOCATIONS, raws)):
                return
            self._exchanged[peer] = exchanged + len(group)

    def _list(self, number: int, equivocation: Equivocation) -> KeptEquivocation:
        validators = self._store.validators_at(equivocation.height)
        member = validators.member_of(equivocation.key) if validators is not None else None
        kept = KeptEquivocation(number, equivocation.id, equivocation, member or "unknown")
        self._all.append(kept)
        self._by_id[kept.id] = kept
        return kept

    def _count(self) -> Counter[str]:
        return Counter(each.member for each in self._all)

    def _member(self, key: PublicKey) -> str:
        record = self._store.state.registry.nodes.get(key)
        return record.member if record else "unknown"


def _slot(equivocation: Equivocation) -> Slot:
    return equivocation.key, equivocation.height, equivocation.kind
