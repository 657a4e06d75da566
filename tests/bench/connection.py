"""An HTTP/1.1 client for one keep-alive connection, as cheap as Python allows: it shares the machine with the nodes."""

from __future__ import annotations

import asyncio
import re

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)


class BadAnswer(Exception):
    """The node answered with something else than was asked for."""


class Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[bytes] | None = None
        self._received = bytearray()
        self._body_at = self._end = 0

    async def open(self) -> None:
        """Connect. Raises OSError."""
        await asyncio.get_running_loop().create_connection(lambda: self, *self._address)

    def close(self) -> None:
        """Hang up."""
        if self._transport:
            self._transport.close()

    async def post(self, path: str, body: bytes) -> bytes:
        """POST msgpack and return the body of a 200. Raises BadAnswer and ConnectionError."""
        if self._transport is None:
            raise ConnectionError("not connected")
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {self._address[0]}:{self._address[1]}\r\nAccept: application/msgpack\r\n"
            f"Content-Type: application/msgpack\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(head.encode() + body)
        return await self._answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio.Protocol."""
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """asyncio.Protocol."""
        self._received += data
        if not self._end:
            head_end = self._received.find(b"\r\n\r\n")
            if head_end < 0:
                return
            length = _LENGTH.search(self._received, 0, head_end + 2)
            if length is None:
                self._fail(BadAnswer(f"no Content-Length: {bytes(self._received[:500])!r}"))
                return
            self._body_at = head_end + 4
            self._end = self._body_at + int(length[1])
        if len(self._received) >= self._end:
            self._finish()

    def connection_lost(self, error: Exception | None) -> None:
        """asyncio.Protocol."""
        self._fail(ConnectionError(f"{self._address}: the node hung up: {error}"))

    def _finish(self) -> None:
        status, body = bytes(self._received[9:12]), bytes(self._received[self._body_at : self._end])
        del self._received[: self._end]
        self._end = 0
        if status != b"200":
            self._fail(BadAnswer(f"{status.decode(errors='replace')}: {body[:1000].decode(errors='replace')}"))
        elif self._answer and not self._answer.done():
            self._answer.set_result(body)

    def _fail(self, error: Exception) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_exception(error)
