"""The timers of one height: they run only while a block is due (consensus notes, mistake 14)."""

from __future__ import annotations

from typing import Final

from notarium_consensus.config import EngineConfig
from notarium_consensus.effects import AbsenceTimer, ProposeTimer, ResendTimer, RoundTimer, SetTimer
from notarium_consensus.inbox import Inbox
from notarium_consensus.justification import HeightContext
from notarium_consensus.step_effects import StepEffects
from notarium_ledger.types import Round

ABSENCE_MS: Final = 50
"""For so long the proposer of a round must be unreachable before the round is left: a link that is replaced by another
is away for less, and a turn of a dead proposer stays short."""


class HeightTimers:
    """Starts the round timer and the propose timer, once a round, and the resend timer."""

    __slots__ = (
        "_absence_timer_runs",
        "_config",
        "_context",
        "_counted",
        "_effects",
        "_inbox",
        "_is_prepared",
        "_propose_timer_runs",
        "_round_timer_runs",
        "_skipped",
        "_started_ms",
        "_work_from",
        "_work_ms",
        "due",
    )

    def __init__(self, context: HeightContext, config: EngineConfig, inbox: Inbox, effects: StepEffects) -> None:
        self._context = context
        self._config = config
        self._inbox = inbox
        self._effects = effects
        self._round_timer_runs = False
        """Of the current round."""
        self._work_from: Round | None = None
        """From this round on there is work for certain: something waits here, or is prepared. As `_tried` counts."""
        self._is_prepared = False
        self._counted = 0
        """How many rounds before that had a proposal."""
        self._work_ms: int | None = None
        """When the first work of the current round was seen, where there was none for certain before."""
        self._started_ms = 0
        """When the round timer started, on the clock of now_ms."""
        self._propose_timer_runs = False
        self._absence_timer_runs = False
        self._skipped = 0
        """How many rounds ended without their proposal while their proposer could not be reached."""
        self.due = False
        """A block is due."""

    def enter_round(self, *, has_skipped: bool) -> None:
        """A new round began: its timer does not run yet. `has_skipped`: in the one before no proposal could come."""
        if has_skipped:
            self._skipped += 1
        elif self._work_from is None and self._work_ms is not None:
            self._counted += 1
        self._work_ms = None
        self._round_timer_runs = self._propose_timer_runs = self._absence_timer_runs = False

    def length_ms(self, round_: Round) -> int:
        """How long a round lasts."""
        return self._context.lengths.of_round(self._tried(round_), self.worked(round_))

    def _tried(self, round_: Round) -> Round:
        """How many of the rounds before `round_` were not skipped: those that were do not make it longer."""
        return Round(round_ - self._skipped)

    def worked(self, round_: Round) -> int:
        """How many of the rounds before `round_` had work to decide, as far as this node knows.

        Rounds in which nobody could propose, or not to this node, teach nothing about how long a decision takes,
        however many there are.
        """
        return self._counted + (0 if self._work_from is None else max(0, self._tried(round_) - self._work_from))

    def see_prepared(self, round_: Round) -> None:
        """A block is prepared, so there is work until this height is decided, from the present round on."""
        self._is_prepared = True
        self._see()
        if self._work_from is None:
            self._work_from = self._tried(round_)

    def see_proposal(self) -> None:
        """There is a proposal in the present round. A liar can make it up, so it says nothing of later rounds."""
        self._see()

    def proposal_rejected(self) -> None:
        """It was no work."""
        if self._work_from is None:
            self._work_ms = None

    def have_work(self, round_: Round) -> None:
        """This node has something to propose, from the present round on.

        A liar can have made up what was seen before, so rounds count again from here, and a long round is cut short.
        """
        if self._work_from is not None:
            return
        is_long, self._counted = self._counted > 0, 0
        self._see()
        self._work_from = self._tried(round_)
        if is_long and self._round_timer_runs:
            at_ms = max(self._effects.now_ms, self._context.parent_time_ms) + self.length_ms(round_)
            self._effects.emit(SetTimer(RoundTimer(self._context.height, round_), at_ms))

    def have_nothing(self) -> None:
        """What waited here makes no block."""
        if not self._is_prepared:
            self._work_from = self._work_ms = None

    def _see(self) -> None:
        if self._work_ms is None:
            self._work_ms = self._effects.now_ms

    @property
    def is_round_timed(self) -> bool:
        """Whether the timer of the current round runs."""
        return self._round_timer_runs

    def round_took_ms(self, round_: Round) -> int | None:
        """How long there has been work in `round_`, which is current; None if its timer does not run, or without work.

        What came late in an idle round did not take as long as the round.
        """
        if not self._round_timer_runs:
            return None
        start_ms = self._started_ms
        if self._work_from is None or self._work_from >= self._tried(round_):
            if self._work_ms is None:
                return None
            start_ms = max(start_ms, self._work_ms)
        return max(0, self._effects.now_ms - start_ms)

    def may_propose(self, round_: Round) -> bool:
        """Whether this node's clock has passed the parent's time; if not, a timer says when.

        A block is later than its parent. A liar can give the parent a time as late as the precision allows. A proposer
        that answered with "a millisecond later" at once would be untimely for honest nodes with slower clocks, so it
        waits, and then every honest validator finds its block timely (docs/consensus.md, timely blocks).
        """
        parent_ms = self._context.parent_time_ms
        if self._effects.now_ms > parent_ms:
            return True
        if not self._propose_timer_runs:
            self._propose_timer_runs = True
            self._effects.emit(SetTimer(ProposeTimer(self._context.height, round_), parent_ms + 1))
        return False

    def propose_expired(self) -> None:
        """The timer that `may_propose` set has expired."""
        self._propose_timer_runs = False

    def watch_proposer(self, round_: Round, *, is_absent: bool) -> None:
        """The proposer of `round_`, which is current, can be reached or not: a timer runs while it cannot."""
        if is_absent and not self._absence_timer_runs:
            at_ms = self._effects.now_ms + ABSENCE_MS
            self._effects.emit(SetTimer(AbsenceTimer(self._context.height, round_), at_ms))
        self._absence_timer_runs = is_absent

    @property
    def is_proposer_watched(self) -> bool:
        """Whether the proposer of the current round has been absent since the timer of its absence was set."""
        return self._absence_timer_runs

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
        # Until its clock has passed the parent's time, no honest node proposes: that time is not the proposer's.
        start_ms = max(self._effects.now_ms, self._context.parent_time_ms)
        self._started_ms = start_ms
        at_ms = start_ms + self.length_ms(round_)
        self._effects.emit(SetTimer(RoundTimer(self._context.height, round_), at_ms))

    def start_resend(self) -> None:
        """Start the resend timer again."""
        self._effects.emit(SetTimer(ResendTimer(self._context.height), self._effects.now_ms + self._config.resend_ms))
