"""Peers that asked to be sent every decision: observers."""

from __future__ import annotations

from notarium_ledger.types import Height, PublicKey
from notarium_node.peers import wire
from notarium_node.peers.network import PeerNetwork
from notarium_store.store import Store


class Followers:
    """The connected followers of one node."""

    def __init__(self, store: Store, network: PeerNetwork) -> None:
        self._store = store
        self._network = network
        self._peers: dict[PublicKey, None] = {}
        """In the order in which they asked: that of a set differs from process to process, so seeds would too."""

    def add(self, peer: PublicKey) -> None:
        """FOLLOW: send this peer every decision from now on."""
        self._peers[peer] = None

    def discard(self, peer: PublicKey) -> None:
        """The peer disconnected."""
        self._peers.pop(peer, None)

    def push(self, height: Height) -> None:
        """Send the decision of `height`, which was just stored."""
        if not self._peers:
            return
        data = self._store.decision_bytes(height)
        if data is not None:
            self._network.broadcast(wire.pack_list(wire.Kind.BLOCKS, [data]), self._peers)
