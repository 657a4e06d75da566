"""The door over real sockets: who gets in, how long the way in may take, and what else is served."""

import asyncio
import ssl
from dataclasses import replace

import aiohttp
import pytest
from structlog.testing import capture_logs
from tests.node.peering import (
    GENESIS,
    HELLO,
    QUICK,
    WAIT_S,
    Node,
    both_loops,
    dial_raw,
    make_record,
    running,
    websocket,
)

from notarium_ledger.encoding import canonical
from notarium_node.peers import door

# pytest-asyncio has a hook for this, but only for whole directories.
event_loop_policy = both_loops
pytestmark = pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy. fixture:DeprecationWarning")


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


async def test_a_peer_that_comes_again_and_again_for_the_same_reason_is_one_line(monkeypatch):
    """The node of rank 0 looks for the node of rank 1 at the address of the node of rank 2."""
    records = [make_record(0), make_record(1), make_record(2)]
    astray, target = Node(0, records), Node(2, records)

    async def refusals(count):
        with capture_logs() as logs:
            wanted = target.net.refused["no hello"] + count
            await target.until(lambda: target.net.refused["no hello"] >= wanted)
        return [each["reason"] for each in logs if each["event"] == "incoming peer refused"]

    async with running(target, astray):
        await target.meets(astray)
        records[1] = replace(records[1], address=records[2].address)
        astray.net.update_nodes({record.key: record for record in records})
        # One more would be refused for coming too often.
        assert await refusals(2) == ["the connection ended before its HELLO"]
        assert await refusals(1) == []
        monkeypatch.setattr(door, "LOG_AGAIN_S", 0.0)
        assert await refusals(1) == ["the connection ended before its HELLO"]


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


async def test_a_taken_port_is_an_os_error_and_leaves_nothing_behind():
    records = [make_record(0), make_record(1)]
    one = Node(0, records)
    two = Node(1, [records[0], replace(records[1], address=records[0].address)])
    async with running(one):
        with pytest.raises(OSError, match="in use"):
            await two.net.start()
        await two.net.stop()
