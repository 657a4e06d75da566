"""The answers of the API by route and status, and how long they took."""

from __future__ import annotations

from collections import Counter, defaultdict

from notarium_node.health.histogram import Histogram

BOUNDS_S = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
CLIENT_LEFT = 499
"""Counted as the status where the client left before its answer: none was sent, and HTTP has no number for this."""


class ApiAnswers:
    """Since the start of the process."""

    def __init__(self) -> None:
        self.counts = Counter[tuple[str, int]]()
        """By route and status."""
        self.refusals = Counter[str]()
        """Of these, problems by type."""
        self.times = defaultdict[str, Histogram](lambda: Histogram(BOUNDS_S))
        """By route: until the answer was made; of a large answer or a stream, until it was sent."""

    def note(self, route: str, status: int, seconds: float) -> None:
        """One more."""
        self.counts[route, status] += 1
        self.times[route].add(seconds)
