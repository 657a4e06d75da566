"""Catch-up: asks peers for decided blocks and hands them to the engine one by one.

A peer's claimed height is a hint whom to ask, never believed: each block stands on its own certificate, which the
engine verifies. A peer that claims heights and does not deliver, or delivers what does not verify, is dropped.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from itertools import takewhile

import structlog

from notarium_ledger.block import Decision
from notarium_ledger.errors import LedgerError
from notarium_ledger.types import Height, PublicKey
from notarium_node import wire
from notarium_node.peers import PeerNetwork

_log = structlog.get_logger("notarium.sync")

REQUEST_TIMEOUT_S = 5.0
GRACE_S = 0.25
"""A lag of one block is usually being decided right now: ask only if it lasts."""
PATIENCE = 3
"""Requests in a row that a peer may leave unanswered."""
BAN_S = 10.0
MAX_QUEUE = 2 * wire.MAX_BLOCKS
"""Blocks that wait for the engine; what is pushed on top is asked for later."""


class Sync:
    """At most one request is under way; blocks wait their turn in order of height."""

    def __init__(
        self,
        network: PeerNetwork,
        height: Callable[[], Height],
        offer: Callable[[Decision, PublicKey], None],
        follows: bool,
    ) -> None:
        """`height`: of the stored tip. `offer`: hands the engine the next height's decision. `follows`: observer."""
        self._network = network
        self._height = height
        self._offer = offer
        self._follows = follows
        self._queue: deque[tuple[Decision, PublicKey]] = deque()
        self._asked: PublicKey | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._grace: asyncio.TimerHandle | None = None
        self._upstream: PublicKey | None = None
        self._offered: Height | None = None
        self._told_target = 0
        self._unanswered: Counter[PublicKey] = Counter()
        self._late: set[PublicKey] = set()
        self.claims: dict[PublicKey, Height] = {}
        """What each connected peer said of its height."""

    @property
    def target(self) -> int:
        """The greatest height any connected peer claims."""
        return max(self.claims.values(), default=0)

    @property
    def lag(self) -> int:
        """Blocks that peers claim to have and this node has not."""
        return max(0, self.target - self._height())

    def credible_lag(self, liars: int) -> int:
        """Blocks that this node lacks for certain, if at most `liars` peers claim what is not."""
        claims = sorted(self.claims.values(), reverse=True)
        return max(0, claims[liars] - self._height()) if len(claims) > liars else 0

    def on_connect(self, peer: PublicKey) -> None:
        """A peer is there; an observer without a source takes it."""
        if self._follows and self._upstream is None:
            self._follow(peer)

    def on_disconnect(self, peer: PublicKey) -> None:
        """Forget what it claimed; ask another."""
        self._late.discard(peer)
        del self._unanswered[peer]
        self.claims.pop(peer, None)
        if self._upstream == peer:
            self._upstream = None
            others = [each for each in self.claims if self._network.is_connected(each)]
            if others:
                self._follow(max(others, key=lambda each: self.claims[each]))
        if self._asked == peer:
            self._finish_request()
            self.poke()

    def on_status(self, peer: PublicKey, height: Height) -> None:
        """A peer says how far it is."""
        self.claims[peer] = height
        self.poke()

    def on_blocks(self, peer: PublicKey, items: list[bytes]) -> None:
        """Decisions, as an answer or pushed because we follow. Raises BadMessage for what cannot be read."""
        answered = self._asked == peer
        pushed = self._upstream == peer
        late = peer in self._late
        if not answered and not pushed and not late:
            raise wire.BadMessage("blocks that were not asked for")
        self._late.discard(peer)
        try:
            # All before the first is queued: an unreadable one among them leaves nothing behind that nobody offers.
            decisions = [Decision.decode(item) for item in items]
        except LedgerError as error:
            raise wire.BadMessage(str(error)) from error
        following = self._height() + len(self._queue)
        useful = False
        for decision in decisions:
            self.claims[peer] = max(self.claims.get(peer, Height(0)), decision.height)
            if decision.height == following + 1 and len(self._queue) < MAX_QUEUE:
                self._queue.append((decision, peer))
                following += 1
                useful = True
        if useful:
            del self._unanswered[peer]
        if answered:
            self._finish_request()
            if not useful and self._height() < self.claims.get(peer, 0) and not self._queue:
                self._lied(peer, "did not deliver the blocks it claims to have")
        self.advance()
        self.poke()

    def advance(self) -> None:
        """Offer the next block; called again after each decision."""
        while self._queue and self._queue[0][0].height <= self._height():
            self._queue.popleft()
        if self._queue and self._offered != self._queue[0][0].height:
            decision, peer = self._queue[0]
            self._offered = decision.height
            self._offer(decision, peer)
        elif not self._queue:
            self._offered = None
            if self._told_target and not self.lag:
                _log.info("caught up", height=self._height())
                self._told_target = 0
            self.poke()

    def reject(self, peer: PublicKey) -> None:
        """What this peer delivered did not verify: forget all of it, and what came to follow it; ask another."""
        self._queue = deque(takewhile(lambda item: item[1] != peer, self._queue))
        self._offered = None
        self.claims.pop(peer, None)
        self.advance()

    def poke(self) -> None:
        """Ask for blocks if we lack some and nothing is under way."""
        if self._asked is not None or self._queue:
            return
        lag = self.lag
        if lag == 0:
            return
        if lag == 1:
            if self._grace is None:
                self._grace = asyncio.get_running_loop().call_later(GRACE_S, self._after_grace, self._height())
            return
        self._request()

    def stop(self) -> None:
        """Ask nobody any more."""
        for handle in (self._deadline, self._grace):
            if handle:
                handle.cancel()

    def _after_grace(self, height_then: Height) -> None:
        self._grace = None
        if self._asked is None and not self._queue and self.lag and self._height() == height_then:
            self._request()
        else:
            self.poke()

    def _request(self) -> None:
        height = self._height()
        able = [peer for peer, claim in self.claims.items() if claim > height and self._network.is_connected(peer)]
        if not able:
            return
        # Whoever answered so far, then the upstream, then the one that claims most.
        peer = max(able, key=lambda each: (-self._unanswered[each], each == self._upstream, self.claims[each]))
        if self.target > height + 10 and not self._told_target:
            self._told_target = self.target
            _log.info("catching up", height=height, target=self.target)
        if self._network.send(peer, wire.pack_get_blocks(Height(height + 1), wire.MAX_BLOCKS)):
            self._asked = peer
            self._deadline = asyncio.get_running_loop().call_later(REQUEST_TIMEOUT_S, self._timed_out, peer)

    def _timed_out(self, peer: PublicKey) -> None:
        """Others are asked first from now on. A slow line is no crime, and a late answer is still welcome."""
        if self._asked == peer:
            self._finish_request()
            self._late.add(peer)
            self._unanswered[peer] += 1
            if self._unanswered[peer] >= PATIENCE:
                self._lied(peer, f"did not answer {PATIENCE} requests for blocks in a row")
            self.poke()

    def _finish_request(self) -> None:
        self._asked = None
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None

    def _follow(self, peer: PublicKey) -> None:
        if self._network.send(peer, bytes((wire.Kind.FOLLOW,))):
            self._upstream = peer

    def _lied(self, peer: PublicKey, reason: str) -> None:
        _log.warning("catch-up from another peer", peer=peer.hex()[:16], reason=reason)
        self.claims.pop(peer, None)
        self._network.drop(peer, "catch-up", BAN_S)
