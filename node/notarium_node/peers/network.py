"""The node's peers: who is connected, who dials whom, who is refused.

Of two validators the one with the smaller key dials; observers dial validators. A node that starts sends each node that
should dial it a request to dial now ("knock"), because that node may be in a long back-off. There is at most one link
per peer: a newer one replaces an older one, which may be dead without notice. Everything runs in one event loop, and
the callbacks are called in it, synchronously.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Hashable, Iterable, Mapping
from contextlib import suppress
from typing import Literal, get_args

import structlog

from notarium_ledger.state.registry import NodeRecord
from notarium_ledger.types import Hash, PublicKey
from notarium_node.identity.tls import NodeDirectory, client_context, is_usable, server_context, trust
from notarium_node.peers.dialer import DIAL_ERRORS, Dialer, explain
from notarium_node.peers.door import Door, DoorRefusal
from notarium_node.peers.limits import Backoff, PeerLimits, Penalties, TokenBucket
from notarium_node.peers.link import CLOSE_S, REPLACED, Link, LinkError, LinkEvent, LinkFault, LinkSettings, PeerInfo

BREACH_BAN_S = 1.0
"""The first ban for breaking a rule; each further one doubles it."""

DropReason = Literal[
    LinkFault,
    "garbage",
    "protocol violation",
    "invalid entry",
    "invalid equivocation",
    "catch-up",
    "handler failed",
]

_log = structlog.get_logger("notarium.peers")


def dials(own: NodeRecord, other: NodeRecord) -> bool:
    """Whether `own` opens the connection to `other`."""
    if other.role != "validator" or own.key == other.key:
        return False
    return own.role != "validator" or own.key < other.key


def wall_ms() -> int:
    """This machine's clock, ms since 1970."""
    return time.time_ns() // 1_000_000


class PeerNetwork:
    """Links to all other nodes of the registry, kept up between `start` and `stop`."""

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
        """`listen`: host and port (0 for a free one). Raises CertificateError if the seed does not match `own`."""
        self._own = own
        self._listen = listen
        self._nodes = dict(nodes)
        self._on_message = on_message
        self._on_connect = on_connect
        self._on_disconnect = on_disconnect
        self._limits = limits or PeerLimits()
        certificates = [record.certificate for record in self._nodes.values()]
        self._server_context = server_context(own.certificate, transport_seed, certificates)
        self._client_context = client_context(own.certificate, transport_seed, certificates)
        self._directory = NodeDirectory(self._nodes)
        self._links: dict[PublicKey, Link] = {}
        self._dialers: dict[PublicKey, asyncio.Task[None]] = {}
        self._awake: dict[PublicKey, asyncio.Event] = {}
        """Set when a peer that this node dials knocks."""
        self._errands: set[asyncio.Task[None]] = set()
        """Knocks, and the ends of replaced links."""
        self._penalties = Penalties(self._limits.max_ban_s)
        self._arrivals: dict[PublicKey, TokenBucket] = {}
        self._acceptor: asyncio.Task[None] | None = None
        self.counters: Counter[LinkEvent] = Counter(dict.fromkeys(get_args(LinkEvent), 0))
        """Totals for metrics. Here and below, all labels start at 0: a rate begins with its first sample."""
        self.dropped: Counter[DropReason] = Counter(dict.fromkeys(get_args(DropReason), 0))
        """Peers dropped, by reason."""
        settings = LinkSettings(genesis, self._limits, wall_ms)
        self._door = Door(self._server_context, settings, self, self.counters)
        self._dialer = Dialer(self._client_context, settings, self.identify)
        self.refused = self._door.refused
        """Connections refused, by reason."""

    # Life

    async def start(self) -> None:
        """Listen and start to dial. Raises OSError if the address cannot be bound."""
        await self._door.open(*self._listen)
        self._dialer.open()
        self._acceptor = self._begin(self._door.accept(), "accepting peers")
        self._redial()
        for record in self._nodes.values():
            if dials(record, self._own):
                self._run_errand(self._dialer.knock(record), f"knocking at {record.member}")

    async def stop(self) -> None:
        """Close every link politely, then everything else. Idempotent."""
        if self._acceptor is None:
            return
        tasks = [self._acceptor, *self._dialers.values(), *self._errands]
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
        await self._door.close()
        await self._dialer.close()

    @property
    def port(self) -> int:
        """The port listened on. Only between start and stop."""
        return self._door.port

    def update_nodes(self, nodes: Mapping[PublicKey, NodeRecord]) -> None:
        """The registry changed: trust new nodes, disconnect removed ones, dial moved ones again."""
        before, self._nodes, address = self._nodes, dict(nodes), self._own.address
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
                self._part(key, "it was removed from the registry" if now is None else "its node record changed")
                if key in self._dialers:
                    self._dialers.pop(key).cancel()
        for record in self._nodes.values():
            if record.certificate in added and not is_usable(record.certificate):
                _log.warning("a node's certificate is unusable, it cannot connect", **self._naming(record.key))
        if self._acceptor is not None:
            self._redial()
            if self._own.address != address and (doubt := self._port_doubt()):
                _log.warning("check this node's address in the registry", reason=doubt)

    # Messages

    def send(self, peer: PublicKey, data: bytes, slot: Hashable | None = None) -> bool:
        """Send one message to `peer`. Never waits; False (and counted) if it is not connected or its queue is full.

        `slot`: names a message that is sent again now and then. A large one is not queued again while the last one of
        its slot is under way to the peer (counted, and no failure).
        """
        link = self._links.get(peer)
        sent = "dropped" if link is None else link.send(data, slot)
        if sent == "under way":
            self.counters["send_skipped"] += 1
        elif sent != "queued":
            # Displaced: this message has taken the place of one that had waited long.
            self.counters["send_dropped"] += 1
        return sent != "dropped"

    def broadcast(self, data: bytes, to: Iterable[PublicKey], slot: Hashable | None = None) -> None:
        """Send one message to each of `to` except this node itself; `slot` as for `send`."""
        for peer in to:
            if peer != self._own.key:
                self.send(peer, data, slot)

    # Peers

    @property
    def connected(self) -> Mapping[PublicKey, PeerInfo]:
        """The peers connected now, with their present figures."""
        return {key: link.info() for key, link in self._links.items()}

    def is_connected(self, peer: PublicKey) -> bool:
        """Whether `peer` has a live link; cheaper than `connected`."""
        return peer in self._links

    @property
    def address_doubt(self) -> str:
        """Why this node's address in the registry may be wrong; "" if nothing suggests that."""
        dialling = [record.key for record in self._nodes.values() if dials(record, self._own)]
        # A NAT or a proxy may map ports. Then those that dial this node do reach it.
        return self._port_doubt() if dialling and self._links.keys().isdisjoint(dialling) else ""

    def _port_doubt(self) -> str:
        if self._acceptor is None or self._own.address.rpartition(":")[2] == str(self.port):
            return ""
        return (
            f"the registry has {self._own.address} for this node, which listens on port {self.port}: "
            "if nothing maps the one port to the other, the nodes that dial this one cannot find it"
        )

    def is_refused_by(self, peer: PublicKey) -> bool:
        """Whether `peer`, when it was dialled last, said that this node is not in its registry."""
        return peer in self._dialer.refused_by

    def queue_bytes(self, peer: PublicKey) -> int:
        """Bytes queued for `peer`; bulk senders (catch-up) wait while this is large."""
        link = self._links.get(peer)
        return 0 if link is None else link.queue_bytes

    def received_bytes(self, peer: PublicKey) -> int:
        """Bytes of large messages that have come from `peer` on this connection, also of one that is not whole yet."""
        link = self._links.get(peer)
        return 0 if link is None else link.received_bytes

    def is_receiving(self, peer: PublicKey) -> bool:
        """Whether a large message of `peer` has begun to arrive and is not whole yet."""
        link = self._links.get(peer)
        return link is not None and link.is_receiving

    def clock_offsets(self) -> list[int]:
        """Each compared peer's clock minus this node's, ms."""
        offsets = (link.clock_offset_ms for link in self._links.values())
        return [offset for offset in offsets if offset is not None]

    def drop(self, peer: PublicKey, reason: DropReason, ban_s: float = BREACH_BAN_S) -> None:
        """End the link with `peer` and refuse it for `ban_s` seconds, doubled with each strike up to a bound.

        `reason` is the label of the counter. Calls on_disconnect before it returns.
        """
        seconds = self._penalties.strike(peer, ban_s, asyncio.get_running_loop().time())
        self.dropped[reason] += 1
        _log.warning("peer dropped", **self._naming(peer), reason=reason, refused_for_s=round(seconds, 1))
        self._part(peer, f"dropped: {reason}")

    @staticmethod
    def _begin(work: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
        """A task whose failure, which only a defect can cause, is logged."""

        def done(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (error := task.exception()):
                _log.critical("a peer task failed", task=name, exc_info=error)

        task = asyncio.create_task(work, name=name)
        task.add_done_callback(done)
        return task

    def _run_errand(self, work: Coroutine[None, None, None], name: str) -> None:
        """In the background, until it is done or the node stops."""
        errand = self._begin(work, name)
        self._errands.add(errand)
        errand.add_done_callback(self._errands.discard)

    # Dialling

    def _redial(self) -> None:
        """Adapt the dialling tasks to the registry."""
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
        logged = ""
        while True:
            try:
                link = await self._dialer.connect(record)
            except DIAL_ERRORS as error:
                self.counters["dial_failed"] += 1
                reason = explain(error)
                # Once per reason: a peer that is down for a week is one line.
                if reason != logged:
                    _log.warning("cannot reach peer", **self._naming(record.key), address=record.address, reason=reason)
                    logged = reason
            else:
                logged = ""
                awake.clear()
                await self.serve(link)
                if loop.time() - link.opened_at >= self._limits.stable_s:
                    backoff.reset()
            with suppress(TimeoutError):
                async with asyncio.timeout(max(backoff.next_s(), self._penalties.remaining_s(record.key, loop.time()))):
                    await awake.wait()
            awake.clear()

    # What the door asks (door.Host)

    def identify(self, connection: ssl.SSLObject | None) -> NodeRecord | None:
        """The node at the other end of an established TLS connection; None if it is not in the registry."""
        return self._directory.identify(connection)

    def on_knock(self, peer: PublicKey) -> None:
        """`peer` has started and asks to be dialled."""
        if peer in self._awake and peer not in self._links:
            self._awake[peer].set()

    def refusal(self, record: NodeRecord | None) -> DoorRefusal | Literal[""]:
        """Why `record` is not admitted now, or ""."""
        if record is None or record.key == self._own.key:
            return "not in the registry"
        now = asyncio.get_running_loop().time()
        if self._penalties.remaining_s(record.key, now):
            return "banned for a while"
        # A peer that connects again and again costs work: five at once, then one in two seconds.
        bucket = self._arrivals.setdefault(record.key, TokenBucket(0.5, 5, now))
        return "" if bucket.take(1, now) else "connects too often"

    async def serve(self, link: Link) -> None:
        """Make `link` the peer's one link and deliver its messages until it ends."""
        peer = link.record.key
        if self._nodes.get(peer) != link.record or self._acceptor is None:
            # The registry changed, or the node stopped, during the handshake.
            link.abort()
            return
        if peer in self._links:
            self.counters["replaced"] += 1
            older = self._links[peer]
            self._forget(older, "replaced by a newer connection")
            # Politely: if the other end lives, a second node uses the key, and must be sent the reason.
            self._run_errand(older.close(REPLACED), f"replacing a connection of {link.record.member}")
        self._links[peer] = link
        self._dialer.refused_by.discard(peer)
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
            # A defect in this node that one peer's message exposed. The other links must not suffer from it, and the
            # same message of this peer must not be handled again and again.
            _log.exception("a peer's message could not be handled", **self._naming(peer))
            if self._links.get(peer) is link:
                self.drop(peer, "handler failed")
        finally:
            link.abort()
            self._forget(link, reason)

    # Links

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
            # The present registry may not have it any more.
            _log.info("peer disconnected", member=link.record.member, peer=peer.hex()[:16], reason=reason)
            self._on_disconnect(peer)

    def _naming(self, peer: PublicKey) -> dict[str, str]:
        record = self._nodes.get(peer)
        return {"member": record.member if record else "unknown", "peer": peer.hex()[:16]}
