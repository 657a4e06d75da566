"""The dialling half of the peer network: from a node record to a greeted link."""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import cast

import aiohttp
import structlog

from notarium_ledger.state.registry import NodeRecord
from notarium_ledger.types import PublicKey
from notarium_node.peers.door import (
    KNOCK_PATH,
    MAX_FIELD_BYTES,
    MAX_HEADERS,
    MAX_LINE_BYTES,
    PATH,
    REFUSED_HEADER,
    DoorRefusal,
)
from notarium_node.peers.link import CLOSE_S, HelloError, Link, LinkSettings, hang_up
from notarium_node.peers.sockets import DialledSocket
from notarium_node.peers.transports import keep_queues_short

_log = structlog.get_logger("notarium.peers")


NOT_REGISTERED: DoorRefusal = "not in the registry"


class DialError(Exception):
    """The address answered, but not as the node that was dialled."""


DIAL_ERRORS = (OSError, TimeoutError, ValueError, aiohttp.ClientError, DialError, HelloError)
"""All failures on the way to a link, an invalid address (ValueError) included. None is a defect of this node."""


class Dialer:
    """Dials between `open` and `close`."""

    def __init__(
        self,
        context: ssl.SSLContext,
        settings: LinkSettings,
        identify: Callable[[ssl.SSLObject | None], NodeRecord | None],
    ) -> None:
        self._context = context
        self._settings = settings
        self._limits = settings.limits
        self._identify = identify
        self.refused_by: set[PublicKey] = set()
        """The nodes that said last that this node is not in their registry."""

    def open(self) -> None:
        """Start; needs the running event loop."""
        self._session = _make_session(self._limits.max_message_bytes)

    async def close(self) -> None:
        """End all that is under way."""
        await self._session.close()

    async def connect(self, record: NodeRecord) -> Link:
        """Dial `record` and greet it. Raises one of DIAL_ERRORS."""
        async with asyncio.timeout(self._limits.handshake_s):
            dialled = await self._upgrade(record)
            if not isinstance(dialled, DialledSocket):
                raise TypeError("the session makes other sockets than DialledSocket")
            transport = dialled.transport
            keep_queues_short(transport)
            try:
                found = self._identify(transport.get_extra_info("ssl_object"))
                if found is None or found.key != record.key:
                    raise DialError(f"another node answers there: {found.member if found else 'unknown'}")
                link = Link(record, dialled, transport, self._settings)
                await link.greet()
            except BaseException:
                hang_up(transport)
                raise
            return link

    async def _upgrade(self, record: NodeRecord) -> aiohttp.ClientWebSocketResponse:
        try:
            dialled: aiohttp.ClientWebSocketResponse = await self._session.ws_connect(
                f"https://{record.address}{PATH}",
                ssl=self._context,
                autoping=False,
                heartbeat=self._limits.heartbeat_s,
                timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_S),
            )
        except aiohttp.WSServerHandshakeError as error:
            self._see_refusal(record, error.headers)
            raise
        return dialled

    async def knock(self, record: NodeRecord) -> None:
        """Ask a node that should dial this one to dial now."""
        try:
            async with (
                asyncio.timeout(self._limits.handshake_s),
                self._session.get(
                    f"https://{record.address}{KNOCK_PATH}", ssl=self._context, allow_redirects=False
                ) as response,
            ):
                self._see_refusal(record, response.headers)
                response.release()
        except DIAL_ERRORS as error:
            # It is down. It dials when it starts.
            _log.debug("knock not answered", member=record.member, reason=explain(error))

    def _see_refusal(self, record: NodeRecord, headers: Mapping[str, str] | None) -> None:
        if headers and headers.get(REFUSED_HEADER) == NOT_REGISTERED:
            self.refused_by.add(record.key)


def explain(error: BaseException) -> str:
    """One line for the log."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, aiohttp.WSServerHandshakeError):
        refusal = error.headers.get(REFUSED_HEADER) if error.headers else None
        return f"it refused this node: {refusal or f'HTTP {error.status}'}"
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        return f"its certificate is not in this node's registry, or this node's is not in its: {error}"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        # In TLS 1.3 the handshake of a stranger succeeds at its own end before the server refuses its certificate.
        return "it ended the connection without an answer: this node may not be in its registry"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"cannot connect: {error.strerror or error.os_error}"
    return str(error) or type(error).__name__


def _make_session(max_message_bytes: int) -> aiohttp.ClientSession:
    async def no_redirects(*_: object) -> None:
        raise DialError("it answers with a redirect, so it is not a node")

    tracing = aiohttp.TraceConfig(trace_config_ctx_factory=SimpleNamespace)
    tracing.on_request_redirect.append(no_redirects)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, force_close=True, use_dns_cache=False),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_read=None),
        ws_response_class=cast(
            type[DialledSocket], functools.partial(DialledSocket, max_message_bytes=max_message_bytes)
        ),
        max_line_size=MAX_LINE_BYTES,
        max_field_size=MAX_FIELD_BYTES,
        max_headers=MAX_HEADERS,
        trace_configs=[tracing],
    )
