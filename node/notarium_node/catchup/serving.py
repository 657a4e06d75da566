"""Answering peers that catch up: blocks and snapshots, one question at a time a peer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from notarium_ledger.types import Height, PublicKey
from notarium_node.peers import wire
from notarium_node.peers.network import PeerNetwork
from notarium_node.peers.wire import SnapshotPart
from notarium_store.store import Store

READ_BYTES = 256 * 1024
"""Blocks read for a peer in one turn of the event loop."""
UNREAD_BYTES = 16 * 1024 * 1024
"""A peer for which so much is queued gets no answer: making one costs time, and it does not read what it has."""
SNAPSHOT_FRESH_S = 10.0
LARGE_SNAPSHOT_BYTES = 1024 * 1024
"""A larger one is given to further askers for so long as it is: making it costs time in proportion to the registry."""
SNAPSHOTS_KEPT = 2
"""The one that is given out now, and one that somebody may still be fetching."""


@dataclass(frozen=True, slots=True)
class _Made:
    """A snapshot, encoded."""

    height: Height
    data: bytes
    made_s: float


class CatchUpServer:
    """What a node does for others that are behind."""

    def __init__(
        self,
        store: Store,
        network: PeerNetwork,
        begin: Callable[[Coroutine[Any, Any, None]], None],
        flood: Callable[[PublicKey, str], None],
    ) -> None:
        """`begin`: runs a task. `flood`: called for a peer that asks too much."""
        self._store = store
        self._network = network
        self._begin = begin
        self._flood = flood
        self._serving: set[PublicKey] = set()
        self._snapshots: list[_Made] = []

    def on_disconnect(self, peer: PublicKey) -> None:
        """It may ask anew when it comes back."""
        self._serving.discard(peer)

    def on_get_blocks(self, peer: PublicKey, first: Height, most: int) -> None:
        """GET_BLOCKS."""
        # Asking is cheap and answering is not; an honest node waits for the answer before it asks again.
        if peer in self._serving:
            self._flood(peer, "it asks for blocks before it has the answer to its last question")
            return
        if self._network.queue_bytes(peer) > UNREAD_BYTES:
            return
        self._serving.add(peer)
        self._begin(self._send_blocks(peer, first, most))

    def on_get_snapshot(self, peer: PublicKey, height: Height, offset: int) -> None:
        """GET_SNAPSHOT. Answered at once, a part at a time."""
        if peer in self._serving:
            self._flood(peer, "it asks for a snapshot before it has the answer to its last question")
            return
        if self._network.queue_bytes(peer) > UNREAD_BYTES:
            return
        made = self._snapshot() if height == 0 else self._kept(height)
        if made is None or offset >= len(made.data):
            part = SnapshotPart(height, 0, 0, b"")
        else:
            end = offset + wire.SNAPSHOT_PART_BYTES
            part = SnapshotPart(made.height, len(made.data), offset, made.data[offset:end])
        self._network.send(peer, wire.pack_snapshot(part))

    async def _send_blocks(self, peer: PublicKey, first: Height, most: int) -> None:
        """Answer with blocks up to a size; the asker comes again for more."""
        items: list[bytes] = []
        size = unpaused = 0
        try:
            for height in range(first, first + most):
                data = self._store.decision_bytes(Height(height)) if self._store.has(height) else None
                if data is None:
                    break
                items.append(data)
                size += len(data)
                if size > wire.BLOCKS_BYTES:
                    break
                unpaused += len(data)
                if unpaused > READ_BYTES:
                    unpaused = 0
                    await asyncio.sleep(0)
        finally:
            self._serving.discard(peer)
        self._network.send(peer, wire.pack_list(wire.Kind.BLOCKS, items))

    def _snapshot(self) -> _Made | None:
        now = asyncio.get_running_loop().time()
        if self._snapshots:
            last = self._snapshots[-1]
            is_fresh = now - last.made_s < SNAPSHOT_FRESH_S and len(last.data) > LARGE_SNAPSHOT_BYTES
            if is_fresh or last.height == self._store.state.height:
                return last
        snapshot = self._store.snapshot()
        if snapshot is None:
            return None
        self._snapshots.append(_Made(snapshot.height, snapshot.encode(), now))
        del self._snapshots[:-SNAPSHOTS_KEPT]
        return self._snapshots[-1]

    def _kept(self, height: Height) -> _Made | None:
        return next((each for each in self._snapshots if each.height == height), None)
