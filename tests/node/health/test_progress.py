"""The rate of catch-up over the last seconds, and a log line now and then."""

import pytest
from structlog.testing import capture_logs

from notarium_node.health.progress import FEW, LOG_S, WINDOW_S, CatchUpProgress


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def progress(clock):
    return CatchUpProgress("catching up", clock)


def test_the_rate_and_what_remains_are_those_of_the_last_seconds(progress, clock):
    progress.update(0, 1000)
    assert progress.figures() == {"height": 0, "target": 1000, "blocks_per_s": 0.0, "remaining_s": None}
    clock.now += 2
    progress.update(100, 1000)
    assert progress.figures() == {"height": 100, "target": 1000, "blocks_per_s": 50.0, "remaining_s": 18.0}
    for _ in range(10):  # Slower now: after the window only this counts.
        clock.now += WINDOW_S / 5
        progress.update(progress.figures()["height"] + 2, 1000)
    assert progress.blocks_per_s == pytest.approx(1.0, abs=0.3)


def test_a_height_that_does_not_move_has_no_end(progress, clock):
    progress.update(5, 1000)
    clock.now += 1
    progress.update(5, 1000)
    assert progress.figures()["remaining_s"] is None


def test_a_line_is_logged_at_most_every_few_seconds(progress, clock):
    with capture_logs() as logs:
        for height in range(40):
            progress.update(height, 1000)
            clock.now += LOG_S / 4
    assert {line["event"] for line in logs} == {"catching up"}
    assert len(logs) == 10
    assert progress.end()
    assert not progress.end(), "it has ended already"


def test_a_small_gap_is_not_worth_a_line(progress, clock):
    with capture_logs() as logs:
        progress.update(10, 10 + FEW)
        clock.now += LOG_S
        progress.update(10 + FEW, 10 + FEW)
    assert logs == []
    assert not progress.end()
