"""The asyncio transport below a link: how much may wait in it, and who knows whether it takes more."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

from aiohttp.base_protocol import BaseProtocol

UNSENT_BYTES = 32 * 1024
"""The kernel takes no more when so many bytes wait in it (TCP_NOTSENT_LOWAT): what it has taken, nothing can pass."""


def protocol_of(transport: asyncio.BaseTransport) -> BaseProtocol:
    """The protocol of aiohttp behind `transport`, which knows whether the connection takes more."""
    protocol = transport.get_protocol()
    if not isinstance(protocol, BaseProtocol):
        raise TypeError(f"the connection is driven by {type(protocol).__name__} and not by aiohttp")
    return protocol


def keep_queues_short(transport: asyncio.Transport) -> None:
    """Before a link begins: bound what waits below the queue of parcels, where nothing can pass it."""
    # Not 0: TLS transports would wait for the end of a queue that is empty.
    transport.set_write_buffer_limits(high=1)
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)
    connection = transport.get_extra_info("socket")
    if option is not None and connection is not None:
        # Where the system does not know the option, votes wait a little longer.
        with suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, option, UNSENT_BYTES)
