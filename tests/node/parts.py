"""Stand-ins for what surrounds a part of the node in its tests."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable

from notarium_ledger.types import PublicKey


class FakeNetwork:
    """A PeerNetwork whose links are a set and whose wire is a list."""

    def __init__(self, *connected: PublicKey) -> None:
        self.links = set(connected)
        self.sent: list[tuple[PublicKey, bytes]] = []
        self.slots: list[object] = []
        """Of the same messages."""
        self.received: Counter[PublicKey] = Counter()
        self.receiving: set[PublicKey] = set()
        self.dropped: list[tuple[PublicKey, str]] = []
        self.on_disconnect = lambda peer: None

    @property
    def connected(self) -> dict[PublicKey, None]:
        return dict.fromkeys(self.links)

    def is_connected(self, peer: PublicKey) -> bool:
        return peer in self.links

    def send(self, peer: PublicKey, data: bytes, slot: object = None) -> bool:
        if peer not in self.links:
            return False
        self.sent.append((peer, data))
        self.slots.append(slot)
        return True

    def is_receiving(self, peer: PublicKey) -> bool:
        return peer in self.receiving

    def received_bytes(self, peer: PublicKey) -> int:
        return self.received[peer]

    def queue_bytes(self, peer: PublicKey) -> int:
        """All that was sent and not taken yet."""
        return sum(len(data) for key, data in self.sent if key == peer)

    def broadcast(self, data: bytes, to: Iterable[PublicKey], slot: object = None) -> None:
        for peer in to:
            self.send(peer, data, slot)

    def drop(self, peer: PublicKey, reason: str, ban_s: float = 1.0) -> None:
        self.dropped.append((peer, reason))
        if peer in self.links:
            self.links.discard(peer)
            self.on_disconnect(peer)

    def update_nodes(self, nodes: object) -> None:
        """The registry changed; nobody's link here depends on it."""

    def take(self) -> list[tuple[PublicKey, bytes]]:
        """What was sent since the last call."""
        taken, self.sent = self.sent, []
        return taken


async def until(condition: Callable[[], object], timeout_s: float = 60.0) -> None:
    """Wait until `condition()`. Raises TimeoutError."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - what the parts change makes no event
            await asyncio.sleep(0.005)
