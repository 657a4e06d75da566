"""A member turns hostile: it has a valid certificate and key, and speaks the peer protocol. It is dropped and counted,
and the other three go on deciding."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiohttp
import pytest
from tests.cluster.crowd import Cluster, percentile

from notarium.key_files import Purpose, load_key, load_seed
from notarium_consensus.messages import encode_message
from notarium_ledger.blocks.statements import StatementKind, Vote, VoteStatement
from notarium_ledger.encoding import canonical
from notarium_ledger.types import Hash, Height, PublicKey, Round, Signature
from notarium_node.demo.local_network import LocalNode
from notarium_node.identity.tls import client_context, make_certificate
from notarium_node.peers import wire
from notarium_node.peers.wire import Kind

pytestmark = pytest.mark.cluster

MIB = 1 << 20
CONNECT_S = 40.0
CUT_S = 20.0
LONGEST_S = 10.0
"""No attack may keep the others from deciding for longer: some rounds without the fourth, no more."""
ENDS = (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
HUGE = Height(2**60)
MESSAGES_PER_S = 2_000
"""The nodes' limit, lowered so that this test, which shares their processors, can exceed it."""


@dataclass
class Traitor:
    """The fourth validator's identity in the hands of this test."""

    cluster: Cluster
    node: LocalNode

    def __post_init__(self) -> None:
        keys = self.node.directory / "keys"
        self.key = load_key(keys / "validator.key", Purpose.VALIDATOR)
        self.seed = load_seed(keys / "transport.key", Purpose.TRANSPORT)
        self.genesis = self.cluster.network.genesis

    @contextlib.asynccontextmanager
    async def link(self, victim: LocalNode):
        """A greeted connection to `victim`; waits until it lets us in again."""
        registry = self.genesis.registry
        record = registry.nodes[PublicKey(bytes.fromhex(victim.key))]
        context = client_context(make_certificate(self.seed), self.seed, [record.certificate])
        deadline = time.monotonic() + CONNECT_S
        async with aiohttp.ClientSession() as session:
            while True:
                try:
                    socket = await session.ws_connect(f"https://{record.address}/peer", ssl=context, max_msg_size=0)
                    break
                except aiohttp.WSServerHandshakeError:
                    assert time.monotonic() < deadline, f"{victim.name} refuses us permanently"
                    await asyncio.sleep(0.25)
            async with socket:
                await socket.send_bytes(canonical.encode([b"notarium-peer/1", bytes(self.genesis.hash)]))
                await socket.receive_bytes()
                yield socket

    def forged_vote(self, height: int) -> bytes:
        """A COMMIT with an invalid signature."""
        nonsense = Hash(b"\x07" * 32)
        statement = VoteStatement(StatementKind.COMMIT, Height(height), Round(0), nonsense)
        vote = Vote(statement, self.key.public, Signature(b"\x01" * 64))
        return bytes((Kind.CONSENSUS,)) + encode_message(vote)


Attack = Callable[[Traitor, aiohttp.ClientWebSocketResponse, LocalNode], Awaitable[None]]


def message(data: bytes) -> Attack:
    async def attack(traitor, socket, victim):
        await socket.send_bytes(data)

    return attack


async def text_frame(traitor, socket, victim):
    await socket.send_str("hello")


async def oversized(traitor, socket, victim):
    await socket.send_bytes(b"\x01" * (33 * MIB))


async def flood(socket, data):
    for number in range(200_000):
        if socket._writer.transport.is_closing():
            return
        await socket.send_bytes(data)
        if number % 20 == 0:
            await asyncio.sleep(0)  # This process has honest clients too.


def _status(height: Height) -> bytes:
    return wire.pack_status(wire.HeightStatus(height, Hash(bytes(32)), height, height))


async def flood_of_messages(traitor, socket, victim):
    await flood(socket, _status(Height(0)))


async def flood_of_requests(traitor, socket, victim):
    await flood(socket, wire.pack_get_blocks(Height(1), wire.MAX_BLOCKS))


async def forged_vote(traitor, socket, victim):
    """Sent for each height until it is seen: a vote of a height that was decided on the way is late, and no offence."""
    for _ in range(100):
        if socket._writer.transport.is_closing():
            return
        await socket.send_bytes(traitor.forged_vote(victim.status()["height"] + 1))
        await asyncio.sleep(0.1)


async def forged_entries(traitor, socket, victim):
    good = canonical.decode(traitor.cluster.entry())
    assert isinstance(good, list)
    await socket.send_bytes(wire.pack_list(Kind.ENTRIES, [canonical.encode([*good[:3], b"\x01" * 64])]))


async def false_height(traitor, socket, victim):
    """Claims the moon; asked for the next block, says nothing."""
    await socket.send_bytes(_status(HUGE))


async def false_height_and_nothing_to_show(traitor, socket, victim):
    """As above, but answers: with no blocks."""
    await socket.send_bytes(_status(HUGE))
    await _when_asked(socket)
    await socket.send_bytes(wire.pack_list(Kind.BLOCKS, []))


async def false_blocks(traitor, socket, victim):
    """Claims to be ahead; asked for the next block, sends one whose certificate proves another block."""
    await socket.send_bytes(_status(HUGE))
    first = await _when_asked(socket)
    async with (
        aiohttp.ClientSession(headers={"Accept": "application/msgpack"}) as session,
        session.get(f"{victim.api}/v1/blocks/{first - 1}") as answer,
    ):
        value = canonical.decode(await answer.read())
    assert isinstance(value, list)
    assert isinstance(value[0], list)
    header = canonical.decode(value[0][0])  # type: ignore[arg-type]
    assert isinstance(header, list)
    header[2] = first
    forged = canonical.encode([[canonical.encode(header), value[0][1]], value[1]])
    await socket.send_bytes(wire.pack_list(Kind.BLOCKS, [forged]))


async def _when_asked(socket) -> int:
    """For blocks. Asked for a snapshot first, it has none."""
    async for received in socket:
        if received.data[:1] == bytes((Kind.GET_SNAPSHOT,)):
            await socket.send_bytes(wire.pack_snapshot(wire.SnapshotPart(Height(0), 0, 0, b"")))
        if received.data[:1] == bytes((Kind.GET_BLOCKS,)):
            return wire.unpack_get_blocks(received.data[1:])[0]
    raise AssertionError("it hung up before it asked for blocks")


ATTACKS: list[tuple[str, Attack, str]] = [
    ("an unknown kind of message", message(b"\x99rubbish"), "garbage"),
    ("an empty message", message(b""), "garbage"),
    ("entries that are no list", message(b"\x02\xc1"), "garbage"),
    ("a consensus message cut short", message(b"\x01\x97\x01\x03"), "garbage"),
    ("blocks never asked for", message(wire.pack_list(Kind.BLOCKS, [b"\x92\x92"])), "garbage"),
    ("a text frame", text_frame, "text frame"),
    ("a frame of 33 MiB", oversized, "oversized"),
    ("a forged vote", forged_vote, "protocol violation"),
    ("a forged entry", forged_entries, "invalid entry"),
    ("a flood of small messages", flood_of_messages, "flood"),
    ("a flood of requests for blocks", flood_of_requests, "flood"),
    ("a false height and no answer", false_height, "catch-up"),
    ("a false height and an empty answer", false_height_and_nothing_to_show, "catch-up"),
    ("a false height and a false block", false_blocks, "protocol violation"),
]


async def test_a_hostile_member_is_dropped_and_counted_and_the_others_go_on(found, say, monkeypatch):
    monkeypatch.setenv("NOTARIUM_NODE_PEER__MESSAGES_PER_S", str(MESSAGES_PER_S))
    monkeypatch.setenv("NOTARIUM_NODE_PEER__MAX_BAN_MS", "5000")
    cluster: Cluster = found(observer=False)
    # A chain that makes answers to a flood of requests costly.
    await cluster.crowd(4, 10, entries=50)
    cluster.settle()
    hostile = cluster.validators[3]
    honest = [node for node in cluster.validators if node is not hostile]
    await asyncio.to_thread(hostile.kill)
    traitor = Traitor(cluster, hostile)

    latencies: list[float] = []
    over = asyncio.Event()

    async def keep_deciding() -> None:
        while not over.is_set():
            latencies.append(await cluster.decide(*honest))

    async def attack_one(victim: LocalNode, attacks: list[tuple[str, Attack, str]]) -> None:
        for name, attack, reason in attacks:
            before = await asyncio.to_thread(cluster.metric, victim, "notarium_peers_dropped_total", reason=reason)
            began = time.monotonic()
            async with traitor.link(victim) as socket:
                admitted = time.monotonic()
                with contextlib.suppress(ConnectionError, aiohttp.ClientError):
                    await attack(traitor, socket, victim)
                try:
                    async with asyncio.timeout(CUT_S):
                        while (await socket.receive()).type not in ENDS:
                            continue
                except TimeoutError:
                    raise AssertionError(f"{name}: {victim.name} did not drop us in {CUT_S:.0f} s") from None
            cut = time.monotonic() - admitted
            after = await asyncio.to_thread(cluster.metric, victim, "notarium_peers_dropped_total", reason=reason)
            assert after == before + 1, f"{name}: {victim.name} did not count it as {reason!r}"
            say(
                f"{victim.name}: {name:<36} let in after {admitted - began:4.1f} s, "
                f"dropped as {reason} after {cut:.2f} s"
            )

    working = asyncio.create_task(keep_deciding())
    async with asyncio.TaskGroup() as group:
        for number, victim in enumerate(honest):
            group.create_task(attack_one(victim, ATTACKS[number :: len(honest)]))
    over.set()
    await working
    latencies.sort()
    say(
        f"meanwhile {len(latencies)} entries were decided one after another: p50 {percentile(latencies, 0.5):.2f} s, "
        f"longest {latencies[-1]:.2f} s"
    )
    assert latencies[-1] < LONGEST_S
    assert all(node.is_running() for node in honest)
    for node in honest:
        assert "handler failed" not in node.log.read_text()
    cluster.network.wait_until(lambda: all(node.get("/readyz")["ready"] for node in honest), "the honest to be ready")
    cluster.settle(honest)
    assert await cluster.check_log(honest) == len(cluster.acknowledged)

    # The member comes to reason: bans end, and it is one of four again.
    hostile.start()
    cluster.network.wait_until(lambda: hostile.get("/readyz")["ready"], "the fourth to be let in again", timeout_s=90)
    cluster.settle()
    say(f"{hostile.name} is back at block {hostile.status()['height']}")
    cluster.check_stores()
