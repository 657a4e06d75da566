"""Collects the effects of one step, in the order that effects.py promises, and the rules that fired in it."""

from __future__ import annotations

from collections.abc import Callable

from notarium_consensus.effects import Broadcast, Effect, Persist, Report, Send
from notarium_consensus.events import Event
from notarium_consensus.messages import Message
from notarium_consensus.rules import Rule


class StepEffects:
    """The effects of the step under way, and its time."""

    __slots__ = ("_alarms", "_persists", "_rest", "fired", "now_ms")

    def __init__(self) -> None:
        self.now_ms = 0
        self.fired: list[Rule] = []
        """In the order in which they fired."""
        self._persists: list[Effect] = []
        self._alarms: list[Effect] = []
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

    def alarm(self, event: Event) -> None:
        """Add a Report that the runner must act on before all that is not a Persist: before a Decide above all."""
        self._alarms.append(Report(event))

    def withdraw(self, is_doubtful: Callable[[Message], bool]) -> None:
        """Do not send what this step was about to send of these messages."""
        self._rest = [
            each for each in self._rest if not (isinstance(each, Broadcast | Send) and is_doubtful(each.message))
        ]

    def take(self) -> list[Effect]:
        """The effects so far, which are then forgotten here."""
        effects = self._persists + self._alarms + self._rest
        self._persists, self._alarms, self._rest = [], [], []
        return effects
