"""The WebSockets of peers. They take whole frames only, and their writers never wait.

A WebSocket message may come in fragments, and aiohttp shows a message only once it is whole. So fragments that complete
none cost this node its time, and no limit of the link counted them: empty ones of one member, to three of four nodes at
once, made an honest client wait for more than four seconds. Honest nodes send no fragments: what is large travels in
pieces, each a message of its own (parcels.py).
"""

from __future__ import annotations

import sys
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.http import WebSocketReader, WebSocketWriter

UNLIMITED = sys.maxsize
"""For aiohttp's writers: they never wait, because the link itself bounds its send queue (Link.send)."""


class WholeFrames(WebSocketReader):
    """aiohttp's reader, but the first fragment of a message is a breach of the protocol."""

    __slots__ = ()

    def _handle_frame(self, fin: bool, opcode: int, payload: bytes | bytearray, compressed: int) -> None:
        if not fin:
            raise aiohttp.WebSocketError(
                aiohttp.WSCloseCode.PROTOCOL_ERROR, "it sent a fragment, only whole frames are allowed"
            )
        super()._handle_frame(fin, opcode, payload, compressed)


class DialledSocket(aiohttp.ClientWebSocketResponse):
    """The end of the node that opened the connection. Its transport is exposed."""

    def __init__(self, reader: Any, writer: WebSocketWriter, *args: Any, max_message_bytes: int, **kwargs: Any) -> None:
        self.transport = writer.transport
        self._whole = WholeFrames(reader, max_message_bytes, compress=False, decode_text=True)
        unlimited = WebSocketWriter(writer.protocol, writer.transport, use_mask=True, limit=UNLIMITED)
        super().__init__(reader, unlimited, *args, **kwargs)

    @property
    def _parser(self) -> WebSocketReader | None:
        """What aiohttp gives the received bytes to."""
        return self._whole

    @_parser.setter
    def _parser(self, made: WebSocketReader | None) -> None:
        """aiohttp sets the reader that it made, which joins fragments. It is not used."""


class AcceptedSocket(web.WebSocketResponse):
    """The other end."""

    _whole: WholeFrames | None = None

    @property
    def _parser(self) -> WebSocketReader | None:
        """As above."""
        return self._whole

    @_parser.setter
    def _parser(self, made: WebSocketReader | None) -> None:
        """As above. aiohttp sets it once the connection is upgraded, when there is a queue of messages."""
        if self._reader is None:
            raise RuntimeError("this version of aiohttp differs from the supported one: install the locked version")
        self._whole = WholeFrames(self._reader, self._max_msg_size, compress=False, decode_text=True)
