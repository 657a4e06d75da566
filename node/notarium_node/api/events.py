"""GET /v1/events: decided blocks as Server-Sent Events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import structlog
from aiohttp import web

from notarium_ledger.types import Height
from notarium_node.api.problems import full, parse_int
from notarium_node.api.views import block_json
from notarium_node.http.places import Places
from notarium_node.http.sending import paced, write
from notarium_node.node import Node
from notarium_store.errors import HistoryIncomplete, StoreError
from notarium_store.layout import StoredHeader

_log = structlog.get_logger("notarium.api")

MAX_STREAMS = 256
MAX_STREAMS_OF_ONE = 64
"""Of one address."""
KEEPALIVE_S = 15.0


class Events:
    """Each reader follows at its own pace: blocks are read from the store, so a slow reader costs no memory."""

    def __init__(self, node: Node, address: Callable[[web.BaseRequest], str]) -> None:
        """`address`: of the client, for its part of the streams."""
        self._node = node
        self._address = address
        self._places = Places(MAX_STREAMS, MAX_STREAMS_OF_ONE)
        self._streams: dict[asyncio.Event, tuple[web.Request, str]] = {}
        node.waiters.subscribe(lambda decision, transition: self._wake())
        self._closing = False

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Blocks above `after` (or the Last-Event-ID header), as they are decided."""
        address = self._address(request)
        if self._places.full(address) is not None:
            self._drop_departed()
        height = self._start(request)
        held = self._places.take(address)
        if held is not None:
            raise full(held, "event streams", self._places, retry_after_s=10)
        news = asyncio.Event()
        self._streams[news] = request, address
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        try:
            with paced(request):
                await response.prepare(request)
                await write(request, response, b": notarium\n\n")
                await self._follow(request, response, news, height)
        except (ConnectionResetError, HistoryIncomplete):
            pass  # The reader left; or this node skipped blocks, and the reader reconnects here or to another node.
        except StoreError as error:
            # Too late for another answer. The reader reconnects too, and is then refused before the stream begins.
            _log.error("the store failed", path=request.path, error=str(error))
        finally:
            self._free(news)
        return response

    def _start(self, request: web.Request) -> int:
        """The height to go on from. Raises HistoryIncomplete where the next block is not here."""
        tip = self._node.store.state.height
        last = request.headers.get("Last-Event-ID", "")
        default = int(last) if last.isascii() and last.isdigit() and len(last) < 19 else tip
        height = parse_int(request, "after", default, minimum=0, maximum=2**62)
        if height < tip:
            self._node.store.stored_header(Height(height + 1))
        return height

    async def _follow(
        self, request: web.Request, response: web.StreamResponse, news: asyncio.Event, height: int
    ) -> None:
        """Send the blocks above `height` until the reader leaves or the server stops."""
        while not self._closing and not _has_left(request):
            while height < self._node.store.state.height:
                height += 1
                stored = self._node.store.stored_header(Height(height))
                if stored is None:
                    return
                await write(request, response, _event(stored))
                # A write into a buffer with room does not wait, so a reader of the whole chain yields here.
                await asyncio.sleep(0)
            news.clear()
            try:
                async with asyncio.timeout(KEEPALIVE_S):
                    await news.wait()
            except TimeoutError:
                await write(request, response, b": alive\n\n")

    async def close(self, app: web.Application) -> None:
        """End all streams, so that the server can stop."""
        self._closing = True
        self._wake()

    def _drop_departed(self) -> None:
        """A stream notices only on its next write that its reader has left, and keeps its place until then."""
        for news in [news for news, (request, _) in self._streams.items() if _has_left(request)]:
            self._free(news)
            news.set()

    def _free(self, news: asyncio.Event) -> None:
        """Give the place back, once."""
        stream = self._streams.pop(news, None)
        if stream is not None:
            self._places.release(stream[1])

    def _wake(self) -> None:
        for each in self._streams:
            each.set()


def _has_left(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


def _event(stored: StoredHeader) -> bytes:
    return f"id: {stored.header.height}\nevent: block\ndata: {json.dumps(block_json(stored))}\n\n".encode()
