"""Collects the effects of one step, Persists first, and the rules that fired in it."""

from __future__ import annotations

from notarium_consensus.effects import Effect, Persist, Report
from notarium_consensus.events import Event
from notarium_consensus.rules import Rule


class StepEffects:
    """The effects of the step under way, and its time."""

    __slots__ = ("_persists", "_rest", "fired", "now_ms")

    def __init__(self) -> None:
        self.now_ms = 0
        self.fired: list[Rule] = []
        """In the order in which they fired."""
        self._persists: list[Effect] = []
        self._rest: list[Effect] = []

    def begin(self, now_ms: int) -> None:
        """A step begins at `now_ms` of this node's clock."""
        self.now_ms = now_ms
        self.fired.clear()

    def emit(self, effect: Effect) -> None:
        """Add `effect`. Persists come before all others, so that one synced write can serve a whole step."""
        (self._persists if isinstance(effect, Persist) else self._rest).append(effect)

    def report(self, event: Event) -> None:
        """Add a Report."""
        self._rest.append(Report(event))

    def take(self) -> list[Effect]:
        """The effects so far, which are then forgotten here."""
        effects = self._persists + self._rest
        self._persists, self._rest = [], []
        return effects
