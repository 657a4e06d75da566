"""A TCP line of few bits per second between two nodes of a test: a proxy with small buffers.

One direction carries `rate` bytes per second, or what the test releases. The buffers of the kernel are as small as it
allows, so that what waits, waits at the sender.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager

STEP_S = 0.005
BUFFER_BYTES = 4096


class Direction:
    """One way of the line."""

    def __init__(self, rate: float | None) -> None:
        """`rate`: bytes per second; None: as many as `release` lets pass."""
        self._rate = rate
        self._allowed = 0
        self._changed = asyncio.Event()
        self.passed = 0

    def release(self, count: int) -> None:
        """Let `count` more bytes pass."""
        self._allowed += count
        self._changed.set()

    async def _next(self) -> int:
        """How many bytes may pass now: one or more."""
        if self._rate is not None:
            await asyncio.sleep(STEP_S)
            return max(1, round(self._rate * STEP_S))
        while self.passed >= self._allowed:
            self._changed.clear()
            await self._changed.wait()
        return self._allowed - self.passed

    async def carry(self, source: socket.socket, target: socket.socket) -> None:
        """Until one end closes."""
        loop = asyncio.get_running_loop()
        while True:
            most = await self._next()
            data = await loop.sock_recv(source, min(most, 1 << 16))
            if not data:
                return
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
