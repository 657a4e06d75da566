"""Ways to leave a round early that are wrong; test_dead_turns.py and `make simulate-planted` plant them."""

from __future__ import annotations

from typing import Any

from notarium_consensus.height_state import HeightState
from notarium_consensus.instance import Instance
from notarium_consensus.timers import HeightTimers
from notarium_ledger.types import PublicKey

Replacement = tuple[Any, str, Any]
"""(object, attribute, what to put there)."""


def never() -> list[Replacement]:
    """A dead proposer's turn lasts its whole time."""
    return [(HeightTimers, "watch_proposer", lambda self, round_, *, is_absent: None)]


def without_a_quorum() -> list[Replacement]:
    """Also where too few are connected to go on."""

    def alone(self: HeightState) -> bool:
        proposer = self.context.validators.proposer(self.context.height, self.round)
        return proposer != self._own_key and proposer not in self._reachable

    return [(HeightState, "_is_proposer_absent", alone)]


def with_a_proposal() -> list[Replacement]:
    """Also where the proposal has come."""

    def impatient(self: HeightState) -> bool:
        return self._is_voting() and self._timers.is_round_timed and self._is_proposer_absent()

    return [(HeightState, "_waits_in_vain", impatient)]


def as_slow_rounds() -> list[Replacement]:
    """It makes the next rounds longer."""
    enter = HeightTimers.enter_round
    return [(HeightTimers, "enter_round", lambda self, *, has_skipped: enter(self, has_skipped=False))]


def in_spite_of_a_return() -> list[Replacement]:
    """Also where the proposer has come back in time."""
    reach = Instance.reach

    def blind(self: Instance, peers: frozenset[PublicKey]) -> None:
        if not self._timers.is_proposer_watched:
            reach(self, peers)

    return [(Instance, "reach", blind)]
