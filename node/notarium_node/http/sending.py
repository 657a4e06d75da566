"""Sends large answers piece by piece, to clients that take them, and to few at a time.

aiohttp alone hands an answer to the transport as a whole: 400 clients that ask for a block of 2 MB and never read held
1.1 GB, for good.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web

from notarium_node.http.pace import LEAST_BYTES, STALL_S
from notarium_node.http.server import HardenedConnection

LARGE = LEAST_BYTES
"""Answers up to this size are sent at once; the server's own look (server.py) ends those that are not taken. It is also
the size of a piece, which a client must take within STALL_S."""


async def send(request: web.BaseRequest, answer: web.Response) -> web.StreamResponse:
    """Send a large `answer` in pieces; the answer that the handler has to return."""
    body = answer.body
    if not isinstance(body, bytes) or len(body) <= LARGE or request.method == "HEAD":
        return answer
    stream = web.StreamResponse(status=answer.status, headers=answer.headers)
    stream.content_length = len(body)
    with paced(request):
        await stream.prepare(request)
        for start in range(0, len(body), LARGE):
            await write(request, stream, body[start : start + LARGE])
        await stream.write_eof()
    return stream


async def write(request: web.BaseRequest, stream: web.StreamResponse, data: bytes) -> None:
    """Send a piece. Raises ConnectionResetError, and has disconnected the client, where it takes none in time."""
    try:
        async with asyncio.timeout(STALL_S):
            await stream.write(data)
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionResetError(f"the client took nothing for {STALL_S:.0f} s") from None


@contextmanager
def paced(request: web.BaseRequest) -> Iterator[None]:
    """What is sent within has its deadline by `write`."""
    connection = request.protocol
    if isinstance(connection, HardenedConnection):
        connection.is_paced = True
    try:
        yield
    finally:
        if isinstance(connection, HardenedConnection):
            connection.is_paced = False
