"""How slow the disk is, from what each synced write took."""

import pytest

from notarium_node.health.write_times import RECENT, WRITES_A_VOTE, WriteTimes


class Timer:
    """Each reading is `step` later than the one before."""

    step = 0.0
    now = 0.0

    def __call__(self):
        self.now += self.step
        return self.now


@pytest.fixture
def timer():
    return Timer()


def write(times, count=1):
    for _ in range(count):
        with times.timed():
            pass


def test_one_slow_write_is_no_slow_disk_and_most_of_the_last_ones_are(timer):
    times = WriteTimes(timer)
    timer.step = 0.4
    write(times, RECENT // 2)
    timer.step = 0.001
    write(times, RECENT)
    assert times.typical_s == pytest.approx(0.001)
    timer.step = 0.4
    write(times, RECENT // 2 + 1)
    assert times.typical_s == pytest.approx(0.4)
    assert times.vote_s == pytest.approx(0.4 * WRITES_A_VOTE)


def test_a_few_writes_say_nothing_yet(timer):
    times = WriteTimes(timer)
    timer.step = 9.0
    write(times, RECENT - 1)
    assert times.typical_s == 0.0


def test_a_write_that_fails_is_measured_too(timer):
    times = WriteTimes(timer)
    timer.step = 0.4
    with pytest.raises(OSError, match="full"), times.timed():
        raise OSError("full")
    assert times.histogram.total_s == pytest.approx(0.4)
