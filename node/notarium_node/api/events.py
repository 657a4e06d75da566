"""GET /v1/events: decided blocks as Server-Sent Events."""

from __future__ import annotations

import asyncio
import json

import structlog
from aiohttp import web

from notarium_ledger.types import Height
from notarium_node.api.problems import ApiProblem, ProblemType, parse_int
from notarium_node.api.views import block_json
from notarium_node.node import Node
from notarium_store.errors import HistoryIncomplete, StoreError
from notarium_store.layout import StoredHeader

_log = structlog.get_logger("notarium.api")

MAX_STREAMS = 256
KEEPALIVE_S = 15.0


class Events:
    """Each reader follows at its own pace: blocks are read from the store, so a slow reader costs no memory."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._streams: dict[asyncio.Event, web.Request] = {}
        node.waiters.subscribe(lambda decision, transition: self._wake())
        self._closing = False

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Blocks above `after` (or the Last-Event-ID header), as they are decided."""
        if len(self._streams) >= MAX_STREAMS:
            self._drop_departed()
        if len(self._streams) >= MAX_STREAMS:
            raise ApiProblem(
                ProblemType.BUSY,
                f"{MAX_STREAMS} event streams are open already",
                remedy="Close other streams, or ask another node.",
                retry_after_s=10,
                limit=MAX_STREAMS,
            )
        height = self._start(request)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        news = asyncio.Event()
        self._streams[news] = request
        try:
            await response.write(b": notarium\n\n")
            await self._follow(request, response, news, height)
        except (ConnectionResetError, HistoryIncomplete):
            pass  # The reader left; or this node skipped blocks, and the reader reconnects here or to another node.
        except StoreError as error:
            # Too late for another answer. The reader reconnects too, and is then refused before the stream begins.
            _log.error("the store failed", path=request.path, error=str(error))
        finally:
            self._streams.pop(news, None)
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
                await response.write(_event(stored))
                # A write into a buffer with room does not wait, so a reader of the whole chain yields here.
                await asyncio.sleep(0)
            news.clear()
            try:
                async with asyncio.timeout(KEEPALIVE_S):
                    await news.wait()
            except TimeoutError:
                await response.write(b": alive\n\n")

    async def close(self, app: web.Application) -> None:
        """End all streams, so that the server can stop."""
        self._closing = True
        self._wake()

    def _drop_departed(self) -> None:
        """A stream notices only on its next write that its reader has left, and keeps its place until then."""
        for news in [news for news, request in self._streams.items() if _has_left(request)]:
            del self._streams[news]
            news.set()

    def _wake(self) -> None:
        for each in self._streams:
            each.set()


def _has_left(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


def _event(stored: StoredHeader) -> bytes:
    return f"id: {stored.header.height}\nevent: block\ndata: {json.dumps(block_json(stored))}\n\n".encode()
