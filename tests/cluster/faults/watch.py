"""Watches from outside how high every node stands, and when."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import aiohttp

from notarium_node.demo.local_network import LocalNode

EVERY_S = 0.1
"""Between two looks at a node."""
ANSWER_S = 1.0


@dataclass(slots=True)
class Watch:
    """Heights of nodes over time."""

    nodes: Sequence[LocalNode]
    every_s: float = EVERY_S
    heights: dict[str, int] = field(default_factory=dict)
    """By node: the last seen."""
    rises: list[tuple[float, int]] = field(default_factory=list)
    """When the highest of all was first seen higher, monotonic, and how high."""
    reached: dict[str, list[tuple[float, int]]] = field(default_factory=dict)
    """By node: when it was first seen higher."""
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self) -> None:
        """Until `stop`."""
        self._tasks = [asyncio.create_task(self._follow(node)) for node in self.nodes]

    def add(self, node: LocalNode) -> None:
        """Another node, from now on."""
        self._tasks.append(asyncio.create_task(self._follow(node)))

    async def stop(self) -> None:
        """Ends at once."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def highest(self) -> int:
        """Of all nodes."""
        return self.rises[-1][1] if self.rises else 0

    def height_at(self, when: float) -> int:
        """The highest of all at that time."""
        return max((height for at, height in self.rises if at <= when), default=0)

    def passed_at(self, height: int, after: float, node: LocalNode | None = None) -> float | None:
        """When that node (default: any) was first seen above `height`, not before `after`."""
        rises = self.rises if node is None else self.reached.get(node.name, [])
        return next((at for at, reached in rises if reached > height and at >= after), None)

    def longest_pause_s(self, began: float, ended: float) -> float:
        """The longest time in between in which no node rose."""
        moments = [began, *(at for at, _ in self.rises if began < at < ended), ended]
        return max(later - earlier for earlier, later in itertools.pairwise(moments))

    async def _follow(self, node: LocalNode) -> None:
        limit = aiohttp.ClientTimeout(total=ANSWER_S)
        async with aiohttp.ClientSession(timeout=limit) as session:
            while True:
                try:
                    async with session.get(f"{node.api}/v1/status") as answer:
                        self._note(node.name, (await answer.json())["height"])
                except (aiohttp.ClientError, OSError, TimeoutError, KeyError, ValueError):
                    pass  # Killed, stopped, cut off or refusing us: that is what these runs are about.
                await asyncio.sleep(self.every_s)

    def _note(self, name: str, height: int) -> None:
        now = time.monotonic()
        if height > self.heights.get(name, 0):
            self.reached.setdefault(name, []).append((now, height))
        self.heights[name] = height
        if height > self.highest:
            self.rises.append((now, height))
