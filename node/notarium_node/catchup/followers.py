"""Peers that asked to be sent every decision: observers."""

from __future__ import annotations

from notarium_ledger.types import Height, PublicKey
from notarium_node.peers import wire
from notarium_node.peers.network import PeerNetwork
from notarium_store.store import Store

UNSENT_BYTES = 256 * 1024
"""A follower whose send queue has more than this gets no further decision: its line is thin, and it can also fetch
blocks from another peer. It still hears of new heights, and asks to follow again when it is level."""


class Followers:
    """The connected followers of one node. For each at most UNSENT_BYTES and one block wait."""

    def __init__(self, store: Store, network: PeerNetwork) -> None:
        self._store = store
        self._network = network
        self._peers: dict[PublicKey, None] = {}
        """In the order in which they asked: a set's order differs between processes, and seeds must repeat."""

    def add(self, peer: PublicKey) -> None:
        """FOLLOW: send this peer every decision from now on, as long as its line takes them."""
        self._peers[peer] = None

    def discard(self, peer: PublicKey) -> None:
        """The peer disconnected."""
        self._peers.pop(peer, None)

    def push(self, height: Height) -> None:
        """Send the decision of `height`, which was just stored."""
        self._peers = {peer: None for peer in self._peers if self._network.queue_bytes(peer) <= UNSENT_BYTES}
        data = self._store.decision_bytes(height) if self._peers else None
        if data is not None:
            self._network.broadcast(wire.pack_list(wire.Kind.BLOCKS, [data]), self._peers)
