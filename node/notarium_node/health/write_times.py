"""How long this node's disk takes for a synced write."""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

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
        self.counts = [0] * (len(BOUNDS_S) + 1)
        """Writes in each bucket, the last without a bound."""
        self.total_s = 0.0
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
        self.counts[sum(seconds > each for each in BOUNDS_S)] += 1
        self.total_s += seconds
        self._recent.append(seconds)

    @property
    def typical_s(self) -> float:
        """The median of the last RECENT writes; 0 until there are so many."""
        return statistics.median(self._recent) if len(self._recent) == RECENT else 0.0

    @property
    def vote_s(self) -> float:
        """How long the writes of one decision take."""
        return WRITES_A_VOTE * self.typical_s

    def cumulative(self) -> list[tuple[str, float]]:
        """The buckets as Prometheus has them."""
        buckets, sum_ = [], 0
        for bound, count in zip((*map(str, BOUNDS_S), "+Inf"), self.counts, strict=True):
            sum_ += count
            buckets.append((bound, float(sum_)))
        return buckets
