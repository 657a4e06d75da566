"""Reporting this node's height, and whether it can vote, to its peers: on a change, and now and then in any case."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from notarium_ledger.types import PublicKey
from notarium_node.health.ability import Ability
from notarium_node.peers import wire
from notarium_node.peers.network import PeerNetwork
from notarium_store.store import Store

REPEAT_S = 5.0
"""An unchanged height is sent again after this time: the last message may have been dropped, and some nodes do not vote
before they have received it."""


class HeightAnnouncer:
    """Sends STATUS."""

    def __init__(self, store: Store, network: PeerNetwork, ability: Callable[[], Ability]) -> None:
        self._store = store
        self._network = network
        self._ability = ability
        self._announced: wire.HeightStatus | None = None
        self._repeat_at = 0.0

    def announce(self) -> None:
        """Send the status to all nodes if it changed or the last one is REPEAT_S old. Called periodically."""
        status, now = self._status(), asyncio.get_running_loop().time()
        if status != self._announced or now >= self._repeat_at:
            self._announced, self._repeat_at = status, now + REPEAT_S
            self._network.broadcast(wire.pack_status(status), list(self._store.state.registry.nodes))

    def send_to(self, peer: PublicKey) -> None:
        """Send the status to one peer."""
        self._network.send(peer, wire.pack_status(self._status()))

    def _status(self) -> wire.HeightStatus:
        state, history = self._store.state, self._store.history.height
        return wire.HeightStatus(state.height, state.tip, history, self._store.base or history, self._ability())
