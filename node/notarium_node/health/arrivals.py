"""When the entries arrived that wait for a block: how old the oldest is, and how long the decided ones waited."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable
from itertools import repeat

from notarium_ledger.types import Hash
from notarium_node.health.histogram import Histogram

BOUNDS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)
SPARE = 1024
"""So many times of entries that do not wait any more may be kept, besides as many as there are entries that wait."""


class Arrivals:
    """By entry. An entry that was dropped undecided is forgotten later: nothing needs to be called for it."""

    def __init__(self, timer: Callable[[], float], waiting: Container[Hash], count: Callable[[], int]) -> None:
        """`timer`: seconds. `waiting`: the entries that wait now, `count` of them."""
        self._timer = timer
        self._waiting = waiting
        self._count = count
        self._arrived_s: dict[Hash, float] = {}
        """In the order of arrival."""
        self.decided_after = Histogram(BOUNDS_S)
        """How long decided entries had waited at this node."""

    def note(self, entries: Iterable[Hash]) -> None:
        """These wait from now on."""
        self._arrived_s.update(zip(entries, repeat(self._timer())))
        if len(self._arrived_s) > 2 * self._count() + SPARE:
            self._arrived_s = {each: at for each, at in self._arrived_s.items() if each in self._waiting}

    def decided(self, entries: Iterable[Hash]) -> None:
        """These are in a block. Those that never waited here are not counted."""
        # As many arrived together, so few times are counted: 0.2 µs an entry.
        arrived = Counter(map(self._arrived_s.pop, entries, repeat(None)))
        now = self._timer()
        for arrived_s, count in arrived.items():
            if arrived_s is not None:
                self.decided_after.add(now - arrived_s, count)

    def oldest_s(self) -> float:
        """How long the oldest entry has waited; 0 where none waits."""
        gone = []
        age_s = 0.0
        for each, arrived_s in self._arrived_s.items():
            if each in self._waiting:
                age_s = self._timer() - arrived_s
                break
            gone.append(each)
        for each in gone:
            del self._arrived_s[each]
        return age_s
