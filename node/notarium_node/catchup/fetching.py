"""Asking peers for blocks and snapshots: one question at a time a peer, each with a deadline, and whom to ask next.

Answers of a peer come in the order of the questions, so with one question open there is no doubt what is answered.
What a peer says of its height is a hint whom to ask, never believed. A slow peer is asked last, and parted with when it
leaves PATIENCE deadlines unmet; its late answer is welcome all the same. It is asked for fewer blocks at a time, since
over a thin line a large answer would never come whole. A peer that lied is never asked again.
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
"""Deadlines in a row that a peer may leave unmet."""
LESS = 8
"""By so much the number of blocks asked for shrinks after an unmet deadline; it doubles with each answer in time."""
BAN_S = 10.0
UNCLAIMED_KEPT = 2
PACE_BYTES = 64 * 1024
"""Smaller answers say little of how fast a line is, unless more was asked for: nobody may hold us up with crumbs."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """Encoded decisions of consecutive heights, as a peer sent them. Not yet looked at."""

    peer: PublicKey
    items: list[bytes]


@dataclass(slots=True)
class _Question:
    """What a peer was asked; `first`: height of the first block, or offset in a snapshot."""

    peer: PublicKey
    kind: wire.Kind
    """Of the answer."""
    first: int
    most: int
    """Blocks asked for; 1 for a part of a snapshot."""
    asked_s: float
    overdue: bool = False
    timer: asyncio.TimerHandle | None = None
    answer: asyncio.Future[list[bytes] | SnapshotPart | None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    """None: the peer is gone, or has not what it claims."""


class Fetcher:
    """Knows what peers claim and who keeps word."""

    def __init__(self, network: PeerNetwork, on_news: Callable[[], None]) -> None:
        """`on_news`: called when there may be something new to ask for."""
        self._network = network
        self._on_news = on_news
        self._open: dict[PublicKey, _Question] = {}
        self._unclaimed: list[_Question] = []
        """The last questions for blocks of whose answers nobody has made use: they may be wanted after all."""
        self._unmet: Counter[PublicKey] = Counter()
        self._pace: dict[PublicKey, float] = {}
        """Bytes per second of the last answer that was large, or less than what was asked for."""
        self._most: dict[PublicKey, int] = {}
        """Blocks that a slow peer is asked for at a time, also after it was parted with."""
        self._changed = asyncio.Event()
        self.claims: dict[PublicKey, HeightStatus] = {}
        """What each connected peer said last."""
        self._hints: dict[PublicKey, Height] = {}
        """What a peer may have beyond that, as its messages suggest. That it has not is no offence."""
        self.liars: dict[PublicKey, str] = {}
        """Who delivered what is not true, and what it was. Kept until the node is restarted."""

    # What peers say

    def on_status(self, peer: PublicKey, status: HeightStatus) -> None:
        """How far a peer is, by its own words."""
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
        """How far the connected peers are, by their words and by hints, descending."""
        return sorted((self._height(peer) for peer in {**self.claims, **self._hints}), reverse=True)

    def _height(self, peer: PublicKey) -> int:
        status = self.claims.get(peer)
        return max(self._hints.get(peer, 0), 0 if status is None else status.height)

    def on_disconnect(self, peer: PublicKey) -> None:
        """Forget what it claimed, and that it was slow; its answer will not come."""
        self.claims.pop(peer, None)
        self._hints.pop(peer, None)
        del self._unmet[peer]
        question = self._open.pop(peer, None)
        if question is not None:
            self._close(question, None)
        self.wake()

    def on_blocks(self, peer: PublicKey, items: list[bytes], first: int | None) -> bool:
        """Blocks from `first` on. False if they are not what this peer was asked for."""
        question = self._open.get(peer)
        if question is None or question.kind is not wire.Kind.BLOCKS or first not in (None, question.first):
            return False
        if first is None:
            self._take_back(peer)
            self._pace[peer] = 0.0  # An empty answer is no offence after a hint, but it cost time: others come first.
            hinted, status = self._hints.pop(peer, None), self.claims.get(peer)
            if hinted is None or (status is not None and status.holds(question.first)):
                self.disappointed(peer, "did not deliver the blocks it claims to have")
            self.wake()
            return True
        self._answered(question, items, sum(map(len, items)), len(items))
        return True

    def on_snapshot(self, peer: PublicKey, part: SnapshotPart) -> bool:
        """A part of a snapshot. False if it is not what this peer was asked for."""
        question = self._open.get(peer)
        if question is None or question.kind is not wire.Kind.SNAPSHOT or part.offset not in (0, question.first):
            return False
        self._answered(question, part, len(part.data), 1)
        return True

    # Asking

    async def blocks(self, first: int, last: int) -> Fetched:
        """Blocks from `first` on, at most up to `last`, from whoever has them; waits for as long as that takes."""
        most = min(wire.MAX_BLOCKS, last - first + 1)
        asked = [each for each in self._unclaimed if each.first == first and each.peer not in self.liars]
        while True:
            self._changed.clear()
            for question in [each for each in asked if each.answer.done()]:
                asked.remove(question)
                self._unclaimed = [each for each in self._unclaimed if each is not question]
                answer = question.answer.result()
                if isinstance(answer, list):
                    return Fetched(question.peer, answer[:most])
            if all(question.overdue for question in asked):
                peer = self._choose(first)
                if peer is not None:
                    portion = min(most, self._most.get(peer, most))
                    message = wire.pack_get_blocks(Height(first), portion)
                    asked_now = self._ask(peer, message, wire.Kind.BLOCKS, first, portion)
                    if asked_now is not None:
                        asked.append(asked_now)
                        self._unclaimed = [*self._unclaimed, asked_now][-UNCLAIMED_KEPT:]
            await self._changed.wait()

    async def snapshot_part(self, peer: PublicKey, height: Height, offset: int) -> SnapshotPart | None:
        """A part of this peer's snapshot, or None where it does not come in time."""
        if peer in self._open:
            return None
        question = self._ask(peer, wire.pack_get_snapshot(height, offset), wire.Kind.SNAPSHOT, offset, 1)
        if question is None:
            return None
        while not question.answer.done() and not question.overdue:
            self._changed.clear()
            await self._changed.wait()
        answer = question.answer.result() if question.answer.done() else None
        return answer if isinstance(answer, SnapshotPart) else None

    def able(self, height: int) -> list[PublicKey]:
        """Peers that claim the block of `height` and have no question open: the best first."""
        found = [
            peer
            for peer in {**self.claims, **self._hints}
            if self._may_hold(peer, height) and peer not in self._open and self._network.is_connected(peer)
        ]
        # Whoever kept word so far; of these who was never tried, then the fastest, then the one that claims most.
        return sorted(
            found,
            key=lambda each: (-self._unmet[each], self._pace.get(each, math.inf), self._height(each)),
            reverse=True,
        )

    def _may_hold(self, peer: PublicKey, height: int) -> bool:
        status = self.claims.get(peer)
        return height <= self._hints.get(peer, 0) or (status is not None and status.holds(height))

    def kept_word(self, peer: PublicKey) -> None:
        """What it delivered was right."""
        del self._unmet[peer]

    def disappointed(self, peer: PublicKey, reason: str) -> None:
        """`peer` did not deliver: part with it for a while."""
        _log.warning("catch-up from another peer", peer=peer.hex()[:16], reason=reason)
        self._part_with(peer, "catch-up")

    def lied(self, peer: PublicKey, reason: str) -> None:
        """`peer` delivered what is not true: believe nothing of it any more."""
        _log.warning("a peer lied: it is not asked again before a restart", peer=peer.hex()[:16], reason=reason)
        self.liars.setdefault(peer, reason)
        self._part_with(peer, "protocol violation")

    def _part_with(self, peer: PublicKey, reason: DropReason) -> None:
        self.claims.pop(peer, None)
        self._hints.pop(peer, None)
        self._network.drop(peer, reason, BAN_S)
        self.wake()

    async def changed(self) -> None:
        """Wait until a peer says something, comes or goes."""
        self._changed.clear()
        await self._changed.wait()

    def wake(self) -> None:
        """Something changed for those who wait."""
        self._changed.set()
        self._on_news()

    def stop(self) -> None:
        """Wait for no answer."""
        for question in self._open.values():
            if question.timer:
                question.timer.cancel()
        self._open.clear()

    def _choose(self, height: int) -> PublicKey | None:
        return next(iter(self.able(height)), None)

    def _ask(self, peer: PublicKey, message: bytes, kind: wire.Kind, first: int, most: int) -> _Question | None:
        """The question, or None if it could not be asked."""
        if not self._network.send(peer, message):
            return None
        loop = asyncio.get_running_loop()
        question = _Question(peer, kind, first, most, loop.time())
        question.timer = loop.call_later(REQUEST_TIMEOUT_S, self._deadline, question)
        self._open[peer] = question
        return question

    def _deadline(self, question: _Question) -> None:
        """A slow line is no crime, but others are asked first from now on."""
        peer = question.peer
        if not question.overdue and question.kind is wire.Kind.BLOCKS:
            self._most[peer] = max(1, question.most // LESS)
        question.overdue = True
        question.timer = asyncio.get_running_loop().call_later(REQUEST_TIMEOUT_S, self._deadline, question)
        self._unmet[peer] += 1
        if self._unmet[peer] >= PATIENCE:
            self._take_back(peer)
            self.disappointed(peer, f"did not answer within {PATIENCE * REQUEST_TIMEOUT_S:.0f} s")
        self.wake()

    def _answered(self, question: _Question, answer: list[bytes] | SnapshotPart, size: int, count: int) -> None:
        del self._open[question.peer]
        took_s = asyncio.get_running_loop().time() - question.asked_s
        if size >= PACE_BYTES or count < question.most:
            self._pace[question.peer] = size / max(took_s, 1e-3)
        if not question.overdue and question.peer in self._most:
            self._most[question.peer] = min(wire.MAX_BLOCKS, 2 * self._most[question.peer])
        self._close(question, answer)
        self.wake()

    def _take_back(self, peer: PublicKey) -> None:
        question = self._open.pop(peer, None)
        if question is not None:
            self._close(question, None)

    def _close(self, question: _Question, answer: list[bytes] | SnapshotPart | None) -> None:
        if question.timer:
            question.timer.cancel()
        if not question.answer.done():
            question.answer.set_result(answer)
