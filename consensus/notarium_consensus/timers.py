"""The timers of one height: they run only while a block is due (consensus notes, mistake 14)."""

from __future__ import annotations

from notarium_consensus.config import EngineConfig
from notarium_consensus.effects import ResendTimer, RoundTimer, SetTimer
from notarium_consensus.inbox import Inbox
from notarium_consensus.justification import HeightContext
from notarium_consensus.step_effects import StepEffects
from notarium_ledger.types import Round


class HeightTimers:
    """Starts the round timer, once a round, and the resend timer."""

    __slots__ = ("_config", "_context", "_effects", "_inbox", "_round_timer_runs", "due")

    def __init__(self, context: HeightContext, config: EngineConfig, inbox: Inbox, effects: StepEffects) -> None:
        self._context = context
        self._config = config
        self._inbox = inbox
        self._effects = effects
        self._round_timer_runs = False
        """Of the current round."""
        self.due = False
        """A block is due."""

    def enter_round(self) -> None:
        """A new round began: its timer does not run yet."""
        self._round_timer_runs = False

    def start_round(self, round_: Round, *, is_proven: bool) -> None:
        """Start the timer of `round_`, which is current, unless it runs.

        A round above 0 is timed only once a quorum is known to be in the round or beyond (PBFT; Castro and Liskov,
        OSDI 1999, 4.5.2): their messages are here, or `is_proven`, by a justified proposal of the round. Otherwise a
        validator that is cut off would go through the rounds alone, and since the timer is capped, those that it
        meets again would never catch up with it. Where its vote is needed for the quorum, the ledger would stand
        still (mistake 12).
        """
        if self._round_timer_runs or not self.due:
            return
        if round_ > 0 and not is_proven and len(self._inbox.reached(round_)) < self._context.validators.quorum:
            return
        self._round_timer_runs = True
        at_ms = self._effects.now_ms + self._config.timeout_ms(round_)
        self._effects.emit(SetTimer(RoundTimer(self._context.height, round_), at_ms))

    def start_resend(self) -> None:
        """Start the resend timer again."""
        self._effects.emit(SetTimer(ResendTimer(self._context.height), self._effects.now_ms + self._config.resend_ms))
