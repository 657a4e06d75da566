"""How fast missing blocks arrive: for the log and /v1/status."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import structlog

_log = structlog.get_logger("notarium.sync")

LOG_S = 3.0
"""At most one log line in this many seconds."""
WINDOW_S = 10.0
"""The rate is that of the last seconds, this many."""
FEW = 10
"""A gap of at most this many blocks is not logged."""


class CatchUpProgress:
    """Progress from a height to a target that may move."""

    def __init__(self, what: str, now: Callable[[], float]) -> None:
        """`what`: the message of the log lines. `now`: seconds of a monotonic clock."""
        self._what = what
        self._now = now
        self._samples: deque[tuple[float, int]] = deque()
        self._logged_at: float | None = None
        self._target = 0

    def update(self, height: int, target: int) -> None:
        """Take the present height and target, and log them when a line is due."""
        now = self._now()
        self._target = target
        self._samples.append((now, height))
        while now - self._samples[0][0] > WINDOW_S and len(self._samples) > 2:
            self._samples.popleft()
        due = target - height > FEW if self._logged_at is None else now - self._logged_at >= LOG_S
        if due:
            self._logged_at = now
            _log.info(self._what, **self.figures())

    def end(self) -> bool:
        """Catch-up is done or given up. Returns whether a line was logged about it."""
        was_logged, self._logged_at = self._logged_at is not None, None
        self._samples.clear()
        return was_logged

    @property
    def blocks_per_s(self) -> float:
        """Over the last WINDOW_S seconds; 0 with fewer than two samples."""
        if len(self._samples) < 2:
            return 0.0
        (first_s, first), (last_s, last) = self._samples[0], self._samples[-1]
        return (last - first) / max(last_s - first_s, 1e-3)

    def figures(self) -> dict[str, Any]:
        """height, target, blocks_per_s, and remaining_s (None while the height does not move)."""
        rate, height = self.blocks_per_s, self._samples[-1][1] if self._samples else 0
        return {
            "height": height,
            "target": self._target,
            "blocks_per_s": round(rate, 1),
            "remaining_s": round(max(0, self._target - height) / rate, 1) if rate > 0 else None,
        }
