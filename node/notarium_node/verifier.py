"""Ed25519 checks: each distinct signature once, a few at once inline, many in worker threads.

libsodium releases the GIL, so threads use the other cores. Handing over a single check costs more than the
check itself (174 µs against 45 µs measured), so only longer runs go to a thread, in chunks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from notarium_ledger.signing import verify

Check = tuple[bytes, bytes, bytes]
"""(key, message, signature)"""

INLINE_LIMIT = 16
CHUNK = 64
REMEMBERED = 4_096


class Verifier:
    """Remembers the batch signatures that held, so that one signature over many entries is checked once."""

    def __init__(self, workers: int) -> None:
        self._executor = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="verify")
        self._workers = workers
        self._valid: dict[Check, None] = {}
        self.checked = 0
        """Signatures computed, for the metrics."""

    async def check(self, checks: Sequence[Check]) -> dict[Check, bool]:
        """Whether each signature holds."""
        results: dict[Check, bool] = {}
        todo: list[Check] = []
        for each in dict.fromkeys(checks):
            if each in self._valid:
                results[each] = True
            else:
                todo.append(each)
        self.checked += len(todo)
        if len(todo) <= INLINE_LIMIT:
            outcomes = _verify_many(todo)
        else:
            outcomes = await self._in_threads(todo)
        results.update(zip(todo, outcomes, strict=True))
        if len(todo) < len(checks):
            self._remember(each for each, valid in zip(todo, outcomes, strict=True) if valid)
        return results

    async def _in_threads(self, todo: list[Check]) -> list[bool]:
        loop = asyncio.get_running_loop()
        size = min(CHUNK, -(-len(todo) // self._workers))
        chunks = [todo[at : at + size] for at in range(0, len(todo), size)]
        parts = await asyncio.gather(*(loop.run_in_executor(self._executor, _verify_many, chunk) for chunk in chunks))
        return [valid for part in parts for valid in part]

    def _remember(self, checks: object) -> None:
        for each in checks:  # type: ignore[attr-defined]
            self._valid[each] = None
        while len(self._valid) > REMEMBERED:
            del self._valid[next(iter(self._valid))]

    def close(self) -> None:
        """Let the threads end."""
        self._executor.shutdown(wait=False, cancel_futures=True)


def _verify_many(checks: Sequence[Check]) -> list[bool]:
    return [verify(key, message, signature) for key, message, signature in checks]
