"""The load generator: one process, one task from stdin, one measurement on stdout (both JSON).

In a process of its own, so that what it costs is known apart from the nodes and from what starts them.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import uvloop
from tests.bench.checking import Checker
from tests.bench.connection import Connection
from tests.bench.material import Author
from tests.bench.spent import Meter

from notarium_ledger.encoding import canonical
from notarium_ledger.entries.entry import decode_entry
from notarium_ledger.signing import SigningKey
from notarium_ledger.state.genesis import Genesis

ONE, MANY = "/v1/entries?timeout_ms=60000", "/v1/entries/batch?timeout_ms=60000"

Form = Literal["idle", "single", "batch", "batch-signed"]


@dataclass(frozen=True, slots=True)
class Task:
    """What to submit."""

    form: Form
    """idle: one client asks the validators in turn and checks its receipt in full. The others: `clients` at once."""
    sign_ahead: bool
    """Before the clock runs: signing happens on researchers' machines. Else within the measured time."""
    clients: int
    per_request: int
    """Entries."""
    requests: int
    """Measured; 0: as many as `seconds` will take, by what the warm-up shows."""
    seconds: float
    warm_up_requests: int
    ports: list[int]
    """HTTP ports of the validators, used in turn."""
    pids: list[int]
    """Of all nodes, to measure what they spend."""
    genesis_file: str
    seed: str
    """Hex, of the researcher's key."""
    series: str


@dataclass(frozen=True, slots=True)
class Measurement:
    """What came of it."""

    entries: int
    seconds: float
    latencies_ms: list[float]
    """Of each request, from its submission to its verified receipts, ascending."""
    nodes_cpu_s: list[float]
    load_cpu_s: float
    others_share: float
    """What processes that are no part of this took of the machine meanwhile, 0 to 1."""

    @property
    def per_s(self) -> float:
        """Entries with verified receipts per second."""
        return self.entries / self.seconds

    def quantile_ms(self, share: float) -> float:
        """Of the latencies."""
        return self.latencies_ms[min(len(self.latencies_ms) - 1, math.floor(share * len(self.latencies_ms)))]


@dataclass(frozen=True, slots=True)
class Request:
    """One POST, and how its answer is checked."""

    path: str
    body: bytes
    check: Callable[[bytes], None]


class Requests:
    """Makes requests of a task's form."""

    def __init__(self, task: Task, genesis: Genesis) -> None:
        self._task = task
        self._author = Author(SigningKey(bytes.fromhex(task.seed)), genesis.hash, task.series)
        self._checker = Checker(genesis)

    def make(self) -> Request:
        """A new one."""
        checker = self._checker
        if self._task.form in ("idle", "single"):
            raw = self._author.single()
            if self._task.form == "idle":
                return Request(ONE, raw, lambda data: checker.check_in_full(data, raw))
            entry = decode_entry(raw)
            return Request(ONE, raw, lambda data: checker.check(data, entry))
        size = self._task.per_request
        entries = (
            self._author.batch(size)
            if self._task.form == "batch-signed"
            else [self._author.single() for _ in range(size)]
        )
        body = canonical.encode(list(entries))
        return Request(MANY, body, lambda data: checker.check_batch(data, entries))

    def stream(self, count: int, ahead: bool) -> Iterator[Callable[[], Request]]:
        """`count` requests; `ahead`: made now, else when their turn comes."""
        if not ahead:
            return itertools.repeat(self.make, count)
        made = [self.make() for _ in range(count)]
        return (lambda request=request: request for request in made)  # type: ignore[misc]


async def run(task: Task, genesis: Genesis) -> Measurement:
    """Warm up, prepare, measure."""
    requests = Requests(task, genesis)
    connections = [Connection("127.0.0.1", task.ports[number % len(task.ports)]) for number in range(task.clients)]
    if task.form == "idle":
        connections = [Connection("127.0.0.1", port) for port in task.ports]
    for connection in connections:
        await connection.open()
    try:
        stream = requests.stream(task.warm_up_requests, task.sign_ahead)
        start = time.perf_counter()
        await _submit(task, connections, stream)
        rate = task.warm_up_requests / (time.perf_counter() - start)
        stream = requests.stream(task.requests or max(task.clients, round(rate * task.seconds)), task.sign_ahead)
        # What was made ahead is not to be looked through again and again while the clock runs.
        gc.collect()
        gc.freeze()
        meter, start = Meter(task.pids), time.perf_counter()
        latencies = await _submit(task, connections, stream)
        elapsed = time.perf_counter() - start
        return Measurement(
            entries=len(latencies) * task.per_request,
            seconds=elapsed,
            latencies_ms=sorted(latencies),
            nodes_cpu_s=meter.nodes_s(),
            load_cpu_s=meter.own_s(),
            others_share=meter.others_share(),
        )
    finally:
        for connection in connections:
            connection.close()


async def _submit(
    task: Task, connections: Sequence[Connection], stream: Iterator[Callable[[], Request]]
) -> list[float]:
    """Latencies in ms. Each client waits for its receipt before it goes on."""
    latencies: list[float] = []
    if task.form == "idle":
        await _client(itertools.cycle(connections), stream, latencies)
    else:
        async with asyncio.TaskGroup() as group:
            for connection in connections:
                group.create_task(_client(itertools.repeat(connection), stream, latencies))
    return latencies


async def _client(
    connections: Iterator[Connection], stream: Iterator[Callable[[], Request]], latencies: list[float]
) -> None:
    for make in stream:
        start = time.perf_counter()
        request = make()
        request.check(await next(connections).post(request.path, request.body))
        latencies.append((time.perf_counter() - start) * 1000)


def main() -> None:
    """Entry point."""
    task = Task(**json.load(sys.stdin))
    genesis = Genesis.decode_json(Path(task.genesis_file).read_bytes())
    json.dump(asdict(uvloop.run(run(task, genesis))), sys.stdout)


if __name__ == "__main__":
    main()
