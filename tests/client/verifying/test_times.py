"""Times that cannot be true, and what came late."""

import pytest

from notarium.verifying.marks import MarkKind
from notarium.verifying.recorded import Claimed
from notarium.verifying.times import CLOCK_MS, LATE_MS, lag_ms, start_marks, time_marks

BLOCK = 1_760_000_000_000
IN_2099 = 4_080_000_000_000
HOUR = 3_600_000


def kinds(started, ended, *, has_start=False):
    return [each.kind for each in time_marks(Claimed(started, ended), BLOCK, has_start=has_start)]


@pytest.mark.parametrize(
    ("started", "ended", "expected"),
    [
        (None, None, []),
        (BLOCK - 2 * HOUR, BLOCK - HOUR, []),
        (BLOCK + CLOCK_MS, BLOCK + CLOCK_MS, []),
        (BLOCK - HOUR, BLOCK - 2 * HOUR, [MarkKind.IMPOSSIBLE]),
        (0, BLOCK - HOUR, [MarkKind.IMPOSSIBLE]),
        (BLOCK - HOUR, IN_2099, [MarkKind.IMPOSSIBLE]),
        (IN_2099, IN_2099, [MarkKind.IMPOSSIBLE, MarkKind.IMPOSSIBLE]),
        (BLOCK + CLOCK_MS + 1, None, [MarkKind.IMPOSSIBLE]),
        (BLOCK - LATE_MS - HOUR, BLOCK - LATE_MS - 1, [MarkKind.LATE]),
        (BLOCK - LATE_MS, BLOCK - LATE_MS, []),
        (BLOCK - LATE_MS - 1, None, [MarkKind.LATE]),
    ],
)
def test_claimed_times_are_held_against_the_block(started, ended, expected):
    assert kinds(started, ended) == expected


def test_a_long_run_needs_its_run_start_or_is_called_late():
    started, ended = BLOCK - 20 * LATE_MS, BLOCK - HOUR
    assert kinds(started, ended) == [MarkKind.LATE]
    assert kinds(started, ended, has_start=True) == []


def test_the_mark_says_how_much():
    def said(started, ended):
        return " ".join(each.text for each in time_marks(Claimed(started, ended), BLOCK, has_start=False))

    assert said(BLOCK - HOUR, BLOCK - 3 * HOUR) == "it claims to end 2 hours before it began"
    assert said(0, BLOCK) == "its claimed start is in the year 1970, by a clock that was not set"
    assert said(None, BLOCK - 3 * LATE_MS) == "anchored 3 days after it happened"
    assert "days" in said(IN_2099, None)


def test_the_run_start_shows_whether_the_claimed_start_is_true():
    assert start_marks(Claimed(None, None), BLOCK) == []
    assert start_marks(Claimed(BLOCK - HOUR, None), BLOCK) == []
    assert [each.kind for each in start_marks(Claimed(BLOCK + CLOCK_MS + 1, None), BLOCK)] == [MarkKind.IMPOSSIBLE]
    assert [each.kind for each in start_marks(Claimed(BLOCK - LATE_MS - 1, None), BLOCK)] == [MarkKind.LATE]


def test_the_lag_is_from_what_happened_last():
    assert lag_ms(Claimed(BLOCK - 5, BLOCK - 3), BLOCK) == 3
    assert lag_ms(Claimed(BLOCK - 5, None), BLOCK) == 5
    assert lag_ms(Claimed(None, None), BLOCK) is None
