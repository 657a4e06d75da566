"""Work that is done for peers in the background. A failure, which only a defect can cause, is logged and counted."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine
from typing import Any

import structlog

from notarium_node.health.events import NodeEvent

_log = structlog.get_logger("notarium.node")


class PeerTasks:
    """The tasks of one node that run now."""

    def __init__(self, counts: Counter[str]) -> None:
        """`counts`: the node's event counts."""
        self._counts = counts
        self._running: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._running)

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` in the background until it ends or `stop` is called."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)

    async def stop(self) -> None:
        """Cancel all tasks and wait until they have ended."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._counts[NodeEvent.FAILED_TASK] += 1
            _log.error("serving a peer failed", exc_info=error)
