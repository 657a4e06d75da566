"""Sends fresh entries to the other validators: at once when idle, those of some milliseconds together under load."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from notarium_ledger.entries.entry import Entry
from notarium_ledger.types import PublicKey
from notarium_node.peers import wire
from notarium_node.peers.network import PeerNetwork

MESSAGE_BYTES = 1024 * 1024
UNSENT_BYTES = 64 * 1024
"""Entries are not sent again to a validator whose send queue has more than this. The queue may hold them already, or a
block, which makes a block due at that validator as well."""
INTERVAL_S = 0.008
"""Between two messages to all: each costs every validator a turn of its event loop, whatever its size."""


class Gossip:
    """Only the node to which an entry was submitted sends it on: validators are fully meshed.

    What is lost is sent again: a validator that connects gets what waits (routing/peers.py), and all get the oldest in
    each new round (driving/driver.py).
    """

    def __init__(self, network: PeerNetwork, validators: Callable[[], Iterable[PublicKey]]) -> None:
        self._network = network
        self._validators = validators
        self._waiting: list[bytes] = []
        self._next_flush = 0.0

    def add(self, entries: Iterable[Entry]) -> None:
        """Send these soon."""
        if not self._waiting:
            loop = asyncio.get_running_loop()
            loop.call_at(max(self._next_flush, loop.time()), self._flush)
        self._waiting.extend(entry.raw for entry in entries)

    def send_all(self, peer: PublicKey, entries: Iterable[Entry]) -> None:
        """Send a peer that connected the waiting `entries`."""
        for message in _messages([entry.raw for entry in entries]):
            self._network.send(peer, message)

    def again(self, entries: Iterable[Entry]) -> None:
        """A block is due here, but maybe not at validators that lack these."""
        peers = [peer for peer in self._validators() if self._network.queue_bytes(peer) < UNSENT_BYTES]
        for message in _messages([entry.raw for entry in entries]):
            self._network.broadcast(message, peers)

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        self._next_flush = asyncio.get_running_loop().time() + INTERVAL_S
        validators = list(self._validators())
        for message in _messages(waiting):
            self._network.broadcast(message, validators)


def _messages(raws: list[bytes]) -> Iterable[bytes]:
    start, size = 0, 0
    for position, raw in enumerate(raws):
        if position > start and (size + len(raw) > MESSAGE_BYTES or position - start >= wire.MAX_GOSSIP_ENTRIES):
            yield wire.pack_list(wire.Kind.ENTRIES, raws[start:position])
            start, size = position, 0
        size += len(raw)
    if start < len(raws):
        yield wire.pack_list(wire.Kind.ENTRIES, raws[start:])
