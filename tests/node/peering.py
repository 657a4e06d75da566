"""Nodes with real sockets on the loopback interface, for the tests of the peer network."""

import asyncio
import socket
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import uvloop
from tests.node.thin_line import Direction, thin_line

from notarium_ledger.encoding import canonical
from notarium_ledger.signing import SigningKey
from notarium_ledger.state.registry import NodeRecord
from notarium_ledger.types import Hash
from notarium_node.identity import tls
from notarium_node.peers.limits import PeerLimits
from notarium_node.peers.network import PeerNetwork

GENESIS = Hash(b"g" * 32)
HELLO = canonical.encode([b"notarium-peer/1", GENESIS])
QUICK = PeerLimits(backoff_first_s=0.01, backoff_last_s=0.05, handshake_s=2, heartbeat_s=0.2, clock_probe_s=0.05)
WAIT_S = 60


@pytest.fixture(params=["asyncio", "uvloop"])
def both_loops(request):
    """For `event_loop_policy`: nodes run with uvloop where it is installed, and its sockets differ in detail."""
    return uvloop.EventLoopPolicy() if request.param == "uvloop" else asyncio.DefaultEventLoopPolicy()


_drawn: set[int] = set()


def free_port():
    """A port that nobody listens on; never the same twice."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port not in _drawn:
            _drawn.add(port)
            return port


def seed_of(number):
    return bytes([number]) * 32


# Numbers in ascending order of their keys, so that tests can say who dials.
ORDERED = sorted(range(1, 20), key=lambda number: SigningKey(seed_of(number)).public)


def make_record(rank, role="validator", port=None):
    """The node record with the rank-th smallest key."""
    seed = seed_of(ORDERED[rank])
    key = SigningKey(seed).public
    return NodeRecord(f"member-{rank}", role, key, tls.make_certificate(seed), f"127.0.0.1:{port or free_port()}")


class Node:
    """A PeerNetwork that remembers its messages and events."""

    def __init__(self, rank, nodes, *, genesis=GENESIS, limits=QUICK, own=None, **options):
        self.record = own or nodes[rank]
        self.messages = []
        self.events = []
        self._changed = asyncio.Event()
        self.react = None
        self.net = PeerNetwork(
            self.record,
            genesis,
            seed_of(ORDERED[rank]),
            ("127.0.0.1", int(self.record.address.rpartition(":")[2])),
            {record.key: record for record in nodes},
            on_message=self._message,
            on_connect=lambda peer: self._event("up", peer),
            on_disconnect=lambda peer: self._event("down", peer),
            limits=limits,
            **options,
        )

    def _message(self, peer, data):
        self.messages.append((peer, data))
        self._changed.set()
        if self.react:
            self.react(peer, data)

    def _event(self, what, peer):
        self.events.append((what, peer))
        self._changed.set()

    async def until(self, condition):
        """Wait until `condition()`; checked on every event, and now and then for what makes none."""
        async with asyncio.timeout(WAIT_S):
            while not condition():
                self._changed.clear()
                try:
                    await asyncio.wait_for(self._changed.wait(), 0.02)
                except TimeoutError:
                    continue

    async def meets(self, *others):
        await self.until(lambda: all(self.net.is_connected(other.record.key) for other in others))


@asynccontextmanager
async def running(*nodes):
    try:
        for node in nodes:
            await node.net.start()
        yield
    finally:
        await asyncio.gather(*(node.net.stop() for node in nodes))


async def dial_raw(target, rank, trusted=None):
    """A TLS connection with a node's own identity, for what an honest node never sends."""
    seed = seed_of(ORDERED[rank])
    context = tls.client_context(tls.make_certificate(seed), seed, trusted or [target.record.certificate])
    return await asyncio.open_connection("127.0.0.1", target.net.port, ssl=context)


async def websocket(target, rank, session):
    """A WebSocket at the door of `target` with a node's own identity, before its HELLO."""
    seed = seed_of(ORDERED[rank])
    context = tls.client_context(tls.make_certificate(seed), seed, [target.record.certificate])
    return await session.ws_connect(f"https://127.0.0.1:{target.net.port}/peer", ssl=context, max_msg_size=0)


@asynccontextmanager
async def nodes_on_a_line(rate=None, **limits):
    """Two nodes, and the way from the first to the second."""
    first, second = make_record(0), make_record(1)
    port, there = free_port(), Direction(rate)
    shared = replace(QUICK, **{"heartbeat_s": 60, "clock_probe_s": 60, **limits})
    one = Node(0, [first, replace(second, address=f"127.0.0.1:{port}")], limits=shared)
    two = Node(1, [first, second], limits=shared)
    async with (
        thin_line(port, int(second.address.rpartition(":")[2]), there, Direction(rate)),
        running(two, one),
    ):
        await one.meets(two)
        await two.meets(one)
        yield one, two, there
