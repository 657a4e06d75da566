"""Whether blocks come where one is due."""

from __future__ import annotations

from collections.abc import Callable

from notarium_ledger.types import Height


class Standstill:
    """How long something has waited at one height to be decided."""

    def __init__(self, now: Callable[[], float]) -> None:
        """`now`: seconds of a monotonic clock."""
        self._now = now
        self._height = Height(0)
        self._since_s: float | None = None
        self.seconds = 0.0
        """As of the last look; 0 where nothing waits."""

    def look(self, height: Height, is_due: bool) -> None:
        """Called periodically. `height`: of the last decision. `is_due`: something waits for the next one."""
        now = self._now()
        if not is_due:
            self._since_s = None
        elif self._since_s is None or height != self._height:
            self._since_s = now
        self._height = height
        self.seconds = 0.0 if self._since_s is None else now - self._since_s
