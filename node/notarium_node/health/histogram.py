"""How often something took how long: counts in buckets, as Prometheus has them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

Buckets = list[tuple[str, float]]
"""(upper bound, how many took no longer than that); the last bound is "+Inf"."""


class Histogram:
    """Since the start of the process."""

    __slots__ = ("_bounds_s", "_counts", "total_s")

    def __init__(self, bounds_s: Sequence[float]) -> None:
        """`bounds_s`: upper bounds of the buckets, in rising order; one without a bound is added."""
        self._bounds_s = bounds_s
        self._counts = [0] * (len(bounds_s) + 1)
        self.total_s = 0.0

    def add(self, seconds: float, times: int = 1) -> None:
        """`times` things took so long."""
        self._counts[bisect_left(self._bounds_s, seconds)] += times
        self.total_s += seconds * times

    def buckets(self) -> Buckets:
        """Each with the sum of all below it."""
        found, sum_ = [], 0
        for bound, count in zip((*map(str, self._bounds_s), "+Inf"), self._counts, strict=True):
            sum_ += count
            found.append((bound, float(sum_)))
        return found
