"""Answering peers that catch up: blocks and snapshots, one request at a time per peer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog

from notarium_ledger.state.chain_state import ChainState
from notarium_ledger.state.registry import Registry
from notarium_ledger.trust.chain import DecidedHeader
from notarium_ledger.trust.snapshot import Snapshot, is_within_bounds
from notarium_ledger.types import Height, PublicKey
from notarium_node.peers import wire
from notarium_node.peers.conduct import Conduct
from notarium_node.peers.network import PeerNetwork
from notarium_node.peers.tasks import PeerTasks
from notarium_node.peers.wire import SnapshotPart
from notarium_store.store import Store

_log = structlog.get_logger("notarium.sync")

READ_BYTES = 256 * 1024
"""Bytes of blocks read for a peer in one turn of the event loop."""
UNREAD_BYTES = 16 * 1024 * 1024
"""A peer with more than this in its send queue gets no answer: it does not read what it was sent already."""
LARGE_SNAPSHOT_BYTES = 128 * 1024
SNAPSHOT_FRESH_S = 10.0
"""A snapshot larger than LARGE_SNAPSHOT_BYTES is served this long before a new one is made: the cost of making one
grows with the registry."""
INLINE_KEYS = 3_000
"""The snapshot of a registry with more keys than that is made in a thread: of 500,000 keys it takes seconds."""
SNAPSHOTS_KEPT = 3
"""Those asked for last: over a thin line a peer fetches one for minutes, while others ask for newer ones."""


@dataclass(frozen=True, slots=True)
class _Made:
    """An encoded snapshot."""

    height: Height
    data: bytes
    made_s: float


class CatchUpServer:
    """Serves the stored blocks and snapshots of one node."""

    def __init__(self, store: Store, network: PeerNetwork, tasks: PeerTasks, conduct: Conduct) -> None:
        self._store = store
        self._network = network
        self._tasks = tasks
        self._conduct = conduct
        self._serving: set[PublicKey] = set()
        self._snapshots: list[_Made] = []
        """The one asked for last is the last."""
        self._making: asyncio.Future[bytes] | None = None
        """In a thread; all that ask meanwhile wait for it."""

    def on_disconnect(self, peer: PublicKey) -> None:
        """The peer may ask again when it comes back."""
        self._serving.discard(peer)

    def on_get_blocks(self, peer: PublicKey, first: Height, most: int) -> None:
        """GET_BLOCKS."""
        if self._may_ask(peer, "blocks"):
            self._serving.add(peer)
            self._tasks.begin(self._send_blocks(peer, first, most))

    def on_get_snapshot(self, peer: PublicKey, height: Height, offset: int) -> None:
        """GET_SNAPSHOT. Answered with one part: at once, if no large snapshot has to be made first."""
        if not self._may_ask(peer, "a snapshot"):
            return
        if height:
            self._send_part(peer, self._kept(height), height, offset)
        elif (made := self._fresh()) is not None:
            self._send_part(peer, made, height, offset)
        elif (decided := self._store.decided_header(self._store.state.height)) is None:
            self._send_part(peer, None, height, offset)
        elif _keys(self._store.state.registry) <= INLINE_KEYS:
            self._keep(decided.header.height, _encoded(self._store.state, decided))
            self._send_part(peer, self._newest, height, offset)
        else:
            self._serving.add(peer)
            self._tasks.begin(self._send_when_made(peer, self._store.state, decided, offset))

    def _send_part(self, peer: PublicKey, made: _Made | None, height: Height, offset: int) -> None:
        if made is None or offset >= len(made.data):
            part = SnapshotPart(height, 0, 0, b"")
        else:
            end = offset + wire.SNAPSHOT_PART_BYTES
            part = SnapshotPart(made.height, len(made.data), offset, made.data[offset:end])
        self._network.send(peer, wire.pack_snapshot(part))

    async def _send_when_made(self, peer: PublicKey, state: ChainState, decided: DecidedHeader, offset: int) -> None:
        try:
            if self._making is None:
                self._making = asyncio.ensure_future(asyncio.to_thread(_encoded, state, decided))
                try:
                    self._keep(state.height, await asyncio.shield(self._making))
                finally:
                    self._making = None
            else:
                await asyncio.shield(self._making)
        finally:
            self._serving.discard(peer)
        self._send_part(peer, self._newest, Height(0), offset)

    def _may_ask(self, peer: PublicKey, what: str) -> bool:
        """Whether `peer` gets an answer. Asking is cheap and answering is not: an honest node waits for the answer
        before it asks again, and a node that does not is dropped."""
        if peer in self._serving:
            self._conduct.drop(peer, "flood", f"it asks for {what} before it has the answer to its last request")
            return False
        return self._network.queue_bytes(peer) <= UNREAD_BYTES

    async def _send_blocks(self, peer: PublicKey, first: Height, most: int) -> None:
        """Answer with blocks up to a size; the peer asks again for more."""
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

    @property
    def _newest(self) -> _Made | None:
        return max(self._snapshots, key=lambda each: each.height, default=None)

    def _fresh(self) -> _Made | None:
        """A snapshot that is recent enough to be sent to who asks for the newest."""
        last = self._newest
        if last is None:
            return None
        is_fresh = asyncio.get_running_loop().time() - last.made_s < SNAPSHOT_FRESH_S
        is_dear = not last.data or len(last.data) > LARGE_SNAPSHOT_BYTES  # One beyond the bounds is empty.
        if (is_fresh and is_dear) or last.height == self._store.state.height:
            return self._kept(last.height)
        return None

    def _keep(self, height: Height, data: bytes) -> None:
        self._snapshots.append(_Made(height, data, asyncio.get_running_loop().time()))
        del self._snapshots[:-SNAPSHOTS_KEPT]

    def _kept(self, height: Height) -> _Made | None:
        found = next((each for each in self._snapshots if each.height == height), None)
        if found is not None:
            self._snapshots.remove(found)
            self._snapshots.append(found)
        return found


def _encoded(state: ChainState, decided: DecidedHeader) -> bytes:
    """Nothing if readers would take it for a lie: they fetch blocks instead."""
    data = Snapshot.of(state, decided).encode()
    if is_within_bounds(data):
        return data
    _log.warning(
        "no snapshot is served: the validator set has changed too often; joining nodes fetch all blocks",
        handovers=len(decided.handovers),
        bytes=len(data),
    )
    return b""


def _keys(registry: Registry) -> int:
    """At least as many as the registry has, found in no time."""
    return registry.totals.former_keys + sum(each.keys for each in registry.members.values())
