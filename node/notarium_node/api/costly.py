"""Costly reads: one at a time, in small slices, and only so many wait.

Whatever readers ask for, votes come in between. A stranger who asks 400 times waits for himself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import TypeVar

from aiohttp import web

from notarium_node.api.problems import full
from notarium_node.http.places import Places

MOST = 64
MOST_OF_ONE = 16
"""Reads of one address that run or wait."""
SLICE = 8
"""Steps in one turn of the event loop: about a third of a millisecond."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class CostlyReads:
    """The queue of them."""

    def __init__(self, address: Callable[[web.BaseRequest], str]) -> None:
        """`address`: of the client, for its part of the queue."""
        self._address = address
        self._places = Places(MOST, MOST_OF_ONE)
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def turn(self, request: web.BaseRequest) -> AsyncIterator[None]:
        """Wait until no other one runs. Raises ApiProblem where too many wait."""
        address = self._address(request)
        if (held := self._places.take(address)) is not None:
            raise full(held, "costly reads", self._places)
        try:
            async with self._turn:
                yield
        finally:
            self._places.release(address)


async def in_slices(step: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """`step` for each item; others have a turn after every few."""
    results: list[Result] = []
    for item in items:
        results.append(step(item))
        if len(results) % SLICE == 0:
            await asyncio.sleep(0)
    return results
