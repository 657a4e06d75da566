"""Joining by a snapshot: fetched in parts from one peer, verified from genesis by certificates alone, then adopted.

The sender need not be trusted, and no height is configured: at worst a snapshot is old (consensus notes, mistake 18).
A snapshot that does not verify makes its sender a liar. A peer that sends an old one, or none, is not asked again for a
while, whatever it claims: nothing else is fetched during a join, so a liar could otherwise delay this node without end.

A valid snapshot is not enough. A liar may be the only node that has the newest block, and withhold it. A node that
adopted its snapshot would wait for that block without end, and would not cast the votes with which the others decide
it. So a snapshot is adopted only if f+1 validators claim to hold all blocks up to it: one of them is honest.

A node does not adopt a snapshot that is only a little above its own height. Adopting deletes the record of the heights
below, and with it the block that this node's COMMIT has promised to keep. If the snapshot is far above, a quorum has
decided more blocks since, and every validator that votes has all of them.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

import structlog

from notarium_ledger.blocks.validators import ValidatorSet
from notarium_ledger.errors import InvalidSnapshot
from notarium_ledger.state.genesis import Genesis
from notarium_ledger.trust.snapshot import Snapshot
from notarium_ledger.types import Height, PublicKey
from notarium_node.catchup.fetching import Fetcher
from notarium_node.entries.verifier import Verifier
from notarium_node.peers import wire

_log = structlog.get_logger("notarium.sync")

TIP = Height(0)
HELD_S = 5.0
"""How long others may take to report that they hold all blocks up to a snapshot."""
REST_S = 60.0
"""How long a peer is not asked again after its first useless snapshot; doubled each time."""
REST_RATIO = 10
"""The rest is at least this many times as long as the useless fetch took."""
MAX_REST_S = 3600.0


class Joiner:
    """Fetches and adopts snapshots."""

    def __init__(
        self,
        fetcher: Fetcher,
        verifier: Verifier,
        genesis: Genesis,
        *,
        height: Callable[[], int],
        adopt: Callable[[Snapshot], bool],
        slack: int,
    ) -> None:
        """`height`: the height of the tip. `slack`: how many blocks a snapshot may be behind its sender's claim."""
        self._fetcher = fetcher
        self._verifier = verifier
        self._genesis = genesis
        self._height = height
        self._adopt = adopt
        self._slack = slack
        self._useless: Counter[PublicKey] = Counter()
        """How often each peer had no snapshot, or an old one."""
        self._rest_until: dict[PublicKey, float] = {}

    def sources(self, above: int) -> list[PublicKey]:
        """Peers that claim at least the height `above` and may be asked for a snapshot now, the best first."""
        claims, now = self._fetcher.claims, asyncio.get_running_loop().time()
        return [
            peer
            for peer in self._fetcher.able(above)
            if peer in claims and claims[peer].height >= above and self._rest_until.get(peer, 0.0) <= now
        ]

    def _let_rest(self, peer: PublicKey, began: float) -> None:
        """Do not ask `peer` for a while: its answer to the request of `began` was useless."""
        now = asyncio.get_running_loop().time()
        rest_s = max(REST_S, REST_RATIO * (now - began)) * 2 ** min(self._useless[peer], 16)
        self._useless[peer] += 1
        self._rest_until[peer] = now + min(rest_s, MAX_REST_S)

    async def join(self, peer: PublicKey) -> bool:
        """Fetch, verify and adopt the snapshot of `peer`. False: not from this peer, or not now."""
        claimed, before = self._fetcher.claims[peer].height, self._height()
        began = asyncio.get_running_loop().time()
        data = await self._fetch(peer)
        if data is None:
            _log.warning("no snapshot from this peer", peer=peer.hex()[:16])
            self._let_rest(peer, began)
            return False
        try:
            snapshot, validators = await self._verified(data)
        except InvalidSnapshot as error:
            self._fetcher.lied(peer, f"its snapshot is not valid: {error}")
            return False
        self._fetcher.delivered(peer)
        # A snapshot of an honest peer is at most as old as its last status plus the making of a large snapshot, and is
        # far above this node's height.
        if snapshot.height + self._slack < claimed or self._is_near(snapshot, before):
            self._let_rest(peer, began)
        if not await self._is_held(snapshot.height, validators):
            _log.warning("too few validators hold the blocks up to this snapshot", height=snapshot.height)
            self._let_rest(peer, began)
            return False
        if self._is_near(snapshot, self._height()) or not self._adopt(snapshot):
            return False
        _log.info(
            "joined by a snapshot",
            height=snapshot.height,
            bytes=len(data),
            seconds=round(asyncio.get_running_loop().time() - began, 3),
            peer=peer.hex()[:16],
        )
        return True

    def _is_near(self, snapshot: Snapshot, height: int) -> bool:
        """Whether the snapshot is so little above `height` that this node fetches blocks instead."""
        return snapshot.height <= height + self._slack // 2

    async def _fetch(self, peer: PublicKey) -> bytes | None:
        """The encoded snapshot of the tip of `peer`; None if it does not arrive."""
        height, data = TIP, bytearray()
        while True:
            part = await self._fetcher.snapshot_part(peer, height, len(data))
            if part is None or part.size == 0 or (height and part.height != height) or part.offset != len(data):
                return None
            if len(part.data) != min(wire.SNAPSHOT_PART_BYTES, part.size - len(data)):
                return None  # Every part but the last is full: small parts would keep this node busy without end.
            height = part.height
            data += part.data
            if len(data) == part.size:
                return bytes(data)

    async def _is_held(self, height: int, validators: ValidatorSet) -> bool:
        """Whether f+1 of the validators report within HELD_S that they hold every block up to `height`."""

        def holders() -> int:
            claims = self._fetcher.claims
            return sum(each.key in claims and claims[each.key].history >= height for each in validators.validators)

        try:
            async with asyncio.timeout(HELD_S):
                while holders() < validators.honest_minimum:
                    await self._fetcher.changed()
        except TimeoutError:
            return False
        return True

    async def _verified(self, data: bytes) -> tuple[Snapshot, ValidatorSet]:
        """The snapshot, and the validators of the block after it. Raises InvalidSnapshot."""
        found: list[tuple[Snapshot, ValidatorSet]] = []

        def verify() -> None:
            snapshot = Snapshot.decode(data)
            state = snapshot.verify(self._genesis)
            found.append((snapshot, state.registry.validators))

        await self._verifier.run([verify], 1)
        return found[0]
