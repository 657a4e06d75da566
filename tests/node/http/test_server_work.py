"""What one turn of the event loop does for strangers: few requests begin, and little is parsed."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from aiohttp import web

from notarium_node.http.server import (
    BEGINNINGS,
    HardenedConnection,
    HardenedServer,
    begin,
)

GET = b"GET / HTTP/1.1\r\nHost: node\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: node\r\nContent-Length: 2\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: node\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNK = b"1\r\nx\r\n"
FEW = 256
"""Chunks of 40,000 that may be parsed before their head is looked at."""
MANY = 5 * BEGINNINGS


class Turns:
    """Counts the turns of the event loop."""

    def __init__(self) -> None:
        self.now = 0
        self.begun = Counter[int]()
        """Requests, by the turn in which their work began."""
        self._next = asyncio.get_running_loop().call_soon(self._pass)

    def _pass(self) -> None:
        self.now += 1
        self._next = asyncio.get_running_loop().call_soon(self._pass)

    def end(self) -> None:
        self._next.cancel()


Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def served(handler: Handler, clients: int) -> AsyncIterator[list[HardenedConnection]]:
    """The server's ends of so many connections."""
    http = HardenedServer(handler, access_log=None)
    server = await asyncio.get_running_loop().create_server(http, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        ends = [await asyncio.open_connection("127.0.0.1", port) for _ in range(clients)]
        while len(http.connections) < clients:  # noqa: ASYNC110 - a connection's begin is no event of ours
            await asyncio.sleep(0)
        yield [each for each in http.connections if isinstance(each, HardenedConnection)]
        for _, writer in ends:
            writer.close()
    finally:
        server.close()
        await http.shutdown(1.0)


async def wait_for_all(begun: Counter[int]) -> None:
    async with asyncio.timeout(60):
        while begun.total() < MANY:  # noqa: ASYNC110 - the server's turns are no events of ours
            await asyncio.sleep(0)


@pytest.mark.parametrize("has_body", [False, True])
async def test_few_requests_begin_in_one_turn_of_the_event_loop(has_body):
    """Also where the bodies of all of them arrive at the same moment."""
    turns = Turns()

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        if has_body:
            await request.read()
            await begin(request)
        turns.begun[turns.now] += 1
        return web.Response()

    try:
        async with served(handler, MANY) as connections:
            if has_body:
                for each in connections:
                    each.data_received(POST)
                for _ in range(4 * MANY):
                    await asyncio.sleep(0)  # All handlers wait for their bodies then.
                assert not turns.begun
            for each in connections:
                each.data_received(b"ab" if has_body else GET)
            await wait_for_all(turns.begun)
    finally:
        turns.end()
    assert max(turns.begun.values()) <= BEGINNINGS


@pytest.mark.parametrize("step", [1, 7, len(CHUNKED), 256 * 1024])
async def test_what_follows_a_head_without_a_length_is_not_parsed(step):
    asked: list[web.BaseRequest] = []

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        asked.append(request)
        return web.Response(status=411)

    data = CHUNKED + CHUNK * 40_000
    async with served(handler, 1) as (connection,):
        with suppress(AttributeError):  # The connection may have ended.
            for start in range(0, len(CHUNKED), step):
                connection.data_received(data[start : start + step])
            connection.data_received(data[len(CHUNKED) :])
        while not asked:  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert asked[0].content.total_bytes <= FEW


async def test_what_follows_a_body_is_parsed_as_a_head():
    """So a head without a length has no chunks parsed behind the body of another request either."""
    asked: list[web.BaseRequest] = []

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        asked.append(request)
        await request.read()
        return web.Response()

    async with served(handler, 1) as (connection,):
        connection.data_received(POST)
        connection.data_received(b"ab" + CHUNKED + CHUNK * 40_000)
        assert connection._messages[-1][1].total_bytes <= FEW


async def test_a_long_body_is_parsed_in_one_piece_and_a_request_behind_it_is_answered():
    asked: list[bytes] = []

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        asked.append(await request.read())
        return web.Response()

    body = b"x" * 100_000
    head = b"POST / HTTP/1.1\r\nHost: node\r\nContent-Length: %d\r\n\r\n" % len(body)
    async with served(handler, 1) as (connection,):
        connection.data_received((head + body) * 2 + GET)
        async with asyncio.timeout(60):
            while len(asked) < 3:  # noqa: ASYNC110
                await asyncio.sleep(0)
    assert asked == [body, body, b""]
