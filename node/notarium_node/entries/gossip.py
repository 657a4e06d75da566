"""Sends fresh entries to the other validators: at once when idle, those of some milliseconds together under load."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator

from notarium_ledger.entries.entry import Entry
from notarium_ledger.types import PublicKey
from notarium_node.entries.turns import entries_in_turn
from notarium_node.peers import wire
from notarium_node.peers.network import PeerNetwork

MESSAGE_BYTES = 1024 * 1024
UNSENT_BYTES = 64 * 1024
"""Entries are not sent again to a validator whose send queue has more than this. The queue may hold them already, or a
block, which makes a block due at that validator as well."""
CONGESTED_BYTES = 4 * 1024 * 1024
"""A validator whose send queue has more than this gets no fresh entries either, so that no entry stands in it behind
thousands of one author's. It gets them in a proposal, or when they are sent again."""
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
        self._waiting: list[Entry] = []
        self._next_flush = 0.0

    def add(self, entries: Iterable[Entry]) -> None:
        """Send these soon."""
        if not self._waiting:
            self._flush_later()
        self._waiting.extend(entries)

    def _flush_later(self) -> None:
        loop = asyncio.get_running_loop()
        loop.call_at(max(self._next_flush, loop.time()), self._flush)

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
        raws = self._next_message()
        self._next_flush = asyncio.get_running_loop().time() + INTERVAL_S
        peers = [peer for peer in self._validators() if self._network.queue_bytes(peer) < CONGESTED_BYTES]
        for message in _messages(raws):
            self._network.broadcast(message, peers)
        if self._waiting:
            self._flush_later()

    def _next_message(self) -> list[bytes]:
        """All that waits; where it is more than one message, what one holds if members and keys take turns."""
        raws = [entry.raw for entry in self._waiting]
        if len(raws) > wire.MAX_GOSSIP_ENTRIES or sum(map(len, raws)) > MESSAGE_BYTES:
            self._waiting = list(entries_in_turn(self._waiting))
            raws = next(_parts([entry.raw for entry in self._waiting]))
        del self._waiting[: len(raws)]
        return raws


def _messages(raws: list[bytes]) -> Iterable[bytes]:
    return (wire.pack_list(wire.Kind.ENTRIES, part) for part in _parts(raws))


def _parts(raws: list[bytes]) -> Iterator[list[bytes]]:
    """What one message holds, each."""
    start, size = 0, 0
    for position, raw in enumerate(raws):
        if position > start and (size + len(raw) > MESSAGE_BYTES or position - start >= wire.MAX_GOSSIP_ENTRIES):
            yield raws[start:position]
            start, size = position, 0
        size += len(raw)
    if start < len(raws):
        yield raws[start:]
