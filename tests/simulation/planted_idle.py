"""Known mistakes about idle ledgers: see planted_hardened.py."""

from __future__ import annotations

from tests.simulation.night_watch import NightWatch
from tests.simulation.planted import Planted, Replacement

from notarium_consensus.timers import HeightTimers
from notarium_ledger.types import Round
from notarium_node.driving.block_work import BlockWork


def _rounds_without_work_count() -> list[Replacement]:
    return [(HeightTimers, "worked", lambda self, round_: int(round_))]


def _what_a_decision_made_invalid_stays() -> list[Replacement]:
    return [(BlockWork, "drop_invalid", lambda *_: None)]


def _time_before_the_work_counts() -> list[Replacement]:
    def whole_round(self: HeightTimers, round_: Round) -> int | None:
        return max(0, self._effects.now_ms - self._started_ms) if self._round_timer_runs else None

    return [(HeightTimers, "round_took_ms", whole_round)]


def _long_rounds_are_not_cut_short() -> list[Replacement]:
    def keeping(self: HeightTimers, round_: Round) -> None:
        if self._work_from is None:
            self._see()
            self._work_from = round_

    return [(HeightTimers, "have_work", keeping)]


IDLE: tuple[Planted, ...] = (
    Planted(
        "rounds without work count", _rounds_without_work_count, "liveness", 20, schedule="idle", liars=(NightWatch,)
    ),
    Planted("what a decision made invalid stays", _what_a_decision_made_invalid_stays, "idle", 20, schedule="idle"),
    Planted(
        "the time before the work counts",
        _time_before_the_work_counts,
        "liveness",
        50,
        schedule="idle",
        liars=(NightWatch,),
    ),
    Planted(
        "long rounds are not cut short",
        _long_rounds_are_not_cut_short,
        "liveness",
        50,
        schedule="idle",
        liars=(NightWatch,),
    ),
)
