"""The listening half of the peer network: from a TCP connection to a link with a known peer.

A client has a bounded time to prove its identity (TLS), request /peer and send HELLO. The number of such handshakes is
bounded; the oldest gives up its place to the newest.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import Mapping
from typing import Literal, Protocol, get_args

import structlog
from aiohttp import web

from notarium_ledger.state.registry import NodeRecord
from notarium_ledger.types import PublicKey
from notarium_node.http.server import HardenedServer
from notarium_node.peers.link import (
    CLOSE_S,
    HelloError,
    HelloFault,
    Link,
    LinkEvent,
    LinkSettings,
    hang_up,
)
from notarium_node.peers.sockets import UNLIMITED, AcceptedSocket
from notarium_node.peers.transports import keep_queues_short

PATH = "/peer"
"""WebSocket upgrade: a link."""
KNOCK_PATH = "/knock"
"""GET: the client asks to be dialled."""
REFUSED_HEADER = "Notarium-Refused"

MAX_LINE_BYTES = 256
MAX_FIELD_BYTES = 512
MAX_HEADERS = 32
"""Of a head of HTTP, in either direction: that of an honest node has ten short fields. aiohttp would keep 1 MB."""

LOG_AGAIN_S = 600.0
"""A refused peer tries again every few seconds; the same reason is logged again after this time."""

DoorRefusal = Literal["not in the registry", "banned for a while", "connects too often"]

_log = structlog.get_logger("notarium.peers")


class Host(Protocol):
    """The peer network behind the door."""

    def identify(self, connection: ssl.SSLObject | None) -> NodeRecord | None:
        """The node at the other end; None if it is not in the registry."""

    def refusal(self, record: NodeRecord | None) -> DoorRefusal | Literal[""]:
        """Why that node is not admitted now, or ""."""

    def on_knock(self, peer: PublicKey) -> None:
        """`peer` asks to be dialled."""

    async def serve(self, link: Link) -> None:
        """Deliver the link's messages until it ends."""


class Door:
    """Listens between `open` and `close`."""

    def __init__(
        self, context: ssl.SSLContext, settings: LinkSettings, host: Host, counters: Counter[LinkEvent]
    ) -> None:
        self._context = context
        self._settings = settings
        self._limits = settings.limits
        self._host = host
        self._counters = counters
        self.refused: Counter[str] = Counter(dict.fromkeys((*get_args(DoorRefusal), *get_args(HelloFault)), 0))
        self._pending: dict[asyncio.Task[None], None] = {}
        self._admitted: dict[asyncio.BaseProtocol, asyncio.Future[None]] = {}
        self._listener: socket.socket | None = None
        self._logged: dict[PublicKey, tuple[str, float]] = {}
        """The last refusal of each peer that was logged, and when."""

    async def open(self, host: str, port: int) -> None:
        """Listen; `accept` admits connections. Raises OSError if the address cannot be bound."""
        self._listener = await _bind(host, port)
        self._http = HardenedServer(
            self._handle,
            access_log=None,
            lingering_time=0,
            max_line_size=MAX_LINE_BYTES,
            max_field_size=MAX_FIELD_BYTES,
            max_headers=MAX_HEADERS,
        )

    @property
    def port(self) -> int:
        """The port listened on."""
        if self._listener is None:
            raise RuntimeError("not listening: call start first")
        return int(self._listener.getsockname()[1])

    async def close(self) -> None:
        """Close the listening socket and every connection."""
        pending = list(self._pending)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        if self._listener is not None:
            self._listener.close()
            self._listener = None
            await self._http.shutdown(CLOSE_S)

    async def accept(self) -> None:
        """Accept connections until cancelled."""
        loop = asyncio.get_running_loop()
        while self._listener is not None:
            try:
                connection, _ = await loop.sock_accept(self._listener)
            except OSError as error:
                # No file descriptors left, or the connection ended at once: others may still come.
                _log.error("cannot accept a peer connection", error=str(error))
                await asyncio.sleep(self._limits.backoff_first_s)
                continue
            if len(self._pending) >= self._limits.pending_handshakes:
                # Strangers can take all places, but cannot keep them: an honest handshake takes milliseconds.
                self._counters["evicted"] += 1
                oldest = next(iter(self._pending))
                del self._pending[oldest]
                oldest.cancel()
            task = asyncio.create_task(self._admit(connection))
            self._pending[task] = None
            task.add_done_callback(lambda done: self._pending.pop(done, None))
            await asyncio.sleep(0)  # While more wait to be accepted, sock_accept gives nobody else a turn.

    async def _admit(self, connection: socket.socket) -> None:
        """TLS, request and HELLO of an incoming connection, within the time limit."""
        loop = asyncio.get_running_loop()
        protocol = self._http()
        admitted = self._admitted[protocol] = loop.create_future()
        greeted = False
        try:
            async with asyncio.timeout(self._limits.handshake_s):
                await loop.connect_accepted_socket(
                    lambda: protocol,
                    connection,
                    ssl=self._context,
                    ssl_handshake_timeout=self._limits.handshake_s,
                )
                await admitted
            greeted = True
        except (OSError, TimeoutError) as error:
            self._counters["handshake_failed"] += 1
            _log.debug("incoming connection failed", error=str(error) or type(error).__name__)
        finally:
            del self._admitted[protocol]
            if not greeted:
                if protocol.transport is not None:
                    hang_up(protocol.transport)
                connection.close()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """The HTTP side of an incoming connection: upgrade, greet, serve."""
        admitted = self._admitted.get(request.protocol)
        transport = request.transport
        if transport is None or admitted is None:
            raise web.HTTPBadRequest
        record = self._host.identify(transport.get_extra_info("ssl_object"))
        refusal = self._host.refusal(record)
        if record is None or refusal:
            self.refused[refusal] += 1
            return _answer(admitted, 403, {REFUSED_HEADER: refusal})
        if request.path == KNOCK_PATH:
            self._host.on_knock(record.key)
            return _answer(admitted, 204)
        if request.path != PATH:
            return _answer(admitted, 404)
        socket_ = AcceptedSocket(
            autoping=False,
            compress=False,
            heartbeat=self._limits.heartbeat_s,
            max_msg_size=self._limits.max_message_bytes,
            timeout=CLOSE_S,
            writer_limit=UNLIMITED,
        )
        await socket_.prepare(request)
        keep_queues_short(transport)
        link = Link(record, socket_, transport, self._settings)
        try:
            await link.greet()
        except HelloError as error:
            self.refused[error.reason] += 1
            self._log_refusal(record, str(error))
            # Politely: the peer must receive this node's HELLO to find out why.
            await link.close()
            return socket_
        self._logged.pop(record.key, None)
        if not admitted.done():
            admitted.set_result(None)
            await self._host.serve(link)
        return socket_

    def _log_refusal(self, record: NodeRecord, reason: str) -> None:
        """Once until the reason changes, the peer is admitted, or some minutes have passed."""
        now = asyncio.get_running_loop().time()
        logged, at = self._logged.get(record.key, ("", now))
        if reason != logged or now - at >= LOG_AGAIN_S:
            self._logged[record.key] = (reason, now)
            _log.warning("incoming peer refused", member=record.member, reason=reason)


def _answer(admitted: asyncio.Future[None], status: int, headers: Mapping[str, str] | None = None) -> web.Response:
    """An answer after which the connection ends."""
    if not admitted.done():
        admitted.set_result(None)
    response = web.Response(status=status, headers=headers)
    response.force_close()
    return response


async def _bind(host: str, port: int) -> socket.socket:
    """A listening socket on the first address of `host`; "" means all addresses, with IPv6 if the machine has it."""
    loop = asyncio.get_running_loop()
    if host in ("", "::") and socket.has_dualstack_ipv6():
        listener = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=128)
    else:
        found = await loop.getaddrinfo(host or "0.0.0.0", port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)  # noqa: S104
        family, _, _, _, address = found[0]
        listener = socket.create_server((str(address[0]), port), family=family, backlog=128)
    listener.setblocking(False)
    return listener
