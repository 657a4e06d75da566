"""GET /v1/events: decided blocks as Server-Sent Events."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import structlog
from aiohttp import web

from notarium_ledger.types import Height
from notarium_node.api.problems import ApiProblem, parse_int
from notarium_node.api.queries import block_json
from notarium_store.errors import HistoryIncomplete, StoreError
from notarium_store.layout import StoredHeader

if TYPE_CHECKING:
    from notarium_node.node import Node

_log = structlog.get_logger("notarium.api")

MAX_STREAMS = 256
KEEPALIVE_S = 15.0


class Events:
    """Each reader follows at its own pace: what is sent is read from the store, so a slow one costs no memory."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._streams: dict[asyncio.Event, web.Request] = {}
        node.waiters.subscribe(lambda decision, transition: self._wake())
        self._closing = False

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Blocks above `after` (or the Last-Event-ID header), as they are decided."""
        if len(self._streams) >= MAX_STREAMS:
            self._end_the_left()
        if len(self._streams) >= MAX_STREAMS:
            raise ApiProblem("busy", f"{MAX_STREAMS} event streams are open already", headers={"Retry-After": "10"})
        last = request.headers.get("Last-Event-ID", "")
        start = int(last) if last.isascii() and last.isdigit() and len(last) < 19 else self._node.store.state.height
        height = parse_int(request, "after", start, 0, 2**62)
        if height < self._node.store.state.height:
            self._node.store.stored_header(Height(height + 1))  # Refused before it begins, if it is not here.
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        news = asyncio.Event()
        self._streams[news] = request
        try:
            await response.write(b": notarium\n\n")
            while not self._closing and not _has_left(request):
                while height < self._node.store.state.height:
                    height += 1
                    stored = self._node.store.stored_header(Height(height))
                    if stored is None:
                        return response
                    await response.write(_event(stored))
                    # A write into a buffer with room does not wait: a reader of the whole chain must let others in.
                    await asyncio.sleep(0)
                news.clear()
                try:
                    async with asyncio.timeout(KEEPALIVE_S):
                        await news.wait()
                except TimeoutError:
                    await response.write(b": alive\n\n")
        except (ConnectionResetError, HistoryIncomplete):
            pass  # The reader left; or this node has skipped blocks, and the reader comes again or goes elsewhere.
        except StoreError as error:
            # Too late for another answer. Likewise the reader comes again, and is refused before the stream begins.
            _log.error("the store failed", path=request.path, error=str(error))
        finally:
            self._streams.pop(news, None)
        return response

    async def close(self, app: web.Application) -> None:
        """End all streams, so that the server can stop."""
        self._closing = True
        self._wake()

    def _end_the_left(self) -> None:
        """A stream notices only when it writes that its reader has left, and until then keeps its place."""
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
