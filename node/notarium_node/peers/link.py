"""One live connection to one peer: framing, greeting, rates, heartbeat and clock comparison.

The wire: WebSocket binary frames over mutual TLS 1.3, no compression, no fragments (sockets.py). The first frame each
way is HELLO, canonical ``[b"notarium-peer/1", genesis hash]``; further items of a later version are ignored. After it
every frame is a message for the node, except frames that begin with 0xC1, the one byte that begins no msgpack value;
they belong to the link:

    C1 01 ‖ u64 t            what is your time? (t: the asker's time, ms since 1970)
    C1 02 ‖ u64 t ‖ u64 t'   at your t my time was t'
    C1 03, C1 04, C1 05      a large message in pieces, and how much of it has arrived (parcels.py)

The close code 4001 says that a newer connection with the same key has taken the place of this one.
"""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from collections.abc import Callable, Coroutine, Hashable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

import aiohttp
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import WebSocketWriter

from notarium_ledger.encoding import canonical
from notarium_ledger.errors import NotCanonical
from notarium_ledger.state.registry import NodeRecord
from notarium_ledger.types import Hash
from notarium_node.peers.limits import BURST_S, PeerLimits, TokenBucket
from notarium_node.peers.parcels import ARRIVED, LAST, MORE, PIECE_BYTES, BadPiece, ParcelAssembly, ParcelQueue, Placed
from notarium_node.peers.sockets import AcceptedSocket, DialledSocket
from notarium_node.peers.transports import protocol_of
from notarium_node.peers.wire import Kind

PROTOCOL = b"notarium-peer/1"
MAX_HELLO_BYTES = 256
_CONTROL = 0xC1
_PROBE = struct.Struct(">BBQ")
_ANSWER = struct.Struct(">BBQQ")
_CLOCK_SAMPLES = 4
_EARLY_PROBE_S = 0.5
"""The interval of probes until there are _CLOCK_SAMPLES: the first answer comes from a busy moment."""
REPLACED = 4001
"""The close code of a link that a newer one replaces."""
CLOSE_S = 1.0
"""How long a polite close may take."""
ORDERED = frozenset((Kind.ENTRIES, Kind.BLOCKS, Kind.EQUIVOCATIONS, Kind.SNAPSHOT))
"""Bulk keeps its order. All other small messages pass it: votes, heights and questions are urgent, and bear any order
(tests/simulation)."""

LinkEvent = Literal[
    "connected",
    "disconnected",
    "replaced",
    "dial_failed",
    "send_dropped",
    "send_skipped",
    "handshake_failed",
    "evicted",
]
"""`evicted`: a handshake that was ended for a newer one. `send_skipped`: a block that was not queued again, because the
peer is still receiving it."""
HelloFault = Literal["no hello", "bad hello", "other protocol", "foreign genesis"]
LinkFault = Literal["text frame", "bad frame", "oversized", "flood"]


class HelloError(Exception):
    """The peer's HELLO is not acceptable. `reason` is for the counters, the message is for the log."""

    def __init__(self, reason: HelloFault, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class LinkError(Exception):
    """The peer broke the rules of the link. `reason` is for the counters, the message is for the log."""

    def __init__(self, reason: LinkFault, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """The settings that all links of a node share."""

    genesis: Hash
    limits: PeerLimits
    wall_ms: Callable[[], int]
    """This machine's clock, ms since 1970."""


@dataclass(frozen=True, slots=True)
class PeerInfo:
    """The figures of a connected peer."""

    member: str
    role: str
    address: str
    """The remote end of its connection."""
    dialed: bool
    """Whether this node opened the connection."""
    since_ms: int
    """When the link was established, ms since 1970."""
    last_message_ms: int
    bytes_in: int
    bytes_out: int
    messages_in: int
    messages_out: int
    queue_bytes: int
    """Accepted by send and not yet on the wire."""
    queue_age_s: float
    """Of the oldest message that is large or waits behind a large one: how long it has waited."""
    clock_offset_ms: int | None
    """The peer's clock minus this node's, as far as it is certain; None until compared."""


class Link:
    """A connection whose other end has proven to be `record`. Belongs to one event loop."""

    def __init__(
        self,
        record: NodeRecord,
        socket: DialledSocket | AcceptedSocket,
        transport: asyncio.Transport,
        settings: LinkSettings,
    ) -> None:
        self.record = record
        self._socket = socket
        self._transport = transport
        self._genesis = settings.genesis
        self._limits = limits = settings.limits
        self._wall_ms = settings.wall_ms
        self._loop = asyncio.get_running_loop()
        now = self._loop.time()
        self.opened_at = now
        self.dialed = isinstance(socket, DialledSocket)
        self._byte_rate = TokenBucket(limits.bytes_per_s, BURST_S * limits.bytes_per_s, now)
        self._message_rate = TokenBucket(limits.messages_per_s, BURST_S * limits.messages_per_s, now)
        self._since_ms = self._last_message_ms = settings.wall_ms()
        self._bytes_in = self._bytes_out = self._messages_in = self._messages_out = 0
        self._probe: tuple[int, float] | None = None
        self._probe_timer: asyncio.TimerHandle | None = None
        self._clock_samples: deque[tuple[float, int]] = deque(maxlen=_CLOCK_SAMPLES)
        self._closed = False
        self._goodbye: asyncio.Event | None = None
        self._arriving = ParcelAssembly(limits.max_message_bytes)
        self._parcels = ParcelQueue(limits.send_queue_bytes)
        self._pump: asyncio.Task[None] | None = None
        """Sends what is in the queue of parcels."""

    async def greet(self) -> None:
        """Exchange HELLO. Raises HelloError if the peer speaks another protocol or serves another ledger."""
        self.send(canonical.encode([PROTOCOL, self._genesis]))
        message = await self._socket.receive()
        if message.type is not aiohttp.WSMsgType.BINARY:
            raise HelloError("no hello", "the connection ended before its HELLO")
        if len(message.data) > MAX_HELLO_BYTES:
            raise HelloError("bad hello", f"its HELLO has {len(message.data)} bytes, at most {MAX_HELLO_BYTES} allowed")
        try:
            hello = canonical.decode(message.data)
        except NotCanonical as error:
            raise HelloError("bad hello", f"its HELLO is {error}") from error
        if not isinstance(hello, list) or len(hello) < 2 or not all(isinstance(each, bytes) for each in hello[:2]):
            raise HelloError("bad hello", "its HELLO is not [protocol, genesis hash, ...]")
        if hello[0] != PROTOCOL:
            raise HelloError(
                "other protocol", f"it speaks {hello[0]!r}, this node {PROTOCOL!r}: upgrade the older node"
            )
        if hello[1] != self._genesis:
            raise HelloError(
                "foreign genesis", f"it serves another ledger: its genesis hash is {bytes(hello[1]).hex()}, "  # type: ignore[arg-type]
                f"this node's is {self._genesis.hex()}; compare both genesis files",
            )  # fmt: skip

    async def run(self, on_message: Callable[[bytes], None]) -> str:
        """Deliver messages until the link ends; returns why it ended. Raises LinkError if the peer broke a rule."""
        self._ask_time()
        receive = self._socket.receive
        now = self._loop.time
        while not self._closed:
            kind, data, _ = await receive()
            if kind is aiohttp.WSMsgType.BINARY:
                size = len(data)
                if not size or data[0] != _CONTROL:
                    self._count_inbound(size, now())
                    on_message(data)
                elif size > 1 and data[1] in (MORE, LAST):
                    message = self._on_piece(data)
                    if message is not None:
                        on_message(message)
                else:
                    self._count_inbound(size, now())
                    self._on_control(data)
            elif kind is aiohttp.WSMsgType.PING:
                # Answered here and not by aiohttp, so that pings are counted and their answers are bounded.
                self._count_inbound(len(data), now())
                if self._has_room(len(data)):
                    # The next receive reports a lost connection.
                    with suppress(ConnectionError):
                        _finish(self._socket.pong(data))
            elif kind is aiohttp.WSMsgType.PONG:
                self._count_inbound(len(data), now())
            elif kind is aiohttp.WSMsgType.TEXT:
                raise LinkError("text frame", "it sent a text frame, only binary frames are messages")
            elif kind is aiohttp.WSMsgType.ERROR:
                return self._on_error(data)
            elif kind is aiohttp.WSMsgType.CLOSE and data == REPLACED:
                return "the peer has a newer connection with this node's key: does a second node use it?"
            else:
                break
        if self._goodbye is not None:
            # The caller of run ends the connection, but only after the close frame was sent.
            await self._goodbye.wait()
        return "closed"

    def send(self, data: bytes, slot: Hashable | None = None) -> Placed:
        """Queue `data` as one message.

        A large message is not queued while the last large one of the same slot is under way to the peer. Never waits.
        On an idle connection the bytes are handed to the kernel before the event loop's next turn.
        """
        if self._closed:
            return "dropped"
        if len(data) <= PIECE_BYTES and self._passes(data):
            placed: Placed = "queued"
            if not self._has_room(len(data)) or not self._write(data):
                return "dropped"
        else:
            placed = self._parcels.put(data, slot, self._loop.time())
            if placed in ("under way", "dropped"):
                return placed
            self._send_pieces()
        self._bytes_out += len(data)
        self._messages_out += 1
        return placed

    @property
    def queue_bytes(self) -> int:
        """Bytes accepted by send and not yet given to the kernel (without what lies below TLS: some 100 KiB)."""
        return self._parcels.bytes + self._transport.get_write_buffer_size()

    @property
    def received_bytes(self) -> int:
        """Bytes of large messages that have arrived, also of one that is not whole yet."""
        return self._arriving.arrived

    @property
    def is_receiving(self) -> bool:
        """Whether a large message has begun to arrive and is not whole yet."""
        return self._arriving.is_under_way

    @property
    def clock_offset_ms(self) -> int | None:
        """The peer's clock minus this node's: what the sample of the shortest round trip proves, of the last few.

        A sample is certain to half its round trip only, since one way may be much slower than the other (a line that a
        block fills). As much is taken off.
        """
        if not self._clock_samples:
            return None
        round_trip_s, offset_ms = min(self._clock_samples)
        proven_ms = max(0, abs(offset_ms) - round(round_trip_s * 500))
        return proven_ms if offset_ms > 0 else -proven_ms

    def info(self) -> PeerInfo:
        """The present figures."""
        peername = self._transport.get_extra_info("peername")
        return PeerInfo(
            member=self.record.member,
            role=self.record.role,
            address=f"{peername[0]}:{peername[1]}" if peername else self.record.address,
            dialed=self.dialed,
            since_ms=self._since_ms,
            last_message_ms=self._last_message_ms,
            bytes_in=self._bytes_in,
            bytes_out=self._bytes_out,
            messages_in=self._messages_in,
            messages_out=self._messages_out,
            queue_bytes=self.queue_bytes,
            queue_age_s=self._parcels.oldest_s(self._loop.time()),
            clock_offset_ms=self.clock_offset_ms,
        )

    def abort(self) -> None:
        """End the link at once; nothing queued is sent, no further message is delivered."""
        self._end()
        hang_up(self._transport)

    async def close(self, code: int = aiohttp.WSCloseCode.GOING_AWAY) -> None:
        """End the link politely: send what is queued (unless REPLACED), a close frame, wait for an answer."""
        while code != REPLACED and (frame := self._parcels.next_frame()) is not None and self._write(frame):
            pass
        self._end()
        self._goodbye = asyncio.Event()
        try:
            await self._socket.close(code=code)
        finally:
            hang_up(self._transport)
            self._goodbye.set()

    def _end(self) -> None:
        self._closed = True
        if self._pump is not None:
            self._pump.cancel()
            self._pump = None
        if self._probe_timer is not None:
            self._probe_timer.cancel()
            self._probe_timer = None

    def _write(self, frame: bytes) -> bool:
        """Give one frame to the connection; False if that is lost, which the receiving side reports."""
        try:
            _finish(self._socket.send_bytes(frame))
        except ConnectionError:
            return False
        return True

    def _send_pieces(self) -> None:
        """Send what is in the queue of parcels: now what the connection takes, the rest as it takes more."""
        if self._pump is not None:
            return
        protocol = protocol_of(self._transport)
        while not protocol.writing_paused:
            frame = self._parcels.next_frame()
            if frame is None or not self._write(frame):
                return
        if not self._parcels.is_empty:
            self._pump = asyncio.create_task(self._send_pieces_later(protocol), name=f"sending to {self.record.member}")

    async def _send_pieces_later(self, protocol: BaseProtocol) -> None:
        # With limit 0 it waits after each frame until the connection takes more.
        writer = WebSocketWriter(protocol, self._transport, use_mask=self.dialed, limit=0)
        # The receiving side reports that the connection is lost.
        with suppress(ConnectionError):
            while (frame := self._parcels.next_frame()) is not None:
                await writer.send_frame(frame, aiohttp.WSMsgType.BINARY)
        self._pump = None

    def _passes(self, data: bytes) -> bool:
        """Whether a small message does not go behind what waits. Bulk goes there as soon as the connection is busy:
        below the queue of parcels it would wait before votes."""
        if not data or data[0] not in ORDERED:
            return True
        return self._parcels.is_empty and not protocol_of(self._transport).writing_paused

    def _has_room(self, size: int) -> bool:
        """Whether a small message fits. What waits in pieces has a room of its own."""
        return self._transport.get_write_buffer_size() + size <= self._limits.send_queue_bytes

    def _count_inbound(self, size: int, now: float, messages: int = 1) -> None:
        self._bytes_in += size
        self._messages_in += messages
        self._last_message_ms = self._wall_ms()
        if not self._message_rate.take(messages, now):
            raise LinkError("flood", f"it sends more than {self._limits.messages_per_s} messages per second")
        if not self._byte_rate.take(size, now):
            raise LinkError("flood", f"it sends more than {self._limits.bytes_per_s} bytes per second")

    def _on_error(self, error: object) -> str:
        if isinstance(error, aiohttp.WebSocketError):
            if error.code == aiohttp.WSCloseCode.MESSAGE_TOO_BIG:
                raise LinkError("oversized", f"its message exceeds {self._limits.max_message_bytes} bytes")
            raise LinkError("bad frame", f"it broke the WebSocket protocol: {error}")
        if isinstance(error, TimeoutError | aiohttp.ServerTimeoutError):
            return "no answer to the heartbeat"
        return f"connection lost: {error}"

    def _ask_time(self) -> None:
        if self._closed:
            return
        now = self._loop.time()
        # A question replaced before its answer would never be answered on a line slower than the early interval.
        if self._probe is None or now - self._probe[1] >= self._limits.clock_probe_s:
            asked_ms = self._wall_ms()
            if self.send(_PROBE.pack(_CONTROL, 1, asked_ms)) == "queued":
                self._probe = (asked_ms, now)
        early = len(self._clock_samples) < _CLOCK_SAMPLES
        delay_s = min(_EARLY_PROBE_S, self._limits.clock_probe_s) if early else self._limits.clock_probe_s
        self._probe_timer = self._loop.call_later(delay_s, self._ask_time)

    def _on_piece(self, frame: bytes) -> bytes | None:
        """A piece of a large message: the message, if it is whole now. It counts as one, whatever its pieces."""
        self._count_inbound(len(frame), self._loop.time(), 1 if frame[1] == LAST else 0)
        try:
            message = self._arriving.take(frame)
        except BadPiece as error:
            raise LinkError("oversized" if error.is_oversized else "bad frame", str(error)) from error
        acknowledgement = self._arriving.acknowledgement()
        if acknowledgement is not None:
            self.send(acknowledgement)
        return message

    def _on_control(self, data: bytes) -> None:
        if len(data) == _PROBE.size and data[1] == 1:
            _, _, asked_ms = _PROBE.unpack(data)
            self.send(_ANSWER.pack(_CONTROL, 2, asked_ms, self._wall_ms()))
        elif len(data) == _ANSWER.size and data[1] == 2:
            _, _, asked_ms, peer_ms = _ANSWER.unpack(data)
            # An answer to no open question could be made up, to distort this node's view of time.
            if self._probe is not None and self._probe[0] == asked_ms:
                round_trip_s = self._loop.time() - self._probe[1]
                self._probe = None
                offset_ms = round(peer_ms - asked_ms - round_trip_s * 500)
                self._clock_samples.append((round_trip_s, offset_ms))
        elif len(data) > 1 and data[1] == ARRIVED:
            try:
                self._parcels.on_arrived(data, self._loop.time())
            except BadPiece as error:
                raise LinkError("bad frame", str(error)) from error
        else:
            raise LinkError("bad frame", "it sent an unknown link frame")


def _finish(step: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that does not suspend (aiohttp's send with UNLIMITED writers) without a task."""
    try:
        step.send(None)
    except StopIteration:
        return
    step.close()
    raise RuntimeError("a WebSocket send waited, although its writer is unlimited")


def hang_up(transport: asyncio.WriteTransport) -> None:
    """Abort `transport`, in whichever state it is.

    The TLS transport of asyncio in Python 3.11.2 (Debian 12) loses its protocol when it is closed twice, and then
    fails to abort. It is being shut down already in that case.
    """
    try:
        transport.abort()
    except AttributeError:
        if not transport.is_closing():
            raise
