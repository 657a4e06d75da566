"""A link over real sockets: its rules, its bounds, its heartbeat and the comparison of clocks."""

import asyncio
from dataclasses import replace
from itertools import count

import aiohttp
import pytest
from tests.node.peering import HELLO, QUICK, Node, both_loops, make_record, nodes_on_a_line, running, websocket

from notarium_node.peers import link
from notarium_node.peers.parcels import PIECE_BYTES
from notarium_node.peers.wire import Kind

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
        (lambda socket: socket.send_bytes(b"\xc1\x03" + bytes(9)), "bad frame"),
        (lambda socket: socket.send_bytes(b"\xc1\x05" + bytes(7) + b"\x01"), "bad frame"),
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


async def test_the_pieces_of_a_large_message_count_as_one_but_not_beyond_the_limit():
    records = [make_record(0), make_record(1)]
    one = Node(0, records)
    two = Node(1, records, limits=replace(QUICK, messages_per_s=20, max_message_bytes=3_000_000))
    async with running(one, two):
        await one.meets(two)
        assert one.net.send(two.record.key, bytes(3_000_000))
        await two.until(lambda: two.messages)
        assert two.net.connected[one.record.key].messages_in < 20
        assert one.net.send(two.record.key, bytes(3_000_001))
        await two.until(lambda: two.net.dropped["oversized"])
        assert len(two.messages) == 1


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
        assert one.net.queue_bytes(two.record.key) <= 2_000_000 + 2 * PIECE_BYTES
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


async def test_clocks_are_compared_over_a_line_slower_than_the_questions(monkeypatch):
    """The next question is due in each turn of the event loop, and no answer comes in one."""
    async with nodes_on_a_line() as (one, two, _):
        asking = one.net._links[two.record.key]
        monkeypatch.setattr(link, "_EARLY_PROBE_S", 0)
        asking._wall_ms = count().__next__
        asking._clock_samples.clear()
        asking._ask_time()
        await one.until(lambda: len(asking._clock_samples) == 4)


async def test_a_clock_is_only_as_far_off_as_its_round_trip_proves():
    """A question that waits behind a block for two seconds, and an answer that comes at once: no clock is off."""
    async with nodes_on_a_line() as (one, two, _):
        link = one.net._links[two.record.key]
        for round_trip_s, offset_ms, proven_ms in ((2.0, 1000, 0), (2.0, -1000, 0), (2.0, -1600, -600), (0.0, 40, 40)):
            link._clock_samples.clear()
            link._clock_samples.append((round_trip_s, offset_ms))
            assert one.net.clock_offsets() == [proven_ms]


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


LARGE = 2 * 1024 * 1024


async def test_what_is_under_way_is_not_queued_again():
    async with nodes_on_a_line() as (one, two, there):
        peer, block = two.record.key, bytes((Kind.CONSENSUS,)) + bytes(LARGE)
        there.close()
        assert one.net.send(peer, block, "slot")
        queued = one.net.queue_bytes(peer)
        for _ in range(5):
            assert one.net.send(peer, block, "slot"), "it is on its way, which is no failure"
        assert (one.net.queue_bytes(peer), one.net.counters["send_skipped"]) == (queued, 5)
        await one.until(lambda: one.net.connected[peer].queue_age_s > 0)
        there.open()
        await two.until(lambda: two.messages)
        await one.until(lambda: one.net.queue_bytes(peer) == 0)
        assert one.net.connected[peer].queue_age_s == 0
        # Once it has arrived, it may be sent again: the peer may have forgotten it.
        await one.until(lambda: one.net.send(peer, block, "slot") and len(two.messages) > 1)
        assert one.net.counters["send_dropped"] == 0
        assert [data == block for _, data in two.messages] == [True, True]


async def test_votes_heights_and_questions_pass_what_is_large_and_bulk_keeps_its_order():
    async with nodes_on_a_line() as (one, two, there):
        answer, later = bytes((Kind.BLOCKS,)) + bytes(LARGE), bytes((Kind.BLOCKS, 1))
        urgent = [bytes((kind, 2)) for kind in (Kind.CONSENSUS, Kind.STATUS, Kind.GET_BLOCKS, Kind.GET_SNAPSHOT)]
        there.close()
        for data in (answer, later, *urgent):
            assert one.net.send(two.record.key, data)
        there.open()
        await two.until(lambda: len(two.messages) == 6)
        assert [data for _, data in two.messages] == [*urgent, answer, later]


@pytest.mark.parametrize("size", [1000, 500_000])
async def test_gossip_on_a_line_that_stands_still_keeps_out_neither_blocks_nor_votes_nor_questions(size):
    async with nodes_on_a_line(send_queue_bytes=2_000_000) as (one, two, there):
        gossip = bytes((Kind.ENTRIES,)) + bytes(size)
        there.close()
        sent = 0
        while one.net.send(two.record.key, gossip):
            sent += 1
        block = bytes((Kind.CONSENSUS,)) + bytes(1_000_000)
        urgent = [bytes((kind, 2)) for kind in (Kind.CONSENSUS, Kind.GET_BLOCKS, Kind.RECALLED)]
        assert one.net.send(two.record.key, block, "slot")
        assert all(one.net.send(two.record.key, data) for data in urgent)
        there.open()
        await two.until(lambda: len(two.messages) == sent + 4)
        came = [data for _, data in two.messages]
        assert set(came) == {gossip, block, *urgent}
        assert came[-1] == gossip, "the others pass what had not left"


async def test_a_slow_line_is_not_a_silent_peer(monkeypatch):
    """A message takes longer than the heartbeat and its answer, and nothing comes back but that it arrives."""
    monkeypatch.setattr(link, "_EARLY_PROBE_S", 0.01)
    async with nodes_on_a_line(rate=1_000_000, heartbeat_s=0.4) as (one, two, _):
        await one.until(lambda: len(one.net._links[two.record.key]._clock_samples) == 4)
        assert one.net.send(two.record.key, bytes(LARGE // 2))
        await two.until(lambda: two.messages or len(two.events) > 1)
        assert [len(data) for _, data in two.messages] == [LARGE // 2]
        assert (one.events, two.events) == ([("up", two.record.key)], [("up", one.record.key)])


async def test_a_link_that_ends_with_a_full_queue_forgets_it():
    async with nodes_on_a_line() as (one, two, there):
        there.close()
        for _ in range(3):
            assert one.net.send(two.record.key, bytes(LARGE))
        one.net.drop(two.record.key, "garbage")
        there.open()
        await one.until(lambda: not any(task.get_name().startswith("sending") for task in asyncio.all_tasks()))
        await one.meets(two)
        assert two.messages == []
