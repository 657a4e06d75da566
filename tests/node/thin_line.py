"""A TCP line of few bits per second between two nodes of a test: a proxy with small buffers.

A direction carries `rate` bytes per second, and nothing while the test keeps it closed. The buffers of the kernel are
as small as it allows, so that what waits, waits at the sender.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager

STEP_S = 0.005
BUFFER_BYTES = 4096


class Direction:
    """One way of the line."""

    def __init__(self, rate: float | None = None) -> None:
        """`rate`: bytes per second; None: all that comes."""
        self._rate = rate
        self._opened = asyncio.Event()
        self._opened.set()
        self.passed = 0

    def close(self) -> None:
        """Let nothing pass."""
        self._opened.clear()

    def open(self) -> None:
        """Let pass what comes."""
        self._opened.set()

    async def _next(self) -> int:
        """How many bytes may pass now."""
        if self._rate is None:
            return 1 << 16
        await asyncio.sleep(STEP_S)
        return max(1, round(self._rate * STEP_S))

    async def carry(self, source: socket.socket, target: socket.socket) -> None:
        """Until one end closes."""
        loop = asyncio.get_running_loop()
        while True:
            data = await loop.sock_recv(source, await self._next())
            if not data:
                return
            await self._opened.wait()
            await loop.sock_sendall(target, data)
            self.passed += len(data)


@asynccontextmanager
async def thin_line(port, to_port, there, back):
    """Listens on `port`; carries to `to_port` by `there` and back by `back`. One connection after the other."""
    loop = asyncio.get_running_loop()
    listener = _socket()
    listener.bind(("127.0.0.1", port))
    listener.listen()
    lines: set[asyncio.Task[None]] = set()

    async def serve(near):
        far = _socket()
        ways = []
        try:
            await loop.sock_connect(far, ("127.0.0.1", to_port))
            ways = [asyncio.create_task(there.carry(near, far)), asyncio.create_task(back.carry(far, near))]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        except OSError:
            return
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            near.close()
            far.close()

    async def accept():
        while True:
            near, _ = await loop.sock_accept(listener)
            near.setblocking(False)
            line = asyncio.create_task(serve(near))
            lines.add(line)
            line.add_done_callback(lines.discard)

    acceptor = asyncio.create_task(accept())
    try:
        yield
    finally:
        tasks = [acceptor, *lines]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        listener.close()


def _socket() -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
    made.setblocking(False)
    return made
