"""Bytes that are not HTTP are refused, cost no memory and fill no log."""

from __future__ import annotations

import asyncio
import gc
import logging
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from notarium_node.http.server import BadRequest, HardenedAppRunner, HardenedServer, plain_bad_request

KIB = 1024
GOOD = b"GET /good HTTP/1.1\r\nHost: node\r\n\r\n"
HANGS_S = 20
"""A connection that is not ended by then never is."""
ENDLESS = [b"GET / HTTP/1.1\r\nX: ", *[b"x" * 64 * KIB] * 16]


@asynccontextmanager
async def by_app(most: int = 1000, bad_request: BadRequest = plain_bad_request) -> AsyncIterator[int]:
    """The API's way; gives the port."""

    async def good(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(text="good")

    app = web.Application()
    app.router.add_route("*", "/good", good)
    runner = HardenedAppRunner(app, most=most, bad_request=bad_request, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def by_server() -> AsyncIterator[int]:
    """The peer door's way."""

    async def good(request: web.BaseRequest) -> web.Response:
        return web.Response(text="good")

    http = HardenedServer(good, access_log=None, lingering_time=0)
    server = await asyncio.get_running_loop().create_server(http, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await http.shutdown(1.0)


async def talk(port: int, *pieces: bytes) -> bytes:
    """Send all, however it is taken; the answers until the end of the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    said = b""
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        said = await reader.read()
    except ConnectionError:
        pass  # Hung up on: with bytes unread, the answer may be gone too.
    finally:
        writer.close()
    return said


@pytest.mark.parametrize("way", [by_app, by_server])
async def test_what_is_not_http_is_refused_and_not_logged(way, caplog):
    with caplog.at_level(logging.INFO):
        async with way() as port:
            for nonsense in (b"\x16\x03\x01\x02\x00nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nbad head\r\n\r\n"):
                assert b" 400 " in (await talk(port, nonsense)).splitlines()[0]
    assert not caplog.records


def lines(each: int, number: int) -> bytes:
    return b"".join(b"X-%d: " % at + b"x" * each + b"\r\n" for at in range(number))


@pytest.mark.parametrize("way", [by_app, by_server])
@pytest.mark.parametrize("end", [b"\r\n", b""], ids=["whole", "never whole"])
@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "line by line"])
async def test_a_head_is_short_in_all(way, end, at_once):
    """Each line may be long and there may be many, but not both."""
    first, rest = GOOD[:-2], lines(1000, 17) + end
    pieces = [first + rest] if at_once else [first, *(each + b"\r\n" for each in rest.split(b"\r\n")[:-1])]
    async with asyncio.timeout(HANGS_S), way() as port:
        said = await talk(port, *pieces)
        assert b" 400 " in said.splitlines()[0]
        assert b"more than 16384 bytes" in said
        assert said.count(b"HTTP/1.") == 1
        # What is within the bound is served, and counts for its own request only.
        short = first + lines(1000, 15) + b"\r\n"
        assert (await talk(port, short, short, first + b"Connection: close\r\n\r\n")).count(b" 200 OK") == 3


async def test_the_application_decides_how_malformed_requests_are_answered():
    async with by_app() as port:
        assert b"text/plain" in await talk(port, b"nonsense\r\n\r\n")
    async with by_app(bad_request=lambda detail: web.json_response({"said": detail}, status=400)) as port:
        assert b'{"said": "' in await talk(port, b"nonsense\r\n\r\n")


@pytest.mark.parametrize("way", [by_app, by_server])
async def test_a_request_before_a_broken_one_is_answered(way):
    async with way() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GOOD)
        assert (await reader.readuntil(b"good")).startswith(b"HTTP/1.1 200 OK")
        writer.write(b"nonsense\r\n\r\n")
        assert b" 400 " in (await reader.read()).splitlines()[0]
        writer.close()


@pytest.mark.parametrize("way", [by_app, by_server])
async def test_endless_heads_cost_no_memory_even_before_garbage_is_collected(way):
    async with way() as port:
        await talk(port, *ENDLESS)
        gc.collect()
        gc.disable()
        tracemalloc.start()
        try:
            for _ in range(20):
                await talk(port, *ENDLESS)
            kept, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            gc.enable()
    assert kept < 1024 * KIB


async def test_the_longest_silent_connection_makes_room_for_a_newcomer():
    async with asyncio.timeout(60), by_app(most=3) as port:
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        busy_reader, busy_writer = await asyncio.open_connection("127.0.0.1", port)
        busy_writer.write(b"POST /good HTTP/1.1\r\nHost: node\r\nContent-Length: 2\r\n\r\na")
        newcomers = []
        for reader, _ in silent:
            newcomers.append(await asyncio.open_connection("127.0.0.1", port))
            newcomers[-1][1].write(GOOD)
            assert b"200 OK" in await newcomers[-1][0].readuntil(b"good")
            assert await reader.read() == b""
        # Whoever has a request under way keeps its place, however slow.
        newcomers.append(await asyncio.open_connection("127.0.0.1", port))
        assert await newcomers[0][0].read() == b""
        busy_writer.write(b"b")
        assert b"200 OK" in await busy_reader.readuntil(b"good")
        for _, writer in (*silent, *newcomers, (busy_reader, busy_writer)):
            writer.close()


async def test_a_burst_makes_room_for_all_of_itself():
    async with asyncio.timeout(60), by_app(most=4) as port:
        opened = await asyncio.gather(*(asyncio.open_connection("127.0.0.1", port) for _ in range(12)))
        ended = {asyncio.create_task(reader.read()): number for number, (reader, _) in enumerate(opened)}
        pending = set(ended)
        while len(pending) > 4:
            _, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        assert len(pending) == 4
        for task in pending:
            opened[ended[task]][1].write(GOOD.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            assert (await task).endswith(b"good")
        for _, writer in opened:
            writer.close()


@pytest.mark.parametrize("name", ["_messages", "_current_request", "_force_close", "handle_error"])
@pytest.mark.parametrize("way", [by_app, by_server])
async def test_an_aiohttp_without_what_is_used_here_is_refused_at_the_start(way, name, monkeypatch):
    monkeypatch.delattr(RequestHandler, name)
    with pytest.raises(RuntimeError, match="this version of aiohttp"):
        async with way():
            pass


async def test_an_aiohttp_that_makes_its_server_otherwise_is_refused_at_the_start(monkeypatch):
    monkeypatch.delattr(HardenedAppRunner, "_make_server")
    with pytest.raises(RuntimeError, match="this version of aiohttp"):
        async with by_app():
            pass


HALF = b"POST /good HTTP/1.1\r\nHost: node\r\nContent-Length: 9000\r\n\r\nhalf"


async def test_a_client_that_leaves_within_its_body_fills_no_log(caplog):
    async with by_app() as port:
        for _ in range(20):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(HALF)
            await writer.drain()
            await talk(port, GOOD[:-2] + b"Connection: close\r\n\r\n")  # The server has read that half, too.
            writer.transport.abort()
        await talk(port, GOOD[:-2] + b"Connection: close\r\n\r\n")
        gc.collect()
    assert not caplog.records


async def test_nothing_is_done_for_a_connection_that_was_closed_before_the_handlers_turn(caplog):
    asked = []

    async def handler(request: web.BaseRequest) -> web.Response:
        asked.append(await request.read())
        return web.Response()

    http = HardenedServer(handler, access_log=None, lingering_time=0)
    server = await asyncio.get_running_loop().create_server(http, "127.0.0.1", 0)
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
        while not http.connections:  # noqa: ASYNC110 - a connection's begin and end are no events of ours
            await asyncio.sleep(0)
        (connection,) = http.connections
        connection.data_received(HALF)
        connection.force_close()
        while http.connections:  # noqa: ASYNC110
            await asyncio.sleep(0)
        writer.close()
    finally:
        server.close()
        await http.shutdown(1.0)
    assert not asked
    assert not caplog.records
