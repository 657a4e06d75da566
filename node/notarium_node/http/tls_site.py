"""HTTPS for the API, with short TLS handshakes of which no address has many at a time.

aiohttp counts a connection only after its handshake, for which it gives 60 s. Without a bound, clients that connect and
say nothing would use up the process's open files, which peers and the store need, too.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import cast

import structlog
from aiohttp import web

from notarium_node.http.pace import Ending
from notarium_node.http.places import Held, Places, address_of

HANDSHAKE_S = 10.0
MOST = 256
MOST_OF_ONE = 64
"""Handshakes of one address. For one more, its oldest one is ended: an honest one takes milliseconds."""
BACKLOG = 128
ACCEPT_AGAIN_S = 0.5
"""After the machine could not accept a connection."""

_log = structlog.get_logger("notarium.http")


class TlsSite(web.BaseSite):
    """Serves the application of `runner` over TLS."""

    def __init__(
        self,
        runner: web.BaseRunner,
        host: str,
        port: int,
        *,
        ssl_context: ssl.SSLContext,
        exempt: Collection[str] = (),
        endings: Counter[Ending] | None = None,
    ) -> None:
        """Addresses in `exempt` have no limit. `endings`: counts the handshakes that fail or are ended."""
        super().__init__(runner, ssl_context=ssl_context)
        self._host = host
        self._port = port
        self._context = ssl_context
        self._exempt = exempt
        self._endings = Counter[Ending]() if endings is None else endings

    @property
    def name(self) -> str:
        """The URL."""
        return f"https://{self._host}:{self._port}"

    async def start(self) -> None:
        """Listen. Raises OSError if the address cannot be bound."""
        await super().start()
        server = self._runner.server
        if server is None:
            raise RuntimeError("call runner.setup() before this")
        listeners = await _bind(self._host, self._port)
        made = _TlsServer(listeners, self._context, server, self._exempt, self._endings)
        self._server = cast(asyncio.AbstractServer, made)  # aiohttp reads its sockets and closes it.


class _TlsServer:
    """Accepts connections until it is closed."""

    def __init__(
        self,
        listeners: list[socket.socket],
        context: ssl.SSLContext,
        protocol: Callable[[], asyncio.Protocol],
        exempt: Collection[str],
        endings: Counter[Ending],
    ) -> None:
        self.sockets = listeners
        self._context = context
        self._protocol = protocol
        self._exempt = exempt
        self._endings = endings
        self._places = Places(MOST, MOST_OF_ONE)
        self._pending: dict[socket.socket, str] = {}
        """Of the handshakes, the oldest first, with the address that each counts for; "" for an exempt one."""
        self._tasks = {asyncio.create_task(self._accept(each)) for each in listeners}

    def close(self) -> None:
        """Listen no more, and end the handshakes."""
        for task in self._tasks:
            task.cancel()
        for each in self.sockets:
            each.close()
        for each in list(self._pending):
            self._end(each)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, peer = await loop.sock_accept(listener)
            except OSError as error:
                # No file descriptors left, or the connection ended at once: others may still come.
                _log.error("cannot accept a connection to the API", error=str(error))
                await asyncio.sleep(ACCEPT_AGAIN_S)
                continue
            address = address_of(peer[0], "", ())
            if address in self._exempt:
                address = ""
            else:
                self._make_room(address)
            self._pending[connection] = address
            task = asyncio.create_task(self._shake_hands(connection))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            await asyncio.sleep(0)  # While more wait to be accepted, sock_accept gives nobody else a turn.

    def _make_room(self, address: str) -> None:
        while (held := self._places.take(address)) is not None:
            oldest = next(each for each, of in self._pending.items() if of == address or (of and held is Held.BY_ALL))
            self._end(oldest)

    def _end(self, connection: socket.socket) -> None:
        """Its handshake fails then, and asyncio closes it."""
        self._forget(connection)
        with suppress(OSError):  # The client has left already.
            connection.shutdown(socket.SHUT_RDWR)

    def _forget(self, connection: socket.socket) -> None:
        if address := self._pending.pop(connection, ""):
            self._places.release(address)

    async def _shake_hands(self, connection: socket.socket) -> None:
        protocol = self._protocol()
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: protocol, connection, ssl=self._context, ssl_handshake_timeout=HANDSHAKE_S
            )
        except OSError as error:
            self._endings[Ending.NO_TLS] += 1
            _log.debug("a TLS handshake failed", error=str(error) or type(error).__name__)
        finally:
            self._forget(connection)


async def _bind(host: str, port: int) -> list[socket.socket]:
    """Listening sockets on all addresses of `host`; "" means all of the machine."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    listeners: list[socket.socket] = []
    try:
        for family, _, _, _, address in dict.fromkeys(found):
            listener = socket.create_server(address[:2], family=family, backlog=BACKLOG)
            listeners.append(listener)
            listener.setblocking(False)
    except OSError:
        for each in listeners:
            each.close()
        raise
    return listeners
