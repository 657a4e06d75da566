"""Requests to peers for blocks and snapshots: one at a time per peer, each with a deadline, and the choice of the peer.

A peer answers in the order of the requests, so with one open request it is clear which one an answer belongs to. The
height that a peer claims is a hint whom to ask and is never believed. A slow peer is asked last; its late answer is
still accepted. A peer from which nothing large arrives is disconnected after PATIENCE missed deadlines in a row. A slow
one is asked for fewer blocks at a time, because over a slow line a large answer would never arrive whole. A deadline is
not missed while the answer arrives: one block may have 16 MiB, which takes more than a minute at 2 Mbit/s. A peer that
lied is never asked again.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from notarium_ledger.types import Height, PublicKey
from notarium_node.peers import wire
from notarium_node.peers.network import DropReason, PeerNetwork
from notarium_node.peers.wire import HeightStatus, SnapshotPart

_log = structlog.get_logger("notarium.sync")

REQUEST_TIMEOUT_S = 5.0
PATIENCE = 3
"""Missed deadlines in a row after which a peer is disconnected."""
LESS = 8
"""A missed deadline divides the number of blocks asked for by this; each answer in time doubles it."""
ARRIVING_BYTES = 128 * 1024
"""An answer is arriving if so much has come between two deadlines: 0.2 Mbit/s."""
ALONE_S = 60.0
"""After so long another peer is asked as well, although the answer still arrives: a liar could send it so slowly."""
BAN_S = 10.0
UNCLAIMED_KEPT = 2
PACE_BYTES = 64 * 1024
"""A smaller answer shows the speed of a line only if more was asked for: a peer that answers with very little must not
pass for a fast one."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """Encoded decisions of consecutive heights, as a peer sent them. Not checked yet."""

    peer: PublicKey
    items: list[bytes]


@dataclass(slots=True)
class _Request:
    """What a peer was asked for. `first`: the height of the first block, or the offset in a snapshot."""

    peer: PublicKey
    kind: wire.Kind
    """The kind of the answer."""
    first: int
    most: int
    """Blocks asked for; 1 for a part of a snapshot."""
    asked_s: float
    received: int
    """Bytes of large messages that had come from the peer by the last deadline."""
    is_claimed: bool
    """When it was asked, it had claimed to hold the first block. A claim that comes later proves nothing about the
    answer: claims pass large messages, and an empty answer waits behind them."""
    slow: bool = False
    """The answer was not here at the first deadline."""
    overdue: bool = False
    """Others may be asked for the same."""
    timer: asyncio.TimerHandle | None = None
    answer: asyncio.Future[list[bytes] | SnapshotPart | None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    """None: the peer disconnected, or does not have what it claims."""


class Fetcher:
    """Knows what each peer claims, and whether it delivers."""

    def __init__(self, network: PeerNetwork, on_news: Callable[[], None]) -> None:
        """`on_news`: called when there may be something new to request."""
        self._network = network
        self._on_news = on_news
        self._open: dict[PublicKey, _Request] = {}
        self._unclaimed: list[_Request] = []
        """The last requests for blocks whose answers were not used: they may still be needed."""
        self._missed: Counter[PublicKey] = Counter()
        self._pace: dict[PublicKey, float] = {}
        """Bytes per second of the last answer that was large or incomplete."""
        self._most: dict[PublicKey, int] = {}
        """Blocks that a slow peer is asked for at a time; kept when it disconnects."""
        self._changed = asyncio.Event()
        self.claims: dict[PublicKey, HeightStatus] = {}
        """The last status of each connected peer."""
        self._hints: dict[PublicKey, Height] = {}
        """What a peer may have beyond that, as its other messages suggest. Not having it is no offence."""
        self.liars: dict[PublicKey, str] = {}
        """Peers that delivered something false, and what it was. Kept until the node is restarted."""

    # What peers claim

    def on_status(self, peer: PublicKey, status: HeightStatus) -> None:
        """How far a peer is, as it claims."""
        if peer not in self.liars:
            self.claims[peer] = status
            self.wake()

    def on_hint(self, peer: PublicKey, height: Height) -> None:
        """A peer seems to have the block of `height`."""
        if peer not in self.liars and height > self._height(peer):
            self._hints[peer] = height
            self.wake()

    @property
    def heights(self) -> list[int]:
        """How far the connected peers are, by claims and hints, descending."""
        return sorted((self._height(peer) for peer in {**self.claims, **self._hints}), reverse=True)

    def _height(self, peer: PublicKey) -> int:
        status = self.claims.get(peer)
        return max(self._hints.get(peer, 0), 0 if status is None else status.height)

    def on_disconnect(self, peer: PublicKey) -> None:
        """Forget what the peer claimed and that it was slow; its answer will not come."""
        self.claims.pop(peer, None)
        self._hints.pop(peer, None)
        del self._missed[peer]
        request = self._open.pop(peer, None)
        if request is not None:
            self._close(request, None)
        self.wake()

    def on_blocks(self, peer: PublicKey, items: list[bytes], first: int | None) -> bool:
        """An answer with blocks from `first` on (None: no blocks). False if this peer was not asked for them."""
        request = self._open.get(peer)
        if request is None or request.kind is not wire.Kind.BLOCKS or first not in (None, request.first):
            return False
        if first is None:
            self._withdraw(peer)
            # An empty answer is no offence after a mere hint, but it cost time: others are asked first.
            self._pace[peer] = 0.0
            self._hints.pop(peer, None)
            if request.is_claimed:
                self.failed_to_deliver(peer, "did not deliver the blocks it claims to have")
            self.wake()
            return True
        self._answered(request, items, sum(map(len, items)), len(items))
        return True

    def on_snapshot(self, peer: PublicKey, part: SnapshotPart) -> bool:
        """A part of a snapshot. False if this peer was not asked for it."""
        request = self._open.get(peer)
        if request is None or request.kind is not wire.Kind.SNAPSHOT or part.offset not in (0, request.first):
            return False
        self._answered(request, part, len(part.data), 1)
        return True

    # Requests

    async def blocks(self, first: int, last: int) -> Fetched:
        """Blocks from `first` on, at most up to `last`, from any peer that has them. Waits without limit."""
        most = min(wire.MAX_BLOCKS, last - first + 1)
        asked = [each for each in self._unclaimed if each.first == first and each.peer not in self.liars]
        while True:
            self._changed.clear()
            for request in [each for each in asked if each.answer.done()]:
                asked.remove(request)
                self._unclaimed = [each for each in self._unclaimed if each is not request]
                answer = request.answer.result()
                if isinstance(answer, list):
                    return Fetched(request.peer, answer[:most])
            if all(request.overdue for request in asked):
                peer = self._choose(first)
                if peer is not None:
                    portion = min(most, self._most.get(peer, most))
                    message = wire.pack_get_blocks(Height(first), portion)
                    sent = self._ask(peer, message, wire.Kind.BLOCKS, first, portion)
                    if sent is not None:
                        asked.append(sent)
                        self._unclaimed = [*self._unclaimed, sent][-UNCLAIMED_KEPT:]
            await self._changed.wait()

    async def snapshot_part(self, peer: PublicKey, height: Height, offset: int) -> SnapshotPart | None:
        """A part of this peer's snapshot, or None if it does not come in time."""
        if peer in self._open:
            return None
        request = self._ask(peer, wire.pack_get_snapshot(height, offset), wire.Kind.SNAPSHOT, offset, 1)
        if request is None:
            return None
        while not request.answer.done() and not request.overdue:
            self._changed.clear()
            await self._changed.wait()
        answer = request.answer.result() if request.answer.done() else None
        return answer if isinstance(answer, SnapshotPart) else None

    def able(self, height: int) -> list[PublicKey]:
        """Peers that claim the block of `height` and have no open request, the best first."""
        found = [
            peer
            for peer in {**self.claims, **self._hints}
            if self._may_hold(peer, height) and peer not in self._open and self._network.is_connected(peer)
        ]
        # First the peers that missed no deadline; of these the untried ones, then the fastest, then the highest claims.
        return sorted(
            found,
            key=lambda each: (-self._missed[each], self._pace.get(each, math.inf), self._height(each)),
            reverse=True,
        )

    def _may_hold(self, peer: PublicKey, height: int) -> bool:
        status = self.claims.get(peer)
        return height <= self._hints.get(peer, 0) or (status is not None and status.holds(height))

    def delivered(self, peer: PublicKey) -> None:
        """What `peer` delivered was valid."""
        del self._missed[peer]

    def failed_to_deliver(self, peer: PublicKey, reason: str) -> None:
        """`peer` did not deliver: disconnect it for a while."""
        _log.warning("catching up from another peer", peer=peer.hex()[:16], reason=reason)
        self._disconnect(peer, "catch-up")

    def lied(self, peer: PublicKey, reason: str) -> None:
        """`peer` delivered something false: ignore all that it sends from now on."""
        _log.warning("peer lied, not asked again before a restart", peer=peer.hex()[:16], reason=reason)
        self.liars.setdefault(peer, reason)
        self._disconnect(peer, "protocol violation")

    def _disconnect(self, peer: PublicKey, reason: DropReason) -> None:
        self.claims.pop(peer, None)
        self._hints.pop(peer, None)
        self._network.drop(peer, reason, BAN_S)
        self.wake()

    async def changed(self) -> None:
        """Wait until a peer sends something, connects or disconnects."""
        self._changed.clear()
        await self._changed.wait()

    def wake(self) -> None:
        """Wake all that wait for a change."""
        self._changed.set()
        self._on_news()

    def stop(self) -> None:
        """Expect no more answers."""
        for request in self._open.values():
            if request.timer:
                request.timer.cancel()
        self._open.clear()

    def _choose(self, height: int) -> PublicKey | None:
        return next(iter(self.able(height)), None)

    def _ask(self, peer: PublicKey, message: bytes, kind: wire.Kind, first: int, most: int) -> _Request | None:
        """The open request, or None if it could not be sent."""
        if not self._network.send(peer, message):
            return None
        loop = asyncio.get_running_loop()
        status = self.claims.get(peer)
        is_claimed = status is not None and status.holds(first)
        request = _Request(peer, kind, first, most, loop.time(), self._network.received_bytes(peer), is_claimed)
        request.timer = loop.call_later(REQUEST_TIMEOUT_S, self._deadline, request)
        self._open[peer] = request
        return request

    def _deadline(self, request: _Request) -> None:
        """The answer is not here. A slow line is no offence, but others are asked first from now on."""
        peer, loop = request.peer, asyncio.get_running_loop()
        if not request.slow and request.kind is wire.Kind.BLOCKS:
            self._most[peer] = max(1, request.most // LESS)
        request.slow = True
        request.timer = loop.call_later(REQUEST_TIMEOUT_S, self._deadline, request)
        received = self._network.received_bytes(peer)
        arrived, request.received = received - request.received, received
        if arrived >= ARRIVING_BYTES:
            self._pace[peer] = arrived / REQUEST_TIMEOUT_S
            if not request.overdue and loop.time() - request.asked_s >= ALONE_S:
                request.overdue = True
                self.wake()
            return
        request.overdue = True
        if arrived:
            # Too slow to wait for, but no reason to end the connection: over a line that many share, this is honest.
            self.wake()
            return
        self._missed[peer] += 1
        if self._missed[peer] >= PATIENCE:
            self._withdraw(peer)
            self.failed_to_deliver(peer, f"did not answer within {PATIENCE * REQUEST_TIMEOUT_S:.0f} s")
        self.wake()

    def _answered(self, request: _Request, answer: list[bytes] | SnapshotPart, size: int, count: int) -> None:
        del self._open[request.peer]
        took_s = asyncio.get_running_loop().time() - request.asked_s
        if size >= PACE_BYTES or count < request.most:
            self._pace[request.peer] = size / max(took_s, 1e-3)
        if not request.slow and request.peer in self._most:
            self._most[request.peer] = min(wire.MAX_BLOCKS, 2 * self._most[request.peer])
        self._close(request, answer)
        self.wake()

    def _withdraw(self, peer: PublicKey) -> None:
        request = self._open.pop(peer, None)
        if request is not None:
            self._close(request, None)

    def _close(self, request: _Request, answer: list[bytes] | SnapshotPart | None) -> None:
        if request.timer:
            request.timer.cancel()
        if not request.answer.done():
            request.answer.set_result(answer)
