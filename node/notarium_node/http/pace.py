"""How slowly a client may send its head and take its answer.

The rule is the same for all answers: within STALL_S, a client takes LEAST_BYTES or everything that there is. That is
52 kbit/s. Without a least rate, a client that takes a byte now and then would hold its place for hours.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from enum import StrEnum

LEAST_BYTES = 64 * 1024
STALL_S = 10.0
HEAD_STALLS = 2
"""The head of a request may take so many times as long."""
_ACKNOWLEDGED = slice(120, 128)
"""Where tcpi_bytes_acked is in struct tcp_info (linux/tcp.h)."""


class Ending(StrEnum):
    """Why the server ended a connection. The value is the label in the metrics."""

    NOT_HTTP = "not_http"
    """Bytes that are not an HTTP request; answered with 400."""
    NO_TLS = "no_tls"
    """The TLS handshake failed, did not end in time, or gave way to a newer one of its address."""
    SLOW_HEAD = "slow_head"
    """The head of a request did not arrive in time."""
    NOT_TAKEN = "not_taken"
    """The client took its answer too slowly."""
    SURPLUS = "surplus"
    """Its address had too many connections, and its surplus ones, too."""


class Pace:
    """One client, looked at now and then. Nothing here reads a clock: `now` is an argument, in seconds."""

    __slots__ = ("_head_since", "_stall_s", "_taken", "_unsent_since")

    def __init__(self, stall_s: float) -> None:
        self._stall_s = stall_s
        self._head_since: float | None = None
        self._unsent_since: float | None = None
        self._taken = 0
        """At `_unsent_since`."""

    def on_head(self, has_begun: bool, now: float) -> Ending | None:
        """`has_begun`: whether a head has begun to arrive and is not whole yet."""
        if not has_begun:
            self._head_since = None
        elif self._head_since is None:
            self._head_since = now
        elif now - self._head_since >= HEAD_STALLS * self._stall_s:
            return Ending.SLOW_HEAD
        return None

    def on_answer(self, unsent: int, taken: int, now: float) -> Ending | None:
        """`unsent`: bytes that wait for the client. `taken`: those that it has taken since its connection began."""
        if not unsent:
            self._unsent_since = None
        elif self._unsent_since is None:
            self._unsent_since, self._taken = now, taken
        elif now - self._unsent_since >= self._stall_s:
            if taken - self._taken < LEAST_BYTES:
                return Ending.NOT_TAKEN
            self._unsent_since, self._taken = now, taken
        return None


def taken_by(transport: asyncio.Transport) -> int:
    """The bytes that the client's machine has acknowledged. Where the system does not say: less what waits for it."""
    connection, option = transport.get_extra_info("socket"), getattr(socket, "TCP_INFO", None)
    if option is not None and sys.platform == "linux" and connection is not None:
        info = connection.getsockopt(socket.IPPROTO_TCP, option, _ACKNOWLEDGED.stop)
        if len(info) == _ACKNOWLEDGED.stop:
            return int.from_bytes(info[_ACKNOWLEDGED], sys.byteorder)
    return -transport.get_write_buffer_size()
