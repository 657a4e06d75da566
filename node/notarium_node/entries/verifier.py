"""Ed25519 checks: each distinct signature once, a few at once inline, many in worker threads.

libsodium releases the GIL, so threads use the cores that the event loop leaves idle. But each check gives up the GIL
and must get it back from a busy event loop: the hand-over of one check costs more than the check itself (measured:
174 µs against 45 µs), and with two busy cores, threads raised the cost of an entry from 104 µs to 178 µs. So short runs
stay inline, and machines with few cores use no threads at all.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from notarium_ledger.signing import verify

Check = tuple[bytes, bytes, bytes]
"""(key, message, signature)"""

CORES_FOR_THREADS = 4
INLINE_LIMIT = 16
SLICE = 32
"""Checks done inline before the event loop gets a turn: 1.5 ms."""
CHUNK = 64
REMEMBERED = 4_096


def default_workers() -> int:
    """One thread per core; none on a machine with few cores."""
    cores = os.cpu_count() or 1
    return cores if cores >= CORES_FOR_THREADS else 0


def catch_up_workers() -> int:
    """For fetched blocks: a node that is behind does nothing else, so two cores are enough for threads to pay."""
    cores = os.cpu_count() or 1
    return cores if cores > 1 else 0


class Verifier:
    """Checks signatures. Remembers valid batch signatures, so that one over many entries is checked once."""

    def __init__(self, workers: int) -> None:
        """`workers`: threads; 0 checks everything in the event loop, in slices."""
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="verify") if workers else None
        self._workers = workers
        self._valid: dict[Check, None] = {}
        self.checked = 0
        """Signatures checked, for the metrics."""

    async def check(self, checks: Sequence[Check]) -> dict[Check, bool]:
        """Whether each signature is valid."""
        results: dict[Check, bool] = {}
        todo: list[Check] = []
        for each in dict.fromkeys(checks):
            if each in self._valid:
                results[each] = True
            else:
                todo.append(each)
        self.checked += len(todo)
        if self._executor is None or len(todo) <= INLINE_LIMIT:
            outcomes = await _inline(todo)
        else:
            outcomes = await self._in_threads(self._executor, todo)
        results.update(zip(todo, outcomes, strict=True))
        if len(todo) < len(checks):
            self._remember(each for each, valid in zip(todo, outcomes, strict=True) if valid)
        return results

    async def run(self, jobs: Sequence[Callable[[], None]], signatures: int) -> None:
        """Run all `jobs`, each of which checks about `signatures` signatures. Raises the first error of a job."""
        if self._executor is None:
            for start in range(0, len(jobs), size := max(1, SLICE // signatures)):
                _run_all(jobs[start : start + size])
                await asyncio.sleep(0)
            return
        loop, executor = asyncio.get_running_loop(), self._executor
        size = max(1, min(CHUNK // signatures, -(-len(jobs) // self._workers)))
        chunks = [jobs[at : at + size] for at in range(0, len(jobs), size)]
        await asyncio.gather(*(loop.run_in_executor(executor, _run_all, chunk) for chunk in chunks))

    async def _in_threads(self, executor: ThreadPoolExecutor, todo: list[Check]) -> list[bool]:
        loop = asyncio.get_running_loop()
        size = min(CHUNK, -(-len(todo) // self._workers))
        chunks = [todo[at : at + size] for at in range(0, len(todo), size)]
        parts = await asyncio.gather(*(loop.run_in_executor(executor, _verify_many, chunk) for chunk in chunks))
        return [valid for part in parts for valid in part]

    def _remember(self, checks: Iterable[Check]) -> None:
        for each in checks:
            self._valid[each] = None
        while len(self._valid) > REMEMBERED:
            del self._valid[next(iter(self._valid))]

    def close(self) -> None:
        """End the threads."""
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)


async def _inline(todo: list[Check]) -> list[bool]:
    outcomes = _verify_many(todo[:SLICE])
    for start in range(SLICE, len(todo), SLICE):
        await asyncio.sleep(0)
        outcomes += _verify_many(todo[start : start + SLICE])
    return outcomes


def _run_all(jobs: Sequence[Callable[[], None]]) -> None:
    for job in jobs:
        job()


def _verify_many(checks: Sequence[Check]) -> list[bool]:
    return [verify(key, message, signature) for key, message, signature in checks]
