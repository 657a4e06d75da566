"""Whether the times that an entry claims can be true, and how long after them its block came.

The time of a block is proven by the validators that signed it; what the entry claims is the author's clock.
"""

from __future__ import annotations

from notarium.verifying.marks import Mark, MarkKind
from notarium.verifying.people import span_text, time_text
from notarium.verifying.recorded import Claimed

CLOCK_MS = 10 * 60_000
"""So far a computer's clock may be ahead of the validators' and still be called right."""
LATE_MS = 24 * 3_600_000
"""What is anchored later than this after it happened is late."""
OLDEST_MS = 946_684_800_000
"""The year 2000: whatever claims to have run before it had a clock that was never set."""


def time_marks(claimed: Claimed, decided_ms: int, *, has_start: bool) -> list[Mark]:
    """What is wrong with the claimed times. `has_start`: the entry refers to the run-start that proves its start."""
    started, ended = claimed.started_ms, claimed.ended_ms
    times = (("start", started), ("end", ended))
    found = [text for name, time in times if time is not None and (text := _impossible(name, time, decided_ms))]
    if started is not None and ended is not None and ended < started:
        found.append(f"it claims to end {span_text(started - ended)} before it began")
    if found:
        return [Mark(MarkKind.IMPOSSIBLE, each) for each in found]
    happened = started if ended is None else ended
    if happened is not None and decided_ms - happened > LATE_MS:
        return [Mark(MarkKind.LATE, f"anchored {span_text(decided_ms - happened)} after it happened")]
    if started is not None and decided_ms - started > LATE_MS and not has_start:
        lag = span_text(decided_ms - started)
        return [Mark(MarkKind.LATE, f"claims to have begun {lag} before its block, and no run-start shows it")]
    return []


def start_marks(claimed: Claimed, start_decided_ms: int) -> list[Mark]:
    """What is wrong with the claimed start of a run whose run-start was decided at this time."""
    if claimed.started_ms is None:
        return []
    lag = start_decided_ms - claimed.started_ms
    if lag < -CLOCK_MS:
        return [Mark(MarkKind.IMPOSSIBLE, f"it claims to begin {span_text(lag)} after its own run-start was decided")]
    if lag > LATE_MS:
        return [Mark(MarkKind.LATE, f"its run-start was anchored {span_text(lag)} after the start that it claims")]
    return []


def lag_ms(claimed: Claimed, decided_ms: int) -> int | None:
    """From what happened, its end or else its start, to the block; None where the entry claims no time."""
    happened = claimed.started_ms if claimed.ended_ms is None else claimed.ended_ms
    return None if happened is None else decided_ms - happened


def _impossible(name: str, time: int, decided_ms: int) -> str:
    if time < OLDEST_MS:
        return f"its claimed {name} is in the year {time_text(time)[:4]}, by a clock that was not set"
    if time > decided_ms + CLOCK_MS:
        return f"its claimed {name} is {span_text(time - decided_ms)} after its block"
    return ""
