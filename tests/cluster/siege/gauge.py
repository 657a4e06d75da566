"""What a siege costs the besieged: memory of each node, log, blocks, and how long an honest researcher waits."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import psutil
from tests.cluster.crowd import Cluster, percentile

from notarium import Client, NotariumError
from notarium_ledger.signing import SigningKey
from notarium_node.demo.local_network import LocalNode, NetworkError

ASKED = "NOTARIUM_SIEGE"
"""Set in the environment by `make siege`."""
EVERY_S = 0.05
"""Between two looks at the memory."""
PAUSE_S = 0.05
"""Between two entries of an honest researcher."""
PATIENCE_S = 30.0
"""So long one waits for one entry before it counts as failed."""
MIB = 1 << 20


@dataclass(slots=True)
class Figures:
    """What one attack did. Memory is the resident set of the node that has the most."""

    attack: str
    before_mib: float = 0.0
    most_mib: float = 0.0
    rest_mib: float = 0.0
    """After the attack, and a rest."""
    waits_s: list[float] = field(default_factory=list)
    """Of each honest entry, from its signature to its verified receipt."""
    failed: int = 0
    """Honest entries without a receipt within PATIENCE_S, or refused."""
    blocks_per_s: float = 0.0
    log_bytes_per_s: float = 0.0
    """Of the node that logs most."""
    answers: Counter[str] = field(default_factory=Counter)
    """What the attackers got: HTTP statuses and endings."""
    no_retry_after: int = 0
    """Answers 429 and 503 among them that lack Retry-After."""
    note: str = ""
    problems: list[str] = field(default_factory=list)

    @property
    def p50_s(self) -> float:
        """Of the honest entries' waits."""
        return percentile(sorted(self.waits_s), 0.5) if self.waits_s else 0.0

    @property
    def p99_s(self) -> float:
        """Likewise."""
        return percentile(sorted(self.waits_s), 0.99) if self.waits_s else 0.0


class Gauge:
    """Measures from `begin` to `end`, and once more after the rest."""

    def __init__(self, cluster: Cluster, figures: Figures, honest: Sequence[tuple[LocalNode, SigningKey, str]]) -> None:
        """`honest`: for each researcher the node he asks, his key and his institution."""
        self._cluster = cluster
        self._figures = figures
        self._honest = honest
        self._over = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._began = 0.0
        self._height = 0
        self._logs: dict[str, int] = {}

    def _memory_mib(self) -> float:
        pids = [node.process.pid for node in self._cluster.nodes if node.is_running() and node.process is not None]
        return max(psutil.Process(pid).memory_info().rss for pid in pids) / MIB

    def _log_sizes(self) -> dict[str, int]:
        return {node.name: node.log.stat().st_size for node in self._cluster.nodes if node.log.is_file()}

    async def _height_now(self) -> int:
        """The highest of all; a node under siege may not answer."""
        heights = [0]
        for node in self._cluster.nodes:
            try:
                heights.append((await asyncio.to_thread(node.status))["height"])
            except (NetworkError, KeyError):
                continue  # Busy, or it refuses: that is what these runs are about.
        return max(heights)

    async def begin(self) -> None:
        """Before the attack."""
        self._figures.before_mib = self._memory_mib()
        self._height, self._logs, self._began = await self._height_now(), self._log_sizes(), time.monotonic()
        self._tasks = [asyncio.create_task(self._watch())]
        self._tasks += [asyncio.create_task(self._research(*each)) for each in self._honest]

    async def end(self) -> None:
        """The attack is over. Waits for the honest entries that are under way."""
        seconds = time.monotonic() - self._began
        self._over.set()
        await asyncio.gather(*self._tasks)
        self._figures.blocks_per_s = (await self._height_now() - self._height) / seconds
        grown = [size - self._logs.get(name, 0) for name, size in self._log_sizes().items()]
        self._figures.log_bytes_per_s = max(grown, default=0) / seconds

    async def rest(self, seconds: float) -> None:
        """Let the nodes rest, then look at their memory."""
        await asyncio.sleep(seconds)
        self._figures.rest_mib = self._memory_mib()

    async def _watch(self) -> None:
        while not self._over.is_set():
            self._figures.most_mib = max(self._figures.most_mib, self._memory_mib())
            await asyncio.sleep(EVERY_S)

    async def _research(self, node: LocalNode, key: SigningKey, issuer: str) -> None:
        """One honest researcher, entry after entry."""
        figures = self._figures
        async with Client(self._cluster.network.genesis, [node.api], timeout=PATIENCE_S) as client:
            while not self._over.is_set():
                began = time.monotonic()
                try:
                    await client.submit_entries([self._cluster.entry_of(key, issuer)])
                except NotariumError as error:
                    figures.failed += 1
                    figures.note = figures.note or f"an honest researcher was refused: {error}"
                figures.waits_s.append(time.monotonic() - began)
                await asyncio.sleep(PAUSE_S)
