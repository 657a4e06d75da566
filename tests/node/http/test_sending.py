"""A client that does not take its answer is disconnected, and what is kept for it meanwhile is little."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from notarium_node.http import sending
from notarium_node.http import server as server_module
from notarium_node.http.pace import Ending
from notarium_node.http.places import Places
from notarium_node.http.sending import LARGE, send
from notarium_node.http.server import HardenedAppRunner

BODY = bytes(range(256)) * 64 * 1024
"""16 MiB: more than a socket's buffers hold."""
ENDED_S = 20.0


@asynccontextmanager
async def server(stall_s: float | None = None, **bounds) -> AsyncIterator[tuple[int, HardenedAppRunner]]:
    """Serves BODY in pieces at /large, and as aiohttp does at /whole."""

    async def large(request):
        return await send(request, web.Response(body=BODY))

    async def whole(request):
        return web.Response(body=BODY)

    async def late(request):
        await asyncio.sleep(0.5)
        return web.Response(text="late")

    app = web.Application()
    app.router.add_get("/large", large)
    app.router.add_get("/late", late)
    app.router.add_get("/whole", whole)
    runner = HardenedAppRunner(app, stall_s=stall_s, access_log=None, **bounds)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0][1], runner
    finally:
        await runner.cleanup()


def open_in(runner: HardenedAppRunner) -> list[Any]:
    """The connections that are open."""
    assert runner.server is not None
    return list(runner.server.connections)


def asking(port: int, path: str, buffer: int = 4096) -> socket.socket:
    """A client that has asked and reads nothing."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    client.connect(("127.0.0.1", port))
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    return client


async def until(condition: Callable[[], object]) -> None:
    """Wait, with a bound."""
    async with asyncio.timeout(ENDED_S):
        while not condition():  # noqa: ASYNC110 - a connection's end is no event of ours
            await asyncio.sleep(0.01)


async def test_a_large_answer_arrives_whole():
    async with server() as (port, _):
        client = asking(port, "/large", 1 << 20)
        client.setblocking(False)
        loop, got = asyncio.get_running_loop(), bytearray()
        while len(got.partition(b"\r\n\r\n")[2]) < len(BODY):
            got += await loop.sock_recv(client, 8 << 20)
        head, _, body = got.partition(b"\r\n\r\n")
        assert f"Content-Length: {len(BODY)}".encode() in head
        assert body == BODY
        client.close()


async def test_a_client_that_takes_no_piece_is_disconnected_and_little_is_kept_for_it(monkeypatch):
    monkeypatch.setattr(sending, "STALL_S", 0.3)
    async with server() as (port, runner):
        client = asking(port, "/large")
        await until(lambda: open_in(runner))
        (connection,) = open_in(runner)
        most = 0
        while open_in(runner):
            most = max(most, connection.transport.get_write_buffer_size() if connection.transport else 0)
            await asyncio.sleep(0.01)
        assert 0 < most <= 3 * LARGE
        client.close()


async def test_the_server_itself_ends_what_is_not_taken_of_other_answers():
    endings = Counter[Ending]()
    async with server(stall_s=0.2, endings=endings) as (port, runner):
        client = asking(port, "/whole")
        await until(lambda: open_in(runner))
        await until(lambda: not open_in(runner))
        assert endings == {Ending.NOT_TAKEN: 1}
        client.close()


async def test_a_byte_now_and_then_does_not_keep_a_place():
    """Each byte makes room for the next one, so what waits shrinks all the time."""
    endings = Counter[Ending]()
    async with server(stall_s=0.3, endings=endings) as (port, runner):
        client = asking(port, "/whole")
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        while not endings:
            await loop.sock_recv(client, 1)
            await asyncio.sleep(0.01)
        await until(lambda: not open_in(runner))
        assert endings == {Ending.NOT_TAKEN: 1}
        client.close()


@pytest.mark.parametrize("begin", [b"GET /large", b"GET /large HTTP/1.1\r\nHost: localhost\r\nX-More: "])
async def test_a_head_that_never_ends_does_not_keep_a_place(begin):
    """However little of it arrives now and then."""
    endings = Counter[Ending]()
    async with server(stall_s=0.2, endings=endings) as (port, runner):
        client = socket.create_connection(("127.0.0.1", port))
        client.sendall(begin)
        with contextlib.suppress(ConnectionError):
            while not endings:
                client.sendall(b"x")
                await asyncio.sleep(0.01)
        await until(lambda: not open_in(runner))
        assert endings == {Ending.SLOW_HEAD: 1}
        client.close()


async def test_who_waits_between_two_requests_or_for_an_answer_is_not_slow():
    endings = Counter[Ending]()
    async with server(stall_s=0.1, endings=endings) as (port, runner):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):
            writer.write(b"GET /late HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b"200 OK" in await reader.readuntil(b"late")
            await asyncio.sleep(0.5)
        assert len(open_in(runner)) == 1
        writer.close()
    assert not endings


async def test_a_slow_reader_is_served(monkeypatch):
    """It takes a little at a time, and never stops: it is not disconnected however long that takes."""
    monkeypatch.setattr(sending, "STALL_S", 0.5)
    async with server(stall_s=0.5) as (port, runner):
        client = asking(port, "/large", 128 * 1024)
        client.setblocking(False)
        got, loop = 0, asyncio.get_running_loop()
        for _ in range(30):
            got += len(await loop.sock_recv(client, 256 * 1024))
            await asyncio.sleep(0.05)
        assert got > 0
        assert len(open_in(runner)) == 1
        client.close()


async def test_an_address_gets_its_part_of_the_connections_and_others_theirs():
    async with server(places=Places(8, 4)) as (port, runner):
        loop = asyncio.get_running_loop()
        clients = []
        for _ in range(6):
            client = socket.socket()
            client.setblocking(False)
            await loop.sock_connect(client, ("127.0.0.1", port))
            clients.append(client)
        # Two gave way to newcomers of their own address: nobody had asked for anything yet.
        await until(lambda: len(open_in(runner)) == 4)
        other = socket.socket()
        other.setblocking(False)
        other.bind(("127.0.0.2", 0))
        await loop.sock_connect(other, ("127.0.0.1", port))
        await until(lambda: len(open_in(runner)) == 5)
        assert not any(each.is_surplus for each in open_in(runner) if each.address == "127.0.0.2")
        for client in (*clients, other):
            client.close()


async def test_connections_far_above_the_part_are_cut_off_in_silence(monkeypatch, caplog):
    monkeypatch.setattr(server_module, "SURPLUS", 1)
    endings = Counter[Ending]()
    async with server(places=Places(8, 1), endings=endings) as (port, runner):
        clients = [asking(port, "/large")]
        # Its answer is under way, so it does not give way to newcomers.
        await until(lambda: open_in(runner) and open_in(runner)[0].is_paced)
        clients += [asking(port, "/large") for _ in range(6)]
        await until(lambda: endings[Ending.SURPLUS] > 0 and len(open_in(runner)) <= 3)
        gc.collect()  # asyncio logs a task's exception when the task is collected.
        for client in clients:
            client.close()
        await until(lambda: not open_in(runner))
        gc.collect()
    assert not caplog.records


async def test_a_client_that_leaves_within_its_answer_fills_no_log(caplog):
    async with server() as (port, runner):
        client = asking(port, "/large")
        await until(lambda: open_in(runner) and open_in(runner)[0].is_paced)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        await until(lambda: not open_in(runner))
        gc.collect()
    assert not caplog.records


@pytest.mark.parametrize("exempt", [(), ("127.0.0.1",)])
async def test_a_proxy_has_no_part(exempt):
    async with server(places=Places(8, 1), exempt=exempt) as (port, runner):
        loop = asyncio.get_running_loop()
        clients = [socket.socket() for _ in range(3)]
        for client in clients:
            client.setblocking(False)
            await loop.sock_connect(client, ("127.0.0.1", port))
        await until(lambda: len(open_in(runner)) == (3 if exempt else 1))
        for client in clients:
            client.close()
