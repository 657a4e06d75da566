"""Thin lines: what one direction of a link carries in a second, and what waits for its turn.

Small runs stand for large ones. A message above `BULK` bytes weighs `SCALE` times its bytes, so that a block of
128 KiB takes as long on a line of 2 Mbit/s as one of 2 MiB does, and a seed stays cheap.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

SCALE = 16
BULK = 2_048
"""A message above this is a block, or a bundle of large entries."""
QUEUE_BYTES = 64 * 1024 * 1024
"""Unsent bytes of a direction, weighed; a message that would exceed them is dropped, as PeerLimits has it."""
SLOTS_KEPT = 8


def weight(data: bytes) -> int:
    """The bytes that `data` stands for."""
    return len(data) * SCALE if len(data) > BULK else len(data)


@dataclass(slots=True)
class Direction:
    """One direction of one connection."""

    free_s: float = 0.0
    """When all that waits has left."""
    slots: dict[Hashable, float] = field(default_factory=dict)
    """When the last message of a slot is acknowledged."""


@dataclass(slots=True)
class Lines:
    """All directions; each carries the same, one message after the other."""

    mbit_per_s: float
    directions: dict[tuple[int, int], Direction] = field(default_factory=dict)
    sent_bytes: int = 0
    """Weighed, over all directions."""
    dropped: int = 0

    @property
    def bytes_per_s(self) -> float:
        """Of one direction."""
        return self.mbit_per_s * 125_000

    def leave_s(self, way: tuple[int, int], data: bytes, now_s: float) -> float | None:
        """When the last byte of `data` leaves, or None if the queue is full."""
        direction = self.directions.setdefault(way, Direction())
        start_s, size = max(now_s, direction.free_s), weight(data)
        if (start_s - now_s) * self.bytes_per_s + size > QUEUE_BYTES:
            self.dropped += 1
            return None
        self.sent_bytes += size
        direction.free_s = start_s + size / self.bytes_per_s
        return direction.free_s

    def take_slot(self, way: tuple[int, int], slot: Hashable, acknowledged_s: float) -> None:
        """The last message of `slot` is acknowledged at this time."""
        slots = self.directions.setdefault(way, Direction()).slots
        slots.pop(slot, None)
        slots[slot] = acknowledged_s
        if len(slots) > SLOTS_KEPT:
            del slots[next(iter(slots))]

    def is_on_its_way(self, way: tuple[int, int], slot: Hashable, now_s: float) -> bool:
        """Whether an earlier message of `slot` is not acknowledged yet."""
        direction = self.directions.get(way)
        return direction is not None and direction.slots.get(slot, 0.0) > now_s

    def waiting_bytes(self, way: tuple[int, int], now_s: float) -> int:
        """Unsent, weighed."""
        direction = self.directions.get(way)
        return 0 if direction is None else int(max(0.0, direction.free_s - now_s) * self.bytes_per_s)

    def end(self, pair: tuple[int, int]) -> None:
        """A connection broke: what waited for it is gone."""
        for way in (pair, pair[::-1]):
            self.directions.pop(way, None)
