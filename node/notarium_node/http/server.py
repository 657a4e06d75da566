"""aiohttp's HTTP server, for doors at which strangers knock: what is no HTTP costs no memory, who is silent no place.

aiohttp alone logs an error with its traceback for each, goes on parsing what follows a broken head, and keeps every
piece of it (an exception, whose traceback holds the frame, which holds the received bytes, in a cycle) until the
garbage collector comes by: endless heads on two connections took 900 MiB in ten seconds.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from typing import Any

import structlog
from aiohttp import web
from aiohttp.web_protocol import RequestHandler, _ErrInfo

from notarium_node.api.problems import ApiProblem

_log = structlog.get_logger("notarium.http")

_USED = ("_messages", "_current_request", "_force_close", "handle_error")
"""What is used here of aiohttp's RequestHandler, most of it private to aiohttp."""
_CHANGED = "this version of aiohttp is built otherwise, and strangers could fill the memory: install the locked one"


class HardenedConnection(RequestHandler):
    """One connection."""

    __slots__ = ()

    def data_received(self, data: bytes) -> None:
        """As aiohttp's, but after the first broken head nothing more is read, and the bytes are let go."""
        super().data_received(data)
        for message, _ in self._messages:
            if isinstance(message, _ErrInfo):
                message.exc.__traceback__ = None
                # Ends the connection with the answer that is under way or, if there is none, with the refusal.
                self.close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """As aiohttp's, but somebody else's broken request is no error of this node."""
        if status != 400 or request.writer.output_size > 0:
            return super().handle_error(request, status, exc, message)
        _log.debug("not HTTP", address=request.remote, error=message)
        said = " ".join((message or "not HTTP").split())[:200]
        response = ApiProblem("malformed", f"request: {said}", field="request").response()
        response.force_close()
        return response


class HardenedServer(web.Server):
    """Makes such connections. `options` are those of aiohttp's RequestHandler."""

    def __init__(self, handler: Any, request_factory: Any = None, *, most: int = sys.maxsize, **options: Any) -> None:
        """`most`: so many connections may be open; for more, the longest open one without a request is closed.

        Where all have requests under way the newcomer stays: the application decides what to tell it.
        Raises RuntimeError where aiohttp has changed, rather than going on without these bounds.
        """
        if not all(hasattr(RequestHandler, name) for name in _USED):
            raise RuntimeError(_CHANGED)
        super().__init__(handler, request_factory=request_factory, **options)
        self._most = most
        self._options = options

    def __call__(self) -> RequestHandler:
        """For another connection."""
        return HardenedConnection(self, loop=self._loop, **self._options)

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        """Strangers can fill the room, but not keep it: aiohttp has no time limit for the first request."""
        super().connection_made(handler, transport)
        if len(self._connections) <= self._most:
            return
        open_ = [each for each in self._connections if not each._force_close]
        silent = (each for each in open_ if each is not handler and each._current_request is None)
        for oldest in itertools.islice(silent, max(0, len(open_) - self._most)):
            oldest.force_close()


class HardenedAppRunner(web.AppRunner):
    """Serves an application by way of such connections, `most` at a time."""

    def __init__(self, app: web.Application, *, most: int = sys.maxsize, **options: Any) -> None:
        super().__init__(app, **options)
        self._most = most

    async def setup(self) -> None:
        """As aiohttp's. Raises RuntimeError where it has changed, as Server does."""
        await super().setup()
        if not isinstance(self.server, HardenedServer):
            raise RuntimeError(_CHANGED)

    async def _make_server(self) -> web.Server:
        plain = await super()._make_server()
        return HardenedServer(plain.request_handler, plain.request_factory, most=self._most, **self._kwargs)
