"""Work of which only a few pieces run at a time. Addresses take turns, so nobody waits behind all work of another."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class FairTurns:
    """The queue, with a line for each address. Bounded by whoever lets clients in (places.py)."""

    def __init__(self, at_work: int) -> None:
        self._free = at_work
        self._lines: dict[str, deque[asyncio.Future[None]]] = {}
        """In the order in which the addresses have their turns."""

    @asynccontextmanager
    async def turn(self, address: str) -> AsyncIterator[None]:
        """Wait for the turn of `address`."""
        if self._free:
            self._free -= 1
        else:
            await self._wait(address)
        try:
            yield
        finally:
            self._pass_on()

    async def begin(self, address: str) -> None:
        """Wait for the turn of `address`, and give it back in the next turn of the event loop.

        So at most `at_work` pieces of work begin in one turn of the event loop, however long they go on.
        """
        if self._free:
            self._free -= 1
        else:
            await self._wait(address)
        asyncio.get_running_loop().call_soon(self._pass_on)

    async def _wait(self, address: str) -> None:
        mine = asyncio.get_running_loop().create_future()
        self._lines.setdefault(address, deque()).append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                self._pass_on()  # The turn had come, and nobody uses it.
            raise

    def _pass_on(self) -> None:
        """The next address has its turn, and then goes to the end."""
        while self._lines:
            address = next(iter(self._lines))
            line = self._lines.pop(address)
            first = line.popleft()
            if line:
                self._lines[address] = line
            if not first.done():
                first.set_result(None)
                return
        self._free += 1
