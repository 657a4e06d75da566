"""aiohttp's HTTP server, hardened: bytes that are not HTTP cost no memory, and idle connections give up their place.

aiohttp alone logs an error with its traceback for every malformed request, goes on parsing what follows a broken head,
and keeps all of it (an exception whose traceback holds the frame that holds the received bytes, in a cycle) until the
next garbage collection: endless heads on two connections took 900 MiB in ten seconds.
"""

from __future__ import annotations

import asyncio
import math
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from itertools import chain, islice
from typing import Any

import structlog
from aiohttp import hdrs, web
from aiohttp.http import HttpProcessingError
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from aiohttp.web_protocol import RequestHandler, _ErrInfo

from notarium_node.http.pace import STALL_S, Ending, Pace, taken_by
from notarium_node.http.places import FORWARDED, Places, address_of
from notarium_node.http.turns import FairTurns

_log = structlog.get_logger("notarium.http")

_USED = (
    "_buffer_paused",
    "_close",
    "_current_request",
    "_force_close",
    "_lingering_time",
    "_messages",
    "_reading_paused",
    "_request_count",
    "_upgraded",
    "_waiter",
    "handle_error",
)
"""What this module uses of aiohttp's RequestHandler, most of it private to aiohttp."""
_CHANGED = (
    "this version of aiohttp differs from the supported one, and clients could fill this node's memory: "
    "install the locked version"
)

SURPLUS = 32
"""Connections above the part of their address that get an answer; those beyond are cut off."""
BEGINNINGS = 8
"""Requests that begin in one turn of the event loop; addresses take turns. Otherwise a turn would serve one request of
every open connection, and votes would wait for 400 of them."""
HEAD_PIECE = 1024
"""Bytes that are parsed at a time where the head of a request is expected: most heads are shorter. What follows a head
that is refused is not parsed."""
LINGER_S = 1.0
"""What follows such a head is thrown away for so long, because a client that still sends would not see the refusal."""
LOOKS = 2
"""How often a client is looked at within the time that a part of its answer may take."""

MAX_HEAD_BYTES = 16 * 1024
"""Of a request. aiohttp bounds each line and their number, not their sum, and keeps a head as long as its request."""

BadRequest = Callable[[str], web.Response]
"""Makes the 400 answer to a malformed request, from one line that says what is wrong with it."""
Begin = Callable[[web.BaseRequest], Awaitable[None]]
"""Waits until work for a request may begin."""


def plain_bad_request(detail: str) -> web.Response:
    """The answer in plain text."""
    return web.Response(status=400, text=f"{detail}\n")


class HardenedConnection(RequestHandler):
    """One connection."""

    __slots__ = (
        "_bad_request",
        "_body",
        "_body_bytes",
        "_endings",
        "_head_bytes",
        "address",
        "arrived_s",
        "begin",
        "has_begun",
        "is_paced",
        "is_surplus",
        "pace",
    )

    def __init__(
        self,
        server: web.Server,
        *,
        bad_request: BadRequest,
        endings: Counter[Ending],
        stall_s: float,
        begin: Begin,
        **options: Any,
    ) -> None:
        super().__init__(server, **options)
        self.begin = begin
        self.arrived_s = 0.0
        """When the head of the last request was whole, by the clock of the event loop."""
        self._bad_request = bad_request
        self._endings = endings
        self.address = ""
        """Of the other end, "" where it holds no place."""
        self.is_surplus = False
        """Its address has its part of the connections already: a request is refused, and the connection closed."""
        self.is_paced = False
        """What is sent now has a deadline of its own (http/sending.py)."""
        self._head_bytes = 0
        """Of the head that has begun to arrive."""
        self.has_begun = False
        """The head of a request has begun to arrive and is not whole yet."""
        self.pace = Pace(stall_s)
        self._body: StreamReader | None = None
        """Of the last request whose head was whole."""
        self._body_bytes = 0  # As announced.

    def data_received(self, data: bytes) -> None:
        """As aiohttp does, but reads nothing after the first head that is refused, and releases its bytes."""
        start = 0
        while True:
            is_stored = self._upgraded or self._buffer_paused or self._reading_paused  # Not parsed now.
            end = len(data) if is_stored else min(len(data), start + self._piece())
            before = self._request_count
            super().data_received(data[start:end])
            if self._request_count != before:
                self._look_at(self._request_count - before)
            self.has_begun = self._waiter is not None and not self._messages
            self._head_bytes = self._head_bytes + end - start if self.has_begun else 0
            if self._head_bytes > MAX_HEAD_BYTES and self._waiter is not None and not self._waiter.done():
                self._messages.append(_too_long())
                self._waiter.set_result(None)
                self._look_at(1)
            start = end
            if start >= len(data) or self._close or self._force_close:
                break

    def connection_lost(self, exc: BaseException | None) -> None:
        """Its last body refers to it: without this, both would wait for the next garbage collection."""
        super().connection_lost(exc)
        self._body = None

    def _piece(self) -> int:
        """How many bytes to parse next: the rest of a body, or a little of a head."""
        if self._body is None or self._body.is_eof():
            return HEAD_PIECE
        return max(HEAD_PIECE, self._body_bytes - self._body.total_bytes)

    def _look_at(self, new: int) -> None:
        """The heads that have just become whole: so many."""
        self.arrived_s = self._loop.time()
        for at in range(len(self._messages) - new, len(self._messages)):
            message, self._body = self._messages[at]
            if not isinstance(message, _ErrInfo) and sum(map(len, chain(*message.raw_headers))) > MAX_HEAD_BYTES:
                self._messages[at] = message, self._body = _too_long()
            if isinstance(message, _ErrInfo):
                message.exc.__traceback__ = None
            elif message.chunked or message.method == hdrs.METH_CONNECT:
                # What follows is not parsed: it may be millions of chunks of a byte each.
                self._lingering_time = LINGER_S
            else:
                self._body_bytes = int(message.headers.get(hdrs.CONTENT_LENGTH, "0"))
                continue
            # Ends the connection after the answer in progress or, without one, after the refusal.
            self.close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """As aiohttp does, but a malformed request is not logged as an error of this node."""
        if status != 400 or request.writer.output_size > 0:
            return super().handle_error(request, status, exc, message)
        self._endings[Ending.NOT_HTTP] += 1
        _log.debug("not HTTP", address=request.remote, error=message)
        response = self._bad_request(" ".join((message or "not HTTP").split())[:200])
        response.force_close()
        return response


async def begin(request: web.BaseRequest) -> None:
    """Wait for a turn after a wait that may end for many at once. Raises ConnectionResetError if the client left."""
    connection = request.protocol
    if isinstance(connection, HardenedConnection):
        await connection.begin(request)


def arrived_s(request: web.BaseRequest) -> float:
    """When the request had arrived, or later, by the clock of the event loop; infinity where nobody knows."""
    connection = request.protocol
    return connection.arrived_s if isinstance(connection, HardenedConnection) else math.inf


def _too_long() -> tuple[_ErrInfo, StreamReader]:
    """What stands for a request whose head is too long."""
    said = f"the head of the request has more than {MAX_HEAD_BYTES} bytes: send fewer or shorter header lines"
    return _ErrInfo(status=400, exc=HttpProcessingError(code=400, message=said), message=said), EMPTY_PAYLOAD


def _while_open(handler: Any) -> Any:
    """The handler, but nothing is done for a connection that was closed between its request and the handler's turn.

    And a client that leaves takes along what was kept for it. aiohttp keeps an exception of its handler in two cycles
    (the body's reader, the task of the handler), with all frames and so with the body, until the next garbage
    collection, for which a node at rest may wait for hours: 24 clients that left within their batches held 160 MiB.
    """

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        if request.transport is not None:
            try:
                await begin(request)
                response: web.StreamResponse = await handler(request)
            except ConnectionError as error:
                _log.debug("a client left", address=request.remote, error=str(error))
                _let_go(error)
                if request.transport is not None:
                    request.transport.abort()  # Half an answer may have been sent: no other one can follow.
            else:
                return response
            finally:
                _let_go(request.content.exception())
        return web.Response()  # Not sent, because the connection is closed; aiohttp takes that well.

    return handle


def _let_go(error: BaseException | None) -> None:
    """Release the frames that `error` holds."""
    while error is not None:
        error.__traceback__ = None
        error = error.__context__


class HardenedServer(web.Server):
    """Makes such connections. `options` are those of aiohttp's RequestHandler."""

    def __init__(
        self,
        handler: Any,
        request_factory: Any = None,
        *,
        most: int = sys.maxsize,
        places: Places | None = None,
        exempt: Collection[str] = (),
        stall_s: float | None = None,
        bad_request: BadRequest = plain_bad_request,
        endings: Counter[Ending] | None = None,
        **options: Any,
    ) -> None:
        """`most`: how many connections may be open. Above that, the longest open one without a request is closed.

        Where all have a request in progress, the new connection stays, and the application decides how to answer it.
        `places`: the part of each address; those in `exempt` have no limit. `stall_s`: as in pace.py; without it, no
        client is too slow. `endings`: counts the connections that the server ends.
        Raises RuntimeError where aiohttp has changed, because these bounds would not hold.
        """
        if not all(hasattr(RequestHandler, name) for name in _USED):
            raise RuntimeError(_CHANGED)
        super().__init__(_while_open(handler), request_factory=request_factory, **options)
        self._most = most
        self._places = places
        self._exempt = exempt
        self._turns = FairTurns(BEGINNINGS)
        self._stall_s = stall_s
        self._next_look: asyncio.TimerHandle | None = None
        self._bad_request = bad_request
        self._options = options
        self._endings = Counter[Ending]() if endings is None else endings

    def __call__(self) -> RequestHandler:
        """One more connection."""
        return HardenedConnection(
            self,
            loop=self._loop,
            bad_request=self._bad_request,
            endings=self._endings,
            stall_s=self._stall_s or STALL_S,
            begin=self._begin,
            **self._options,
        )

    async def _begin(self, request: web.BaseRequest) -> None:
        forwarded = ",".join(request.headers.getall(FORWARDED, ()))
        await self._turns.begin(address_of(request.remote, forwarded, self._exempt))
        if request.transport is None:
            raise ConnectionResetError("the client left")

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        """Clients may fill all places but not hold them idle: aiohttp has no time limit for the first request."""
        super().connection_made(handler, transport)
        if self._stall_s is not None and self._next_look is None:
            self._next_look = self._loop.call_later(self._stall_s / LOOKS, self._look, self._stall_s)
        if isinstance(handler, HardenedConnection) and self._places is not None:
            self._seat(handler, transport, self._places)
        if len(self._connections) <= self._most:
            return
        open_ = [each for each in self._connections if not each._force_close]
        idle = (each for each in open_ if each is not handler and each._current_request is None)
        for oldest in islice(idle, max(0, len(open_) - self._most)):
            oldest.force_close()

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        """Its place is free."""
        super().connection_lost(handler, exc)
        if self._places is not None and isinstance(handler, HardenedConnection) and handler.address:
            self._places.release(handler.address)
            handler.address = ""

    def _seat(self, handler: HardenedConnection, transport: asyncio.Transport, places: Places) -> None:
        """Give the connection one of its address's places, or make it a surplus one."""
        address = address_of((transport.get_extra_info("peername") or ("",))[0], "", ())
        if address in self._exempt or places.take(address) is None:
            handler.address = "" if address in self._exempt else address
            return
        handler.is_surplus = True
        same = [
            each
            for each in self._connections
            if isinstance(each, HardenedConnection) and (each.address == address or each.is_surplus)
        ]
        idle = [each for each in same if each._current_request is None and not each._force_close]
        seated = next((each for each in idle if each.address == address), None)
        if seated is not None:
            handler.is_surplus, handler.address, seated.address = False, address, ""
            seated.force_close()
        elif sum(each.is_surplus for each in same) > SURPLUS:
            self._endings[Ending.SURPLUS] += 1
            # Not at once: aiohttp's task for the connection begins after this, and fails without a transport.
            self._loop.call_soon(transport.abort)

    def _look(self, stall_s: float) -> None:
        """Disconnect clients that send their head or take their answer too slowly."""
        now = self._loop.time()
        for each in list(self._connections):
            if not isinstance(each, HardenedConnection) or each.transport is None:
                continue
            unsent = 0 if each.is_paced else each.transport.get_write_buffer_size()
            ending = each.pace.on_head(each.has_begun, now) or each.pace.on_answer(
                unsent, taken_by(each.transport) if unsent else 0, now
            )
            if ending is not None:
                self._endings[ending] += 1
                each.transport.abort()
        again = bool(self._connections)
        self._next_look = self._loop.call_later(stall_s / LOOKS, self._look, stall_s) if again else None


class HardenedAppRunner(web.AppRunner):
    """Serves an application on such connections, `most` at a time."""

    def __init__(
        self,
        app: web.Application,
        *,
        most: int = sys.maxsize,
        places: Places | None = None,
        exempt: Collection[str] = (),
        stall_s: float | None = None,
        bad_request: BadRequest = plain_bad_request,
        endings: Counter[Ending] | None = None,
        **options: Any,
    ) -> None:
        """As for HardenedServer."""
        super().__init__(app, **options)
        self._bounds: dict[str, Any] = {
            "most": most,
            "places": places,
            "exempt": exempt,
            "stall_s": stall_s,
            "endings": endings,
        }
        self._bad_request = bad_request

    async def setup(self) -> None:
        """As aiohttp does. Raises RuntimeError where aiohttp has changed, as HardenedServer does."""
        await super().setup()
        if not isinstance(self.server, HardenedServer):
            raise RuntimeError(_CHANGED)

    async def _make_server(self) -> web.Server:
        plain = await super()._make_server()
        return HardenedServer(
            plain.request_handler,
            plain.request_factory,
            bad_request=self._bad_request,
            **self._bounds,
            **self._kwargs,
        )
