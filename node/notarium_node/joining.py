"""Joining by a snapshot: fetched in parts from one peer, verified from genesis by certificates alone, then adopted.

Whoever sends it need not be trusted, and no height is configured: at worst a snapshot is old (consensus notes, mistake
18). One that does not verify makes its sender a liar; after one that is old, another peer is asked next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from notarium_ledger.errors import InvalidSnapshot
from notarium_ledger.genesis import Genesis
from notarium_ledger.snapshot import Snapshot
from notarium_ledger.types import Height, PublicKey
from notarium_node.fetching import Fetcher
from notarium_node.verifier import Verifier

_log = structlog.get_logger("notarium.sync")

TIP = Height(0)


class Joiner:
    """Fetches and adopts snapshots."""

    def __init__(
        self,
        fetcher: Fetcher,
        verifier: Verifier,
        genesis: Genesis,
        height: Callable[[], int],
        adopt: Callable[[Snapshot], bool],
        slack: int,
    ) -> None:
        """`height`: of the tip. `slack`: blocks by which a snapshot may be behind what its sender claims."""
        self._fetcher = fetcher
        self._verifier = verifier
        self._genesis = genesis
        self._height = height
        self._adopt = adopt
        self._slack = slack
        self._unable: dict[PublicKey, int] = {}
        """Peers that had no snapshot for us or an old one, and the height that they claimed then."""

    def sources(self, above: int) -> list[PublicKey]:
        """Peers whose snapshot is worth asking for: so far above the present height, the best first."""
        claims = self._fetcher.claims
        return [
            peer
            for peer in self._fetcher.able(above)
            if peer in claims
            and claims[peer].height >= above
            and (peer not in self._unable or claims[peer].height > self._unable[peer] + self._slack)
        ]

    async def join(self, peer: PublicKey) -> bool:
        """Take the snapshot of `peer`. False: not from this one, or not now."""
        claimed = self._fetcher.claims[peer].height
        began = asyncio.get_running_loop().time()
        data = await self._fetch(peer)
        if data is None:
            _log.warning("no snapshot from this peer", peer=peer.hex()[:16])
            self._unable[peer] = claimed
            return False
        try:
            snapshot = await self._verified(data)
        except InvalidSnapshot as error:
            self._fetcher.lied(peer, f"its snapshot is not valid: {error}")
            return False
        self._fetcher.kept_word(peer)
        if snapshot.height + self._slack < claimed:
            self._unable[peer] = claimed
        if snapshot.height <= self._height() or not self._adopt(snapshot):
            return False
        _log.info(
            "joined by a snapshot",
            height=snapshot.height,
            bytes=len(data),
            seconds=round(asyncio.get_running_loop().time() - began, 3),
            peer=peer.hex()[:16],
        )
        return True

    async def _fetch(self, peer: PublicKey) -> bytes | None:
        """The encoded snapshot of the tip of `peer`."""
        height, data = TIP, bytearray()
        while True:
            part = await self._fetcher.snapshot_part(peer, height, len(data))
            if part is None or part.size == 0 or (height and part.height != height) or part.offset != len(data):
                return None
            height = part.height
            data += part.data
            if len(data) == part.size:
                return bytes(data)

    async def _verified(self, data: bytes) -> Snapshot:
        """Raises InvalidSnapshot."""
        found: list[Snapshot] = []

        def verify() -> None:
            snapshot = Snapshot.decode(data)
            snapshot.verify(self._genesis)
            found.append(snapshot)

        await self._verifier.run([verify], 1)
        return found[0]
