"""A network that delays, loses, duplicates, reorders and partitions, all from one seed."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random


@dataclass(frozen=True, slots=True)
class Conditions:
    """How bad the network is."""

    min_delay_ms: int = 1
    max_delay_ms: int = 20
    loss: float = 0.0
    """Probability that a packet is lost."""
    duplication: float = 0.0
    """Probability that a packet comes twice."""


GOOD = Conditions()


@dataclass(slots=True)
class Network:
    """Decides when, whether and how often a packet arrives. Reordering follows from independent delays."""

    random: Random
    conditions: Conditions = GOOD
    groups: list[set[int]] = field(default_factory=list)
    """Partition: packets pass only between nodes that share a group; empty: no partition."""

    def arrivals_ms(self, sender: int, receiver: int) -> list[int]:
        """Delays after which the packet arrives; empty if it is lost."""
        if self.groups and not any(sender in group and receiver in group for group in self.groups):
            return []
        if self.random.random() < self.conditions.loss:
            return []
        copies = 2 if self.random.random() < self.conditions.duplication else 1
        return [self._delay_ms() for _ in range(copies)]

    def heal(self) -> None:
        """Back to a good network."""
        self.conditions = GOOD
        self.groups = []

    def _delay_ms(self) -> int:
        return self.random.randint(self.conditions.min_delay_ms, self.conditions.max_delay_ms)
