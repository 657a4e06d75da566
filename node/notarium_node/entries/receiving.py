"""Entries that peers send as gossip: admitted as a client's are, but nothing is answered.

A peer may lie, so its gossip costs a bounded amount. Each peer has one queue of QUEUE_BYTES, of which one part at a
time is admitted: peers take turns, and a block's check waits for one part of each at most. Each peer has a number of
entries per second (each costs a decoding and at most one signature). What exceeds either bound is discarded and
counted: the peer keeps its entries and proposes them itself.

An honest peer may send entries that are inadmissible here: their key was revoked a moment ago, or enrolled in a block
that this node does not have yet. A stream of them is a violation.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from notarium_ledger.errors import QuotaExceeded
from notarium_ledger.types import PublicKey
from notarium_node.entries.admission import Admission, AdmissionStatus, Outcome
from notarium_node.health.events import NodeEvent
from notarium_node.peers import wire
from notarium_node.peers.conduct import Conduct
from notarium_node.peers.limits import TokenBucket
from notarium_node.peers.network import DropReason
from notarium_node.peers.tasks import PeerTasks
from notarium_store.store import Store

QUEUE_BYTES = 4 * 1024 * 1024
"""Per peer: twice what a validator is sent when it connects (routing/peers.py). One message of more is a violation."""
ENTRY_BYTES = 128
"""What an entry in the queue counts besides its bytes."""
PART_ENTRIES = 512
"""Entries admitted together: about 30 ms of one core."""
PART_BYTES = 1024 * 1024
ENTRIES_PER_S = 10_000
"""Per peer: about half of what one core decodes and verifies."""
ENTRIES_AT_ONCE = 2 * wire.MAX_GOSSIP_ENTRIES
INADMISSIBLE_PER_S = 100
INADMISSIBLE_AT_ONCE = 2 * wire.MAX_GOSSIP_ENTRIES
"""Twice what a peer sends that connects, in case a key that filled its mempool was revoked meanwhile."""


@dataclass(slots=True)
class _Sender:
    """A peer, and what it has sent."""

    allowed: TokenBucket
    inadmissible: TokenBucket
    queue: deque[bytes] = field(default_factory=deque)
    size: int = 0
    is_busy: bool = False


class GossipReceiver:
    """Admits the entries of peers, and drops a peer that sends what no honest node passes on."""

    def __init__(
        self,
        is_validator: Callable[[], bool],
        store: Store,
        admission: Admission,
        *,
        conduct: Conduct,
        tasks: PeerTasks,
        counts: Counter[str],
        is_caught_up: Callable[[], bool],
    ) -> None:
        """`is_validator`: this node's role now. `is_caught_up`: whether its state is recent enough to judge by."""
        self._is_validator = is_validator
        self._store = store
        self._admission = admission
        self._conduct = conduct
        self._tasks = tasks
        self._counts = counts
        self._is_caught_up = is_caught_up
        self._senders: dict[PublicKey, _Sender] = {}
        """Kept when the peer leaves: to come back renews no budget."""

    def hear(self, peer: PublicKey, payload: bytes) -> None:
        """ENTRIES of a peer. Ignored by an observer, and by a node that does not have the whole log: it cannot find out
        which of them are decided.

        What exceeds the bounds is not even unpacked: 16,384 entries take 11 ms. Raises BadMessage.
        """
        if not (self._is_validator() and self._store.is_complete):
            return
        now = asyncio.get_running_loop().time()
        sender = self._senders.get(peer)
        if sender is None:
            sender = self._senders[peer] = _Sender(
                TokenBucket(ENTRIES_PER_S, ENTRIES_AT_ONCE, now),
                TokenBucket(INADMISSIBLE_PER_S, INADMISSIBLE_AT_ONCE, now),
            )
        items = wire.announced_items(payload)
        size = len(payload) + items * ENTRY_BYTES
        if size > QUEUE_BYTES:
            self._drop(peer, "flood", f"{items} entries in {len(payload)} bytes at once: no honest node sends so many")
            return
        if sender.size + size > QUEUE_BYTES or not sender.allowed.take(items, now):
            self._counts[NodeEvent.GOSSIP_DISCARDED] += 1
            return
        raws = wire.unpack_list(payload, wire.MAX_GOSSIP_ENTRIES)
        sender.queue.extend(raws)
        sender.size += sum(map(_weight, raws))
        if not sender.is_busy:
            sender.is_busy = True
            self._tasks.begin(self._admit_all(peer, sender))

    def forget(self, peer: PublicKey) -> None:
        """The peer disconnected: its last entries are discarded. It sends what waits when it returns."""
        sender = self._senders.get(peer)
        if sender is not None:
            sender.queue.clear()
            sender.size = 0

    async def _admit_all(self, peer: PublicKey, sender: _Sender) -> None:
        try:
            while sender.queue:
                outcomes, full = await self._admission.admit_what_fits(_next_part(sender))
                if full is not None:
                    # The peer keeps them and proposes them when its turn comes.
                    self._counts[NodeEvent.GOSSIP_REFUSED_FULL] += 1
                self._judge(peer, sender, outcomes)
        finally:
            sender.is_busy = False

    def _judge(self, peer: PublicKey, sender: _Sender, outcomes: list[Outcome]) -> None:
        # What exceeds a quota was within it where the sender admitted it: a block later, or on the day before.
        refused = [
            each
            for each in outcomes
            if each.status is AdmissionStatus.REFUSED and not isinstance(each.error, QuotaExceeded)
        ]
        bad = next((each for each in refused if each.malicious), None)
        if bad is not None:
            self._drop(peer, "invalid entry", str(bad.error))
        elif refused and self._is_caught_up():
            now = asyncio.get_running_loop().time()
            if not sender.inadmissible.take(len(refused), now):
                self._drop(
                    peer,
                    "flood",
                    f"more than {INADMISSIBLE_AT_ONCE} inadmissible entries and {INADMISSIBLE_PER_S} a second; "
                    f"the last: {refused[-1].error}",
                )

    def _drop(self, peer: PublicKey, reason: DropReason, detail: str) -> None:
        self._conduct.drop(peer, reason, detail)
        self.forget(peer)


def _next_part(sender: _Sender) -> list[bytes]:
    part: list[bytes] = []
    size = 0
    while sender.queue and len(part) < PART_ENTRIES and (not part or size + len(sender.queue[0]) <= PART_BYTES):
        raw = sender.queue.popleft()
        size += len(raw)
        sender.size -= _weight(raw)
        part.append(raw)
    return part


def _weight(raw: bytes) -> int:
    return len(raw) + ENTRY_BYTES
