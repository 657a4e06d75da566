"""An answer that takes milliseconds to make, such as the metrics: made once for all requests that wait for it.

It is never older than the request. Yet of 300 who ask again and again, each round has one answer, so votes wait for
one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp import web

from notarium_node.http.server import arrived_s


class SharedAnswer:
    """The answer of one route."""

    def __init__(self, make: Callable[[], bytes]) -> None:
        self._make = make
        self._body = b""
        self._made_s = float("-inf")

    def body(self, request: web.BaseRequest) -> bytes:
        """The last answer, if it was made after the request had arrived; else a new one."""
        if self._made_s < arrived_s(request):
            self._made_s = asyncio.get_running_loop().time()
            self._body = self._make()
        return self._body
