"""Researchers who go on submitting whatever happens, and what they were promised."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.cluster.crowd import Cluster

from notarium import Client, Unreachable
from notarium_node.demo.local_network import LocalNode

RESEARCHERS = 4
TOGETHER = 2
"""Entries in one request."""
PAUSE_S = 0.25
CALL_S = 30.0
ATTEMPT_S = 4.0
"""After so long a silence a client asks another node."""


@dataclass(frozen=True, slots=True)
class Promise:
    """An entry for which a receipt was given."""

    entry: bytes
    receipt: bytes
    """The receipt's file."""
    at: float
    """Monotonic."""


@dataclass(slots=True)
class Load:
    """Submits through nodes in turn, from `start` to `stop`; what is not acknowledged is sent again."""

    cluster: Cluster
    promises: list[Promise] = field(default_factory=list)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _over: asyncio.Event = field(default_factory=asyncio.Event)
    _may_go: asyncio.Event = field(default_factory=asyncio.Event)
    _under_way: int = 0

    def __post_init__(self) -> None:
        self._may_go.set()

    def start(self, nodes: Sequence[LocalNode]) -> None:
        """Each researcher begins with another one of `nodes`, and knows them all."""
        for number in range(RESEARCHERS):
            first = number % len(nodes)
            apis = [node.api for node in (*nodes[first:], *nodes[:first])]
            self._tasks.append(asyncio.create_task(self._work(apis)))

    async def stop(self) -> None:
        """Ends when all that was sent is acknowledged. Raises what went wrong with a researcher."""
        self._over.set()
        self._may_go.set()
        await asyncio.gather(*self._tasks)

    def pause(self) -> None:
        """Nothing new is sent until `go_on`; `is_quiet` says when all that was sent is acknowledged."""
        self._may_go.clear()

    def go_on(self) -> None:
        """The end of a pause."""
        self._may_go.set()

    @property
    def is_quiet(self) -> bool:
        """Whether nothing waits for its acknowledgement."""
        return self._under_way == 0

    def check(self) -> None:
        """Raises what went wrong with a researcher so far."""
        for task in self._tasks:
            if task.done():
                task.result()

    async def cancel(self) -> None:
        """End at once."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def between(self, began: float, ended: float) -> int:
        """How many entries were acknowledged in that time."""
        return sum(began <= promise.at < ended for promise in self.promises)

    async def _work(self, apis: list[str]) -> None:
        async with Client(self.cluster.network.genesis, apis, timeout=CALL_S, attempt_timeout=ATTEMPT_S) as client:
            while not self._over.is_set():
                await self._may_go.wait()
                raws = [self.cluster.entry() for _ in range(TOGETHER)]
                await self.submit(client, raws)
                await asyncio.sleep(PAUSE_S)

    async def submit(self, client: Client, raws: Sequence[bytes]) -> None:
        """Send these until they are acknowledged, and keep what was promised."""
        self._under_way += 1
        try:
            await self._submit(client, raws)
        finally:
            self._under_way -= 1

    async def _submit(self, client: Client, raws: Sequence[bytes]) -> None:
        while True:
            try:
                receipts = await client.submit_entries(raws)
            except Unreachable:
                continue  # An entry is the same entry however often it is sent; each call has its own deadline.
            now = time.monotonic()
            for raw, verified in zip(raws, receipts, strict=True):
                self.promises.append(Promise(raw, verified.receipt.encode_json(), now))
            return
