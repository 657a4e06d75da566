"""Thin lines: what one direction of a link carries in a second, and what waits for its turn.

The queue of pieces is the product's own (peers/parcels.py), which reads no clock. Small runs stand for large ones: a
large message weighs `SCALE` times its bytes and is cut into pieces of PIECE_BYTES instead of 32 KiB, so that a block of
128 KiB takes as long on a line of 2 Mbit/s as one of 2 MiB does, and a seed stays cheap.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from tests.simulation.loop import WORLD, SimulatedLoop

from notarium_node.peers import parcels
from notarium_node.peers.link import ORDERED
from notarium_node.peers.parcels import ParcelQueue

SCALE = 16
PIECE_BYTES = parcels.PIECE_BYTES // SCALE
"""Like the sizes of catch-up's answers (world.py)."""
QUEUE_BYTES = 64 * 1024 * 1024
"""Unsent bytes of a direction, weighed; a message that would exceed them is dropped, as PeerLimits has it."""
ROUND_TRIP_S = 0.02
"""From the last piece of a message to its acknowledgement."""

Arrives = Callable[[float], object]
"""Called with the time at which the last byte of a message has left."""


@dataclass(slots=True)
class Direction:
    """One direction of one connection."""

    queue: ParcelQueue = field(default_factory=ParcelQueue)
    waiting: dict[bytes, list[Arrives]] = field(default_factory=dict)
    """By message: what to do when it has left."""
    free_s: float = 0.0
    """When the piece that is being sent has left."""
    is_pumping: bool = False
    sent: int = 0
    """Bytes of large messages that have left, pieces of one included."""


@dataclass(slots=True)
class Lines:
    """All directions; each carries the same."""

    loop: SimulatedLoop
    mbit_per_s: float
    directions: dict[tuple[int, int], Direction] = field(default_factory=dict)
    sent_bytes: int = 0
    """Weighed, over all directions."""
    skipped: int = 0
    """Messages that were not queued again, because they were under way."""
    dropped: int = 0

    @property
    def bytes_per_s(self) -> float:
        """Of one direction."""
        return self.mbit_per_s * 125_000

    def send(self, way: tuple[int, int], data: bytes, slot: Hashable | None, arrives: Arrives) -> None:
        """As Link.send: small messages of the kinds that pass go between the pieces of large ones."""
        direction = self.directions.setdefault(way, Direction())
        queue, now_s = direction.queue, self.loop.now_s
        if len(data) <= PIECE_BYTES and (queue.is_empty or data[0] not in ORDERED):
            direction.free_s = max(now_s, direction.free_s) + len(data) / self.bytes_per_s
            arrives(direction.free_s)
            return
        if queue.bytes * SCALE + len(data) * SCALE > QUEUE_BYTES:
            self.dropped += 1
            return
        placed = queue.put(data, slot, now_s)
        if placed == "under way":
            self.skipped += 1
            return
        direction.waiting.setdefault(data, []).append(arrives)
        if not direction.is_pumping:
            self._pump(way, direction)

    def _pump(self, way: tuple[int, int], direction: Direction) -> None:
        """Send the next piece, and come back when it has left."""
        queue = direction.queue
        following = queue._current or next(iter(queue._first or queue._then), None)
        frame = queue.next_frame()
        direction.is_pumping = frame is not None
        if frame is None or following is None:
            return
        size = (len(frame) - 2) * SCALE
        self.sent_bytes += size
        direction.free_s = max(self.loop.now_s, direction.free_s) + size / self.bytes_per_s
        data = following.data if frame[1] == parcels.LAST else None
        self.loop.schedule(WORLD, direction.free_s, self._left, way, direction, len(frame) - 2, data)

    def _left(self, way: tuple[int, int], direction: Direction, size: int, data: bytes | None) -> None:
        if self.directions.get(way) is not direction:
            return  # the connection broke
        direction.sent += size
        if data is not None:
            acknowledged = parcels._ARRIVED.pack(0xC1, parcels.ARRIVED, direction.sent)
            self.loop.schedule(WORLD, self.loop.now_s + ROUND_TRIP_S, self._acknowledged, way, direction, acknowledged)
            arrivals = direction.waiting[data]
            arrivals.pop(0)(self.loop.now_s)
            if not arrivals:
                del direction.waiting[data]
        self._pump(way, direction)

    def _acknowledged(self, way: tuple[int, int], direction: Direction, frame: bytes) -> None:
        if self.directions.get(way) is direction:
            direction.queue.on_arrived(frame, self.loop.now_s)

    def waiting_bytes(self, way: tuple[int, int]) -> int:
        """Not sent, weighed."""
        direction = self.directions.get(way)
        return 0 if direction is None else direction.queue.bytes * SCALE

    def arrived_bytes(self, way: tuple[int, int]) -> int:
        """Of large messages, on this connection, weighed."""
        direction = self.directions.get(way)
        return 0 if direction is None else direction.sent * SCALE

    def is_arriving(self, way: tuple[int, int]) -> bool:
        """Whether a large message has left in part."""
        direction = self.directions.get(way)
        return direction is not None and direction.queue._current is not None

    def end(self, pair: tuple[int, int]) -> None:
        """A connection broke: what waited for it is gone."""
        for way in (pair, pair[::-1]):
            self.directions.pop(way, None)
