"""A link over real sockets: its rules, its bounds, its heartbeat and the comparison of clocks."""

from dataclasses import replace

import aiohttp
import pytest
from tests.node.peering import HELLO, QUICK, Node, both_loops, make_record, running, websocket

# pytest-asyncio has a hook for this, but only for whole directories.
event_loop_policy = both_loops
pytestmark = pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy. fixture:DeprecationWarning")


@pytest.mark.parametrize(
    ("send", "reason"),
    [
        (lambda socket: socket.send_str("hello"), "text frame"),
        (lambda socket: socket.send_bytes(b"x" * 2001), "oversized"),
        (lambda socket: socket.send_bytes(b"\xc1\x07"), "bad frame"),
        (lambda socket: socket.send_bytes(b"\xc1"), "bad frame"),
    ],
)
async def test_breaking_the_rules_of_the_link_drops_the_peer(send, reason):
    nodes = [make_record(1), make_record(0)]
    target = Node(1, nodes, own=nodes[0], limits=replace(QUICK, max_message_bytes=2000))
    async with running(target), aiohttp.ClientSession() as session:
        socket = await websocket(target, 0, session)
        await socket.send_bytes(HELLO)
        await target.until(lambda: target.events)
        await send(socket)
        await target.until(lambda: target.net.dropped[reason])
        assert [what for what, _ in target.events] == ["up", "down"]


@pytest.mark.parametrize("limits", [{"messages_per_s": 50}, {"bytes_per_s": 1000, "max_message_bytes": 1500}])
async def test_a_flood_drops_the_peer(limits):
    nodes = [make_record(1), make_record(0)]
    target = Node(1, nodes, own=nodes[0], limits=replace(QUICK, **limits))
    async with running(target), aiohttp.ClientSession() as session:
        socket = await websocket(target, 0, session)
        await socket.send_bytes(HELLO)
        for _ in range(200):
            await socket.send_bytes(b"x" * 20)
        await target.until(lambda: target.net.dropped["flood"])
        assert len(target.messages) <= 110


async def test_a_flood_of_pings_counts_too():
    nodes = [make_record(1), make_record(0)]
    target = Node(1, nodes, own=nodes[0], limits=replace(QUICK, messages_per_s=50))
    async with running(target), aiohttp.ClientSession() as session:
        socket = await websocket(target, 0, session)
        await socket.send_bytes(HELLO)
        for _ in range(200):
            await socket.ping()
        await target.until(lambda: target.net.dropped["flood"])


async def test_a_full_queue_drops_messages_and_counts_them():
    records = [make_record(0), make_record(1)]
    one = Node(0, records, limits=replace(QUICK, send_queue_bytes=2_000_000, heartbeat_s=20))
    two = Node(1, records, limits=replace(QUICK, heartbeat_s=20))
    async with running(one, two):
        await one.meets(two)
        # Within one turn of the event loop nothing can be read at the other end, so the kernel's buffers fill.
        results = [one.net.send(two.record.key, bytes(500_000)) for _ in range(60)]
        assert results[0] is True
        assert results[-1] is False
        assert one.net.counters["send_dropped"] == results.count(False)
        assert one.net.queue_bytes(two.record.key) <= 2_000_000
        # It is a pause, not an end.
        await two.until(lambda: len(two.messages) == results.count(True))
        assert one.net.send(two.record.key, b"after")
        await two.until(lambda: two.messages[-1][1] == b"after")


async def test_a_peer_that_falls_silent_is_noticed():
    """It is connected at TCP and says nothing, not even to a ping: a machine that lost its power."""
    nodes = [make_record(1), make_record(0)]
    target = Node(1, nodes, own=nodes[0])
    async with running(target), aiohttp.ClientSession() as session:
        socket = await websocket(target, 0, session)
        await socket.send_bytes(HELLO)
        await target.until(lambda: target.events)
        # Nobody calls receive() on our side, so nobody answers pings.
        await target.until(lambda: len(target.events) == 2)
        assert +target.net.dropped == {}


async def test_clocks_are_compared():
    records = [make_record(0), make_record(1)]
    one, two = Node(0, records), Node(1, records, wall_ms=lambda: 5_000_000)
    one = Node(0, records, wall_ms=lambda: 5_000_700)
    async with running(one, two):
        # Both clocks stand still, so only half the measured round trip remains as error. The shortest of the last few
        # counts: on a busy machine it may take more than one.
        await one.until(lambda: any(-750 <= offset <= -650 for offset in one.net.clock_offsets()))
        await two.until(lambda: any(650 <= offset <= 750 for offset in two.net.clock_offsets()))


async def test_an_answer_to_no_question_does_not_bend_the_clock():
    nodes = [make_record(1), make_record(0)]
    target = Node(1, nodes, own=nodes[0])
    async with running(target), aiohttp.ClientSession() as session:
        socket = await websocket(target, 0, session)
        await socket.send_bytes(HELLO)
        await socket.send_bytes(b"\xc1\x02" + bytes(8) + b"\x00\xff" + bytes(6))
        await socket.send_bytes(b"marker")
        await target.until(lambda: target.messages)
        assert target.net.clock_offsets() == []
