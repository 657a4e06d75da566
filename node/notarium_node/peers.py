"""The node's peers: who is connected, who dials whom, who is refused.

Of two validators the one with the smaller key dials; observers dial validators. A node that starts knocks once at
those who should dial it, for they may be in the middle of a long back-off: a request that asks to be dialled now.
At most one link per peer: a newer one replaces an older, which may be dead without knowing. All of it runs in one event
loop, and the callbacks are called in it, synchronously.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from types import SimpleNamespace

import aiohttp
import structlog
from aiohttp import web

from notarium_ledger.registry import NodeRecord
from notarium_ledger.types import Hash, PublicKey
from notarium_node.peer_limits import Backoff, PeerLimits, Penalties, TokenBucket
from notarium_node.peer_link import UNLIMITED, DialledSocket, Link, LinkError, PeerInfo
from notarium_node.tls import NodeDirectory, client_context, is_usable, server_context, trust

PATH = "/peer"
KNOCK_PATH = "/knock"
REFUSED_HEADER = "Notarium-Refused"
CLOSE_S = 1.0
"""How long a stopping node waits for its peers' goodbyes."""
BREACH_BAN_S = 1.0
"""First ban for breaking the link's rules; repeated, it doubles."""

_log = structlog.get_logger("notarium.peers")


class DialError(Exception):
    """The address answered, but not as the node that was dialled."""


_DIAL_ERRORS = (OSError, TimeoutError, aiohttp.ClientError, DialError, LinkError)


def dials(own: NodeRecord, other: NodeRecord) -> bool:
    """Whether `own` is the one that opens the connection to `other`."""
    if other.role != "validator" or own.key == other.key:
        return False
    return own.role != "validator" or own.key < other.key


def wall_ms() -> int:
    """This machine's clock, ms since 1970."""
    return time.time_ns() // 1_000_000


class PeerNetwork:
    """Links to all other nodes of the registry, kept up for as long as it runs."""

    def __init__(
        self,
        own: NodeRecord,
        genesis: Hash,
        transport_seed: bytes,
        listen: tuple[str, int],
        nodes: Mapping[PublicKey, NodeRecord],
        *,
        on_message: Callable[[PublicKey, bytes], None],
        on_connect: Callable[[PublicKey], None],
        on_disconnect: Callable[[PublicKey], None],
        limits: PeerLimits | None = None,
        wall_ms: Callable[[], int] = wall_ms,
    ) -> None:
        """`listen`: host and port (0 for a free one). Raises CertificateError if seed and `own` do not fit."""
        self._own = own
        self._genesis = genesis
        self._listen = listen
        self._nodes = dict(nodes)
        self._on_message = on_message
        self._on_connect = on_connect
        self._on_disconnect = on_disconnect
        self._limits = limits or PeerLimits()
        self._wall_ms = wall_ms
        certificates = [record.certificate for record in self._nodes.values()]
        self._server_context = server_context(own.certificate, transport_seed, certificates)
        self._client_context = client_context(own.certificate, transport_seed, certificates)
        self._directory = NodeDirectory(self._nodes)
        self._links: dict[PublicKey, Link] = {}
        self._dialers: dict[PublicKey, asyncio.Task[None]] = {}
        self._awake: dict[PublicKey, asyncio.Event] = {}
        """Set when a peer that we dial knocks."""
        self._knocks: set[asyncio.Task[None]] = set()
        self._pending: dict[asyncio.Task[None], None] = {}
        self._admitted: dict[asyncio.BaseProtocol, asyncio.Future[None]] = {}
        self._penalties = Penalties(self._limits.max_ban_s)
        self._arrivals: dict[PublicKey, TokenBucket] = {}
        self._listener: socket.socket | None = None
        self._acceptor: asyncio.Task[None] | None = None
        self.counters: Counter[str] = Counter()
        """Totals for metrics: connected, disconnected, replaced, dial_failed, send_dropped, handshake_failed and
        evicted (handshakes that made room for newer ones)."""
        self.dropped: Counter[str] = Counter()
        """Peers dropped for misbehaviour, by reason."""
        self.refused: Counter[str] = Counter()
        """Connections refused, by reason."""

    # Life

    async def start(self) -> None:
        """Listen and begin to dial. Raises OSError if the address cannot be bound."""
        self._http = web.Server(self._handle, access_log=None, lingering_time=0)
        self._session = self._make_session()
        try:
            self._listener = await _bind(*self._listen)
        except OSError:
            await self._session.close()
            raise
        self._acceptor = self._begin(self._accept(self._listener), "accepting peers")
        self._redial()
        for record in self._nodes.values():
            if dials(record, self._own):
                knock = self._begin(self._knock(record), f"knocking at {record.member}")
                self._knocks.add(knock)
                knock.add_done_callback(self._knocks.discard)

    async def stop(self) -> None:
        """Close every link politely, then everything else. Idempotent."""
        if self._acceptor is None:
            return
        tasks = [self._acceptor, *self._pending, *self._dialers.values(), *self._knocks]
        self._acceptor = None
        links = list(self._links.values())
        for link in links:
            self._forget(link, "this node stops")
        closing = [asyncio.create_task(link.close()) for link in links]
        if closing:
            await asyncio.wait(closing, timeout=CLOSE_S)
        for link in links:
            link.abort()
        for task in (*tasks, *closing):
            task.cancel()
        await asyncio.gather(*tasks, *closing, return_exceptions=True)
        self._dialers.clear()
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        await self._http.shutdown(CLOSE_S)
        await self._session.close()

    @property
    def port(self) -> int:
        """The port listened on. Only between start and stop."""
        if self._listener is None:
            raise RuntimeError("not listening: call start first")
        return int(self._listener.getsockname()[1])

    def update_nodes(self, nodes: Mapping[PublicKey, NodeRecord]) -> None:
        """The registry changed: trust newcomers, part with those who left, dial again whoever moved."""
        before, self._nodes = self._nodes, dict(nodes)
        self._own = self._nodes.get(self._own.key, self._own)
        self._directory = NodeDirectory(self._nodes)
        known = {record.certificate for record in before.values()}
        added = [record.certificate for record in self._nodes.values() if record.certificate not in known]
        trust(self._server_context, added)
        trust(self._client_context, added)
        for key, record in before.items():
            now = self._nodes.get(key)
            if now is None:
                self._penalties.forget(key)
                self._arrivals.pop(key, None)
            if now is None or (now.certificate, now.address, now.role) != (
                record.certificate,
                record.address,
                record.role,
            ):
                self._part(key, "its node record changed")
                if key in self._dialers:
                    self._dialers.pop(key).cancel()
        for record in self._nodes.values():
            if record.certificate in added and not is_usable(record.certificate):
                _log.warning("a node's certificate is unusable, it cannot connect", **self._naming(record.key))
        if self._acceptor is not None:
            self._redial()

    # Messages

    def send(self, peer: PublicKey, data: bytes) -> bool:
        """Send one message to `peer`. Never waits; False (and counted) if it is not connected or its queue is full."""
        link = self._links.get(peer)
        if link is not None and link.send(data):
            return True
        self.counters["send_dropped"] += 1
        return False

    def broadcast(self, data: bytes, to: Iterable[PublicKey]) -> None:
        """Send one message to each of `to`; this node itself is left out."""
        for peer in to:
            if peer != self._own.key:
                self.send(peer, data)

    # Peers

    @property
    def connected(self) -> Mapping[PublicKey, PeerInfo]:
        """Who is connected now: a snapshot with figures."""
        return {key: link.info() for key, link in self._links.items()}

    def is_connected(self, peer: PublicKey) -> bool:
        """Whether `peer` has a live link; cheaper than `connected`."""
        return peer in self._links

    def queue_bytes(self, peer: PublicKey) -> int:
        """What is queued for `peer`; bulk senders (catch-up) wait while this is large."""
        link = self._links.get(peer)
        return 0 if link is None else link.queue_bytes

    def clock_offsets(self) -> list[int]:
        """Each compared peer's clock minus ours, ms."""
        offsets = (link.clock_offset_ms for link in self._links.values())
        return [offset for offset in offsets if offset is not None]

    def drop(self, peer: PublicKey, reason: str, ban_s: float = BREACH_BAN_S) -> None:
        """`peer` misbehaved: close its link and refuse it for `ban_s` seconds, doubled with each strike, bounded.

        `reason` is one of a few words, for it becomes a label of the counters. Calls on_disconnect before it returns.
        """
        seconds = self._penalties.strike(peer, ban_s, asyncio.get_running_loop().time())
        self.dropped[reason] += 1
        _log.warning("peer dropped", **self._naming(peer), reason=reason, refused_for_s=round(seconds, 1))
        self._part(peer, f"dropped: {reason}")

    @staticmethod
    def _begin(work: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
        """A task whose failure, which only a defect can cause, is heard."""

        def done(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (error := task.exception()):
                _log.critical("a peer task failed", task=name, exc_info=error)

        task = asyncio.create_task(work, name=name)
        task.add_done_callback(done)
        return task

    # Dialling

    def _redial(self) -> None:
        """Bring the dialling tasks in line with the registry."""
        wanted = {key: record for key, record in self._nodes.items() if dials(self._own, record)}
        for key in [key for key in self._dialers if key not in wanted]:
            self._dialers.pop(key).cancel()
        for key, record in wanted.items():
            if key not in self._dialers:
                self._dialers[key] = self._begin(self._dial(record), f"dialling {record.member}")

    async def _dial(self, record: NodeRecord) -> None:
        """Keep a link to `record` until cancelled."""
        loop = asyncio.get_running_loop()
        backoff = Backoff(self._limits.backoff_first_s, self._limits.backoff_last_s)
        awake = self._awake.setdefault(record.key, asyncio.Event())
        told = ""
        while True:
            try:
                link = await self._connect(record)
            except _DIAL_ERRORS as error:
                self.counters["dial_failed"] += 1
                reason = _explain(error)
                # Once per reason: a peer that is down for a week is one line.
                if reason != told:
                    _log.warning("cannot reach peer", **self._naming(record.key), address=record.address, reason=reason)
                    told = reason
            else:
                told = ""
                awake.clear()
                await self._serve(link)
                if loop.time() - link.opened_at >= self._limits.stable_s:
                    backoff.reset()
            with suppress(TimeoutError):
                async with asyncio.timeout(max(backoff.next_s(), self._penalties.remaining_s(record.key, loop.time()))):
                    await awake.wait()
            awake.clear()

    async def _knock(self, record: NodeRecord) -> None:
        """Tell a node that should dial us that we are there."""
        try:
            async with (
                asyncio.timeout(self._limits.handshake_s),
                self._session.get(
                    f"https://{record.address}{KNOCK_PATH}", ssl=self._client_context, allow_redirects=False
                ) as response,
            ):
                response.release()
        except _DIAL_ERRORS as error:
            # It is down. When it comes up, it dials.
            _log.debug("knocked in vain", **self._naming(record.key), reason=_explain(error))

    async def _connect(self, record: NodeRecord) -> Link:
        """Dial `record` and greet it."""
        async with asyncio.timeout(self._limits.handshake_s):
            dialled: aiohttp.ClientWebSocketResponse = await self._session.ws_connect(
                f"https://{record.address}{PATH}",
                ssl=self._client_context,
                autoping=False,
                heartbeat=self._limits.heartbeat_s,
                max_msg_size=self._limits.max_message_bytes,
                timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_S),
            )
            if not isinstance(dialled, DialledSocket):
                raise TypeError("the session makes other sockets than DialledSocket")
            transport = dialled.transport
            try:
                found = self._directory.identify(transport.get_extra_info("ssl_object"))
                if found is None or found.key != record.key:
                    raise DialError(f"another node answers there: {found.member if found else 'unknown'}")
                link = Link(record, dialled, transport, self._limits, self._wall_ms)
                await link.greet(self._genesis)
            except BaseException:
                transport.abort()
                raise
            return link

    def _make_session(self) -> aiohttp.ClientSession:
        async def no_redirects(*_: object) -> None:
            raise DialError("it answers with a redirect, which no node does")

        tracing = aiohttp.TraceConfig(trace_config_ctx_factory=SimpleNamespace)
        tracing.on_request_redirect.append(no_redirects)
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, force_close=True, use_dns_cache=False),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_read=None),
            ws_response_class=DialledSocket,
            trace_configs=[tracing],
        )

    # Listening

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(listener)
            except OSError as error:
                # Out of file descriptors, or the connection was gone again: others may still come.
                _log.error("cannot accept a peer connection", error=str(error))
                await asyncio.sleep(self._limits.backoff_first_s)
                continue
            if len(self._pending) >= self._limits.pending_handshakes:
                # Strangers can fill the room, but not keep it: an honest handshake takes milliseconds.
                self.counters["evicted"] += 1
                oldest = next(iter(self._pending))
                del self._pending[oldest]
                oldest.cancel()
            task = asyncio.create_task(self._admit(connection))
            self._pending[task] = None
            task.add_done_callback(lambda done: self._pending.pop(done, None))

    async def _admit(self, connection: socket.socket) -> None:
        """TLS, request and HELLO of an incoming connection, within the time allowed."""
        loop = asyncio.get_running_loop()
        protocol = self._http()
        admitted = self._admitted[protocol] = loop.create_future()
        greeted = False
        try:
            async with asyncio.timeout(self._limits.handshake_s):
                await loop.connect_accepted_socket(
                    lambda: protocol,
                    connection,
                    ssl=self._server_context,
                    ssl_handshake_timeout=self._limits.handshake_s,
                )
                await admitted
            greeted = True
        except (OSError, TimeoutError) as error:
            self.counters["handshake_failed"] += 1
            _log.debug("incoming connection failed", error=_explain(error))
        finally:
            del self._admitted[protocol]
            if not greeted:
                if protocol.transport is not None:
                    protocol.transport.abort()
                connection.close()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """The HTTP side of an incoming connection: upgrade, greet, serve."""
        admitted = self._admitted.get(request.protocol)
        transport = request.transport
        if transport is None or admitted is None:
            raise web.HTTPBadRequest
        record = self._directory.identify(transport.get_extra_info("ssl_object"))
        refusal = self._refusal(record)
        if record is None or refusal:
            self.refused[refusal] += 1
            return _answer(admitted, 403, {REFUSED_HEADER: refusal})
        if request.path == KNOCK_PATH:
            if record.key in self._awake and record.key not in self._links:
                self._awake[record.key].set()
            return _answer(admitted, 204)
        if request.path != PATH:
            return _answer(admitted, 404)
        socket_ = web.WebSocketResponse(
            autoping=False,
            compress=False,
            heartbeat=self._limits.heartbeat_s,
            max_msg_size=self._limits.max_message_bytes,
            timeout=CLOSE_S,
            writer_limit=UNLIMITED,
        )
        await socket_.prepare(request)
        link = Link(record, socket_, transport, self._limits, self._wall_ms)
        try:
            await link.greet(self._genesis)
        except LinkError as error:
            self.refused[error.reason] += 1
            _log.warning("incoming peer refused", **self._naming(record.key), reason=str(error))
            # Politely: the peer must get our HELLO to see for itself.
            await link.close()
            return socket_
        if not admitted.done():
            admitted.set_result(None)
            await self._serve(link)
        return socket_

    def _refusal(self, record: NodeRecord | None) -> str:
        """Why `record` may not connect now, or ""."""
        if record is None or record.key == self._own.key:
            return "not in the registry"
        now = asyncio.get_running_loop().time()
        if self._penalties.remaining_s(record.key, now):
            return "banned for a while"
        # A peer that comes and goes all the time makes work: five at once, then one in two seconds.
        bucket = self._arrivals.setdefault(record.key, TokenBucket(0.5, 5, now))
        return "" if bucket.take(1, now) else "connects too often"

    # Links

    async def _serve(self, link: Link) -> None:
        """Make `link` the peer's one link and deliver its messages until it ends."""
        peer = link.record.key
        if self._nodes.get(peer) != link.record or self._acceptor is None:
            # The registry changed, or the node stopped, while they shook hands.
            link.abort()
            return
        if peer in self._links:
            self.counters["replaced"] += 1
            self._part(peer, "replaced by a newer connection")
        self._links[peer] = link
        self.counters["connected"] += 1
        _log.info("peer connected", **self._naming(peer), address=link.info().address)
        reason = "cancelled"
        try:
            self._on_connect(peer)
            reason = await link.run(lambda data: self._on_message(peer, data))
        except LinkError as error:
            _log.warning("peer broke the rules", **self._naming(peer), reason=str(error))
            if self._links.get(peer) is link:
                self.drop(peer, error.reason)
        except Exception:
            # A defect in this node that one peer's message brought out. The others must not suffer, and nor must
            # this peer be heard again and again with the same message.
            _log.exception("a peer's message could not be handled", **self._naming(peer))
            if self._links.get(peer) is link:
                self.drop(peer, "handler failed")
        finally:
            link.abort()
            self._forget(link, reason)

    def _part(self, peer: PublicKey, reason: str) -> None:
        """End the link with `peer` at once, if there is one."""
        link = self._links.get(peer)
        if link is not None:
            link.abort()
            self._forget(link, reason)

    def _forget(self, link: Link, reason: str) -> None:
        peer = link.record.key
        if self._links.get(peer) is link:
            del self._links[peer]
            self.counters["disconnected"] += 1
            _log.info("peer disconnected", **self._naming(peer), reason=reason)
            self._on_disconnect(peer)

    def _naming(self, peer: PublicKey) -> dict[str, str]:
        record = self._nodes.get(peer)
        return {"member": record.member if record else "unknown", "peer": peer.hex()[:16]}


def _answer(admitted: asyncio.Future[None], status: int, headers: Mapping[str, str] | None = None) -> web.Response:
    """An answer after which the connection ends."""
    if not admitted.done():
        admitted.set_result(None)
    response = web.Response(status=status, headers=headers)
    response.force_close()
    return response


async def _bind(host: str, port: int) -> socket.socket:
    """A listening socket on the first address of `host`; "" means all addresses, IPv6 too where there is IPv6."""
    loop = asyncio.get_running_loop()
    if host in ("", "::") and socket.has_dualstack_ipv6():
        listener = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=128)
    else:
        found = await loop.getaddrinfo(host or "0.0.0.0", port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)  # noqa: S104
        family, _, _, _, address = found[0]
        listener = socket.create_server((str(address[0]), port), family=family, backlog=128)
    listener.setblocking(False)
    return listener


def _explain(error: BaseException) -> str:
    """One line for the log."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, aiohttp.WSServerHandshakeError):
        refusal = error.headers.get(REFUSED_HEADER) if error.headers else None
        return f"it refused us: {refusal or f'HTTP {error.status}'}"
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        return f"its certificate is not in our registry, or ours not in its: {error}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"cannot connect: {error.strerror or error.os_error}"
    return str(error) or type(error).__name__
