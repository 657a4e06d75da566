"""Large messages on a link, cut into pieces so that votes, pings and answers pass between the pieces.

A WebSocket message cannot be interrupted: on a line of 2 Mbit/s, a vote behind a block of 2 MiB would wait for eight
seconds. And a sender that hears nothing in that time would end the link, because a slow line looks like a dead one.
So a message of more than PIECE_BYTES travels as a parcel, in pieces, and the receiver acknowledges the pieces as they
arrive. That shows the sender that the peer lives and which messages it has. Frames (link.py has the others):

    C1 03 ‖ piece     PIECE_BYTES of a parcel; more follow
    C1 04 ‖ piece     the last 1 to PIECE_BYTES of a parcel
    C1 05 ‖ u64 n     n bytes of parcels have arrived on this connection

Nothing here reads a clock or a socket.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Literal

PIECE_BYTES = 32 * 1024
"""131 ms on a line of 2 Mbit/s: so long a vote waits for the piece before it."""
ACKNOWLEDGE_BYTES = 128 * 1024
"""The receiver acknowledges at least so often, and the end of each parcel."""
MORE, LAST, ARRIVED = 3, 4, 5
MAX_WAITING = 8
"""Parcels with a slot that wait in a queue. Where more come, the line is so thin that the oldest is out of date."""
MAX_SLOTS = 16
"""Slots remembered of messages that were sent whole: a peer that acknowledges nothing must not make more."""
ROOM_BYTES = 64 * 1024 * 1024

_MORE, _LAST = b"\xc1\x03", b"\xc1\x04"
_ARRIVED = struct.Struct(">BBQ")

Placed = Literal["queued", "under way", "displaced", "dropped"]
"""What became of a message: queued; not queued, because its slot is taken; queued in the place of older ones; not
queued, because there is no room."""


class BadPiece(Exception):
    """The peer's frame is not one that an honest peer sends. `is_oversized`: its parcel is longer than a message."""

    def __init__(self, message: str, is_oversized: bool = False) -> None:
        super().__init__(message)
        self.is_oversized = is_oversized


@dataclass(slots=True)
class _Slot:
    """What is known of the last message of a slot."""

    queued_s: float
    end: int | None = None
    """The count of bytes sent, at its last piece; None: not sent whole yet."""
    free_s: float | None = None
    """From then on another message of this slot may be sent; None: this one has not arrived yet."""


@dataclass(slots=True)
class _Parcel:
    data: bytes
    slot: _Slot | None
    queued_s: float
    sent: int = 0


class ParcelQueue:
    """The parcels that wait for one line, and what the peer has of those that were sent."""

    def __init__(self, room_bytes: int = ROOM_BYTES) -> None:
        """`room_bytes`: for consensus, and as much again for catch-up and gossip, so that neither crowds out the
        other."""
        self._room_bytes = room_bytes
        self._current: _Parcel | None = None
        self._first: deque[_Parcel] = deque()
        """Consensus, which goes before catch-up and gossip."""
        self._then: deque[_Parcel] = deque()
        self._slots: dict[Hashable, _Slot] = {}
        self._sent = self._arrived = 0
        self.bytes = 0
        """Not yet taken by next_frame."""
        self._first_bytes = 0
        """Of these, consensus."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return self.bytes == 0

    def oldest_s(self, now_s: float) -> float:
        """How long the oldest parcel that is not sent whole has waited; 0 if nothing waits."""
        heads = (self._current, *(queue[0] for queue in (self._first, self._then) if queue))
        return max((now_s - each.queued_s for each in heads if each is not None), default=0.0)

    def put(self, data: bytes, slot: Hashable | None, now_s: float) -> Placed:
        """Queue one message of at least one byte.

        A message with a slot is queued only after the last one of the same slot has arrived, and after as long a pause
        as that one took: what fills a line is not sent again at once.
        """
        if slot is None:
            if self.bytes - self._first_bytes + len(data) > self._room_bytes:
                return "dropped"
            self._then.append(_Parcel(data, None, now_s))
            self.bytes += len(data)
            return "queued"
        last = self._slots.get(slot)
        if last is not None and (last.free_s is None or now_s < last.free_s):
            return "under way"
        waiting = sum(len(each.data) for each in self._first)
        if self._first_bytes - waiting + len(data) > self._room_bytes:
            return "dropped"
        displaced = False
        while self._first and (len(self._first) == MAX_WAITING or self._first_bytes + len(data) > self._room_bytes):
            self._displace()
            displaced = True
        self._slots.pop(slot, None)
        entry = self._slots[slot] = _Slot(now_s)
        self._first.append(_Parcel(data, entry, now_s))
        self._first_bytes += len(data)
        self.bytes += len(data)
        # Acknowledged or not: what is forgotten here is long out of date, and is not sent again.
        for key in [key for key, each in self._slots.items() if each.end is not None][:-MAX_SLOTS]:
            del self._slots[key]
        return "displaced" if displaced else "queued"

    def _displace(self) -> None:
        """The oldest message with a slot gives way to a newer one."""
        oldest = self._first.popleft()
        self._first_bytes -= len(oldest.data)
        self.bytes -= len(oldest.data)
        self._slots = {key: each for key, each in self._slots.items() if each is not oldest.slot}

    def next_frame(self) -> bytes | None:
        """The next piece to send, with its head; None if nothing waits."""
        parcel = self._current
        if parcel is None:
            if not (queue := self._first or self._then):
                return None
            parcel = self._current = queue.popleft()
        piece = memoryview(parcel.data)[parcel.sent : parcel.sent + PIECE_BYTES]
        parcel.sent += len(piece)
        self._sent += len(piece)
        self.bytes -= len(piece)
        if parcel.slot is not None:
            self._first_bytes -= len(piece)
        if parcel.sent < len(parcel.data):
            return b"".join((_MORE, piece))
        self._current = None
        if parcel.slot is not None:
            parcel.slot.end = self._sent
        return b"".join((_LAST, piece))

    def on_arrived(self, frame: bytes, now_s: float) -> None:
        """The peer acknowledges. Raises BadPiece."""
        if len(frame) != _ARRIVED.size:
            raise BadPiece("it sent an unknown link frame")
        arrived = _ARRIVED.unpack(frame)[2]
        if not self._arrived < arrived <= self._sent:
            raise BadPiece(f"it acknowledges {arrived} bytes after {self._arrived}, {self._sent} were sent")
        self._arrived = arrived
        for slot in self._slots.values():
            if slot.free_s is None and slot.end is not None and slot.end <= arrived:
                slot.free_s = now_s + (now_s - slot.queued_s)


class ParcelAssembly:
    """The pieces of the parcel that is arriving."""

    def __init__(self, max_bytes: int) -> None:
        """`max_bytes`: the longest message."""
        self._max_bytes = max_bytes
        self._pieces: list[bytes] = []
        self._size = 0
        self._acknowledged = 0
        self.arrived = 0
        """Bytes of parcels since the link began."""

    def take(self, frame: bytes) -> bytes | None:
        """A frame C1 03 or C1 04: the message, if it is whole now. Raises BadPiece."""
        size, is_last = len(frame) - 2, frame[1] == LAST
        if not 1 <= size <= PIECE_BYTES or (size < PIECE_BYTES and not is_last):
            raise BadPiece(f"it sent a piece of {size} bytes, {PIECE_BYTES} expected")
        if self._size + size > self._max_bytes:
            raise BadPiece(f"its message exceeds {self._max_bytes} bytes", is_oversized=True)
        self.arrived += size
        self._size += size
        self._pieces.append(frame)
        if not is_last:
            return None
        message = b"".join([memoryview(piece)[2:] for piece in self._pieces])
        self._pieces.clear()
        self._size = 0
        return message

    @property
    def is_under_way(self) -> bool:
        """Whether a parcel has begun to arrive and is not whole yet."""
        return bool(self._pieces)

    def acknowledgement(self) -> bytes | None:
        """What to send back now, if anything. Call it after `take`."""
        owed = self.arrived - self._acknowledged
        if not owed or (self._pieces and owed < ACKNOWLEDGE_BYTES):
            return None
        self._acknowledged = self.arrived
        return _ARRIVED.pack(0xC1, ARRIVED, self.arrived)
