"""How long this node's disk takes for a synced write."""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from notarium_node.health.histogram import Histogram

BOUNDS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Upper bounds of the histogram's buckets."""
RECENT = 9
"""So many writes say how slow the disk is now. One slow write in between is no news: LevelDB compacts."""
WRITES_A_VOTE = 3
"""Synced writes from a proposal to its decision: what the validator prepares, what it commits, the decision."""


class WriteTimes:
    """A histogram since the start, and the last writes."""

    def __init__(self, timer: Callable[[], float]) -> None:
        """`timer`: seconds."""
        self._timer = timer
        self.histogram = Histogram(BOUNDS_S)
        self._recent: deque[float] = deque(maxlen=RECENT)

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Measure what is done within, also if it fails."""
        began = self._timer()
        try:
            yield
        finally:
            self._note(self._timer() - began)

    def _note(self, seconds: float) -> None:
        self.histogram.add(seconds)
        self._recent.append(seconds)

    @property
    def typical_s(self) -> float:
        """The median of the last RECENT writes; 0 until there are so many."""
        return statistics.median(self._recent) if len(self._recent) == RECENT else 0.0

    @property
    def vote_s(self) -> float:
        """How long the writes of one decision take."""
        return WRITES_A_VOTE * self.typical_s
