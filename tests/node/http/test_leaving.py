"""A client that leaves takes along all that was kept for it: nothing waits for the garbage collector.

On a node at rest the collector may not run for hours.
"""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from notarium_node.http.places import Places
from notarium_node.http.sending import send
from notarium_node.http.server import HardenedAppRunner, HardenedServer

BODY = bytes(1024 * 1024)
PART = 900_000
TIMES = 10
LARGE = bytes(16 * 1024 * 1024)
"""More than a socket's buffers hold."""


Handler = Callable[["Desk", web.BaseRequest], Awaitable[web.StreamResponse]]


class Desk:
    """What the handlers do."""

    def __init__(self) -> None:
        self.request: web.BaseRequest | None = None
        """Of the handler that is at it."""
        self.arrived = 0
        """Bytes of the body that is being read."""
        self.go_on = asyncio.Event()

    async def read(self, request: web.BaseRequest) -> web.StreamResponse:
        """Wants the whole body."""
        whole = bytearray()
        async for piece in request.content.iter_any():
            whole += piece
            self.arrived = len(whole)
        return web.Response()

    async def read_as_aiohttp_does(self, request: web.BaseRequest) -> web.StreamResponse:
        """As above."""
        self.arrived = PART  # Unknown here; what matters is what aiohttp keeps.
        await request.read()
        return web.Response()

    async def decide(self, request: web.BaseRequest) -> web.StreamResponse:
        """Has the body, and answers late."""
        await request.read()
        self.arrived = len(BODY)
        await self.go_on.wait()
        return web.Response(body=BODY)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Has a large answer."""
        await request.read()
        self.arrived = len(BODY)
        return await send(request, web.Response(body=LARGE))

    async def fail(self, request: web.BaseRequest) -> web.StreamResponse:
        """Finds out by itself that the client has left."""
        await self.decide(request)
        raise ConnectionResetError("it has left")

    @asynccontextmanager
    async def serve(self, handler: Handler, way: str) -> AsyncIterator[tuple[int, Callable[[], int]]]:
        """Gives the port, and what counts the connections."""

        async def noted(request: web.BaseRequest) -> web.StreamResponse:
            self.request = request
            try:
                return await handler(self, request)
            finally:
                self.request = None

        if way == "app":
            app = web.Application(client_max_size=2 * len(BODY))
            app.router.add_post("/", noted)
            runner = HardenedAppRunner(app, places=Places(100), access_log=None, lingering_time=0)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            try:
                yield runner.addresses[0][1], lambda: len(runner.server.connections) if runner.server else 0
            finally:
                await runner.cleanup()
            return
        http = HardenedServer(noted, access_log=None, lingering_time=0)
        server = await asyncio.get_running_loop().create_server(http, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1], lambda: len(http.connections)
        finally:
            server.close()
            await http.shutdown(1.0)


async def until(condition: Callable[[], bool]) -> None:
    """Wait, with a bound."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - a connection's end is no event of ours
            await asyncio.sleep(0.001)


async def come_and_leave(desk: Desk, port: int, connections: Callable[[], int], sent: int) -> None:
    """Post `sent` bytes of BODY, then leave without a word while the handler is at it."""
    desk.arrived = 0
    desk.go_on.clear()
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST / HTTP/1.1\r\nHost: node\r\nContent-Length: {len(BODY)}\r\n\r\n"
    writer.write(head.encode() + BODY[:sent])
    await writer.drain()
    await until(lambda: desk.request is not None and desk.arrived >= sent)
    writer.transport.abort()
    await until(lambda: desk.request is None or desk.request.transport is None)
    desk.go_on.set()
    # aiohttp counts a connection until the task that serves it has ended.
    await until(lambda: connections() == 0)


@pytest.mark.parametrize("way", ["app", "server"])
@pytest.mark.parametrize(
    ("handler", "sent"),
    [
        (Desk.read, PART),
        (Desk.read_as_aiohttp_does, PART),
        (Desk.decide, len(BODY)),
        (Desk.answer, len(BODY)),
        (Desk.fail, len(BODY)),
    ],
)
async def test_whoever_leaves_takes_everything_along(way, handler, sent, caplog):
    desk = Desk()
    async with desk.serve(handler, way) as (port, connections):
        await come_and_leave(desk, port, connections, sent)
        gc.collect()
        gc.disable()
        tracemalloc.start()
        try:
            for _ in range(TIMES):
                await come_and_leave(desk, port, connections, sent)
            kept, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            gc.enable()
    assert kept < PART / 2, "at least one body is still kept"
    assert not caplog.records
