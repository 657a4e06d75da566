"""The peer network over real sockets: who gets in, what arrives, what happens to those who misbehave."""

import asyncio
import ssl
from dataclasses import replace

import aiohttp
import pytest
import uvloop
from tests.node.peering import (
    GENESIS,
    ORDERED,
    QUICK,
    WAIT_S,
    Node,
    dial_raw,
    free_port,
    make_record,
    running,
    seed_of,
)

from notarium_ledger.encoding import canonical
from notarium_ledger.types import Hash
from notarium_node.identity import tls
from notarium_node.peers.network import dials

# pytest-asyncio has a hook for this, but only for whole directories.
pytestmark = pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy. fixture:DeprecationWarning")


@pytest.fixture(params=["asyncio", "uvloop"])
def event_loop_policy(request):
    """Nodes run with uvloop where it is installed, and its sockets differ in detail."""
    return uvloop.EventLoopPolicy() if request.param == "uvloop" else asyncio.DefaultEventLoopPolicy()


async def websocket(target, rank, session):
    seed = seed_of(ORDERED[rank])
    context = tls.client_context(tls.make_certificate(seed), seed, [target.record.certificate])
    return await session.ws_connect(f"https://127.0.0.1:{target.net.port}/peer", ssl=context, max_msg_size=0)


HELLO = canonical.encode([b"notarium-peer/1", GENESIS])


def test_the_smaller_key_dials_and_observers_dial_validators():
    small, large = make_record(0), make_record(1)
    watcher, other = make_record(2, "observer"), make_record(3, "observer")
    assert dials(small, large)
    assert not dials(large, small)
    assert dials(watcher, large)
    assert not dials(large, watcher)
    assert not dials(watcher, other)
    assert not dials(small, small)


async def test_all_nodes_find_each_other_and_messages_arrive_in_order():
    records = [make_record(0), make_record(1), make_record(2, "observer")]
    nodes = [Node(rank, records) for rank in range(3)]
    async with running(*nodes):
        one, two, watcher = nodes
        await one.meets(two, watcher)
        await two.meets(one, watcher)
        await watcher.meets(one, two)
        sent = [b"", b"x", b"y" * 126, b"z" * 65_536, b"w" * 3_000_000]
        for data in sent:
            one.net.broadcast(data, [record.key for record in records])
        for node in (two, watcher):
            await node.until(lambda node=node: len(node.messages) == len(sent))
            assert node.messages == [(one.record.key, data) for data in sent]
            assert all(type(data) is bytes for _, data in node.messages)
        assert one.messages == []
        info = two.net.connected[one.record.key]
        assert (info.member, info.role, info.dialed) == ("member-0", "validator", False)
        assert info.bytes_in >= sum(map(len, sent))
        assert one.net.connected[two.record.key].dialed


async def test_a_peer_that_comes_back_is_found_again():
    records = [make_record(0), make_record(1)]
    one, two = Node(0, records), Node(1, records)
    async with running(one):
        async with running(two):
            await one.meets(two)
        await one.until(lambda: not one.net.is_connected(two.record.key))
        assert not one.net.send(two.record.key, b"lost")
        assert one.net.counters["send_dropped"] == 1
        again = Node(1, records)
        async with running(again):
            await one.meets(again)
            assert one.net.send(two.record.key, b"hello again")
            await again.until(lambda: again.messages)
    assert [what for what, _ in one.events] == ["up", "down", "up", "down"]


async def test_a_node_that_starts_again_is_met_at_once_though_its_dialler_waits():
    records = [make_record(0), make_record(1)]
    patient = replace(QUICK, backoff_first_s=60, backoff_last_s=60)
    one, two = Node(0, records, limits=patient), Node(1, records)
    async with running(one):
        # Refused once, the dialler now waits for a minute.
        await one.until(lambda: one.net.counters["dial_failed"])
        async with running(two):
            await one.meets(two)
            await two.meets(one)
            one.net.send(two.record.key, b"hello")
            await two.until(lambda: two.messages)


@pytest.mark.parametrize("attempt", range(3))
async def test_nodes_that_start_together_make_one_link_and_keep_it(attempt):
    """Dialling and knocking cross each other; neither disturbs what is there."""
    records = [make_record(0), make_record(1)]
    one, two = Node(0, records), Node(1, records)
    async with running(one, two):
        await one.meets(two)
        await two.meets(one)
        async with aiohttp.ClientSession() as session:
            seed = seed_of(ORDERED[1])
            context = tls.client_context(tls.make_certificate(seed), seed, [one.record.certificate])
            async with session.get(f"https://{one.record.address}/knock", ssl=context) as response:
                assert response.status == 204
        one.net.send(two.record.key, b"hello")
        await two.until(lambda: two.messages)
        assert one.events == [("up", two.record.key)]
        assert two.events == [("up", one.record.key)]


async def test_a_message_sent_just_before_stop_still_arrives():
    records = [make_record(0), make_record(1)]
    one, two = Node(0, records), Node(1, records)
    async with running(one, two):
        await one.meets(two)
        await two.meets(one)
        for _ in range(20):
            one.net.send(two.record.key, b"x" * 500_000)
        await one.net.stop()
        await two.until(lambda: len(two.messages) == 20)


async def test_a_foreign_ledger_is_refused_by_both():
    records = [make_record(0), make_record(1)]
    one, two = Node(0, records), Node(1, records, genesis=Hash(b"h" * 32))
    async with running(one, two):
        await one.until(lambda: one.net.counters["dial_failed"] and two.net.refused["foreign genesis"])
        assert one.events == two.events == []


async def test_a_stranger_does_not_get_past_tls():
    target = Node(1, [make_record(1), make_record(0)], own=make_record(1))
    async with running(target):
        # In TLS 1.3 the client's handshake is done before the server judges: it learns of the refusal when it reads.
        reader, writer = await dial_raw(target, 5)
        writer.write(b"GET /peer HTTP/1.1\r\nHost: x\r\n\r\n")
        with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        writer.close()
        await target.until(lambda: target.net.counters["handshake_failed"])
        assert target.events == []


async def test_another_node_at_the_address_is_noticed():
    """A DNS mistake: the record of rank 1 points to the node of rank 2."""
    records = [make_record(0), make_record(1), make_record(2)]
    records[1] = replace(records[1], address=records[2].address)
    one, two = Node(0, records), Node(2, records)
    async with running(one, two):
        await one.meets(two)
        await one.until(lambda: one.net.counters["dial_failed"] >= 1)
        assert not one.net.is_connected(records[1].key)


async def test_a_dropped_peer_is_refused_for_a_while_and_then_welcome():
    records = [make_record(0), make_record(1)]
    one, two = Node(0, records), Node(1, records)
    async with running(one, two):
        await two.meets(one)
        two.react = lambda peer, data: two.net.drop(peer, "garbage", ban_s=0.3)
        await one.meets(two)
        for _ in range(3):
            one.net.send(two.record.key, b"\xff\xff")
        await two.until(lambda: two.net.dropped["garbage"])
        assert not two.net.is_connected(one.record.key)
        await one.until(lambda: not one.net.is_connected(two.record.key))
        # Nothing that was queued behind the garbage is delivered.
        assert len(two.messages) == 1
        await two.meets(one)
        assert two.net.refused["banned for a while"] >= 1
        assert [what for what, _ in two.events] == ["up", "down", "up"]


async def test_a_defect_in_the_handler_costs_one_link_not_the_node():
    records = [make_record(0), make_record(1), make_record(2)]
    one, two, three = (Node(rank, records) for rank in range(3))
    async with running(one, two, three):
        await three.meets(one, two)
        await one.meets(three)

        def fail(peer, data):
            raise KeyError("defect")

        three.react = fail
        one.net.send(three.record.key, b"poison")
        await three.until(lambda: three.net.dropped["handler failed"])
        assert three.net.is_connected(two.record.key)


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        (b"", "bad hello"),
        (b"\xc1", "bad hello"),
        (canonical.encode([b"notarium-peer/1"]), "bad hello"),
        (canonical.encode([b"notarium-peer/9", GENESIS]), "other protocol"),
        (b"\x00" * 100_000, "bad hello"),
    ],
)
async def test_a_bad_hello_is_refused(first, reason):
    target = Node(1, [make_record(1), make_record(0)], own=make_record(1))
    async with running(target), aiohttp.ClientSession() as session:
        socket = await websocket(target, 0, session)
        await socket.send_bytes(first)
        await target.until(lambda: target.net.refused[reason])
        assert target.events == []


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


async def test_a_newer_connection_replaces_the_older_and_too_many_are_refused():
    nodes = [make_record(1), make_record(0)]
    target = Node(1, nodes, own=nodes[0])
    async with running(target), aiohttp.ClientSession() as session:
        for number in range(5):
            socket = await websocket(target, 0, session)
            await socket.send_bytes(HELLO)
            await target.until(lambda number=number: target.net.counters["connected"] == number + 1)
        assert target.net.counters["replaced"] == 4
        assert len(target.net.connected) == 1
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await websocket(target, 0, session)
        assert caught.value.headers is not None
        assert caught.value.headers["Notarium-Refused"] == "connects too often"


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


async def test_strangers_make_room_for_newcomers():
    records = [make_record(0), make_record(1)]
    target = Node(1, records, limits=replace(QUICK, pending_handshakes=3, handshake_s=60))
    async with running(target):
        strangers = [await asyncio.open_connection("127.0.0.1", target.net.port) for _ in range(8)]
        await target.until(lambda: target.net.counters["evicted"] == 5)
        async with asyncio.timeout(WAIT_S):
            for reader, _ in strangers[:5]:
                assert await reader.read() == b""
        honest = Node(0, records)
        async with running(honest):
            await target.meets(honest)
        for _, writer in strangers:
            writer.close()


async def test_strangers_are_cut_off_in_time():
    target = Node(1, [make_record(0), make_record(1)], limits=replace(QUICK, handshake_s=0.2))
    async with running(target):
        reader, writer = await asyncio.open_connection("127.0.0.1", target.net.port)
        async with asyncio.timeout(WAIT_S):
            assert await reader.read() == b""
        writer.close()


async def test_an_idle_authenticated_connection_is_cut_off():
    nodes = [make_record(1), make_record(0)]
    target = Node(1, nodes, own=nodes[0], limits=replace(QUICK, handshake_s=0.3))
    async with running(target):
        reader, writer = await dial_raw(target, 0)
        writer.write(b"GET /peer HTTP/1.1\r\n")
        async with asyncio.timeout(WAIT_S):
            assert await reader.read() == b""
        assert target.net.counters["handshake_failed"] == 1
        writer.close()


async def test_nothing_else_is_served():
    nodes = [make_record(1), make_record(0)]
    target = Node(1, nodes, own=nodes[0])
    async with running(target):
        for request, status in ((b"GET /else HTTP/1.1\r\n", b" 404 "), (b"GET /peer HTTP/1.1\r\n", b" 400 ")):
            reader, writer = await dial_raw(target, 0)
            writer.write(request + b"Host: x\r\n\r\n")
            async with asyncio.timeout(WAIT_S):
                assert status in await reader.readline()
            writer.close()


async def test_nodes_join_leave_and_move():
    first, second, third = make_record(0), make_record(1), make_record(2)
    one, two, three = Node(0, [first, second]), Node(1, [first, second]), Node(2, [first, second, third])
    async with running(one, two, three):
        await one.meets(two)
        await one.until(lambda: three.net.counters["handshake_failed"] == 0 and not one.net.is_connected(third.key))
        everyone = {record.key: record for record in (first, second, third)}
        one.net.update_nodes(everyone)
        two.net.update_nodes(everyone)
        await three.meets(one, two)

        # Leaves: parted with at once, and not let in again, although OpenSSL still trusts the certificate.
        one.net.update_nodes({first.key: first, second.key: second})
        assert not one.net.is_connected(third.key)
        reader, writer = await dial_raw(one, 2)
        writer.write(b"GET /peer HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 403 " in await reader.readline()
        assert one.net.refused["not in the registry"] == 1
        writer.close()

        # Moves: dialled at its new address.
        await two.net.stop()
        moved = replace(second, address=f"127.0.0.1:{free_port()}")
        elsewhere = Node(1, [first, moved])
        async with running(elsewhere):
            one.net.update_nodes({first.key: first, second.key: moved})
            await one.meets(elsewhere)


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


async def test_a_taken_port_is_an_os_error_and_leaves_nothing_behind():
    records = [make_record(0), make_record(1)]
    one = Node(0, records)
    two = Node(1, [records[0], replace(records[1], address=records[0].address)])
    async with running(one):
        with pytest.raises(OSError, match="in use"):
            await two.net.start()
        await two.net.stop()
