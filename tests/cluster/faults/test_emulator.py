"""The link emulator does to packets exactly what its orders say."""

from __future__ import annotations

import itertools

import pytest
from tests.cluster.faults.emulator import Emulator
from tests.cluster.faults.ground import split
from tests.cluster.faults.weather import Weather

MANY = 20_000


def through(weather: Weather) -> tuple[Emulator, list[tuple[float, int]]]:
    """Packets 0, 1, 2 ... sent 1 ms apart; what comes out: when (s) and which."""
    emulator, out = Emulator(weather, seed=5), []
    for number in range(MANY):
        now = number / 1000
        out += [(now, int.from_bytes(frame, "big")) for _, frame in emulator.give(now)]
        emulator.take(3, number.to_bytes(4, "big"), now)
    while (wait := emulator.next_s(now)) is not None:
        now += wait
        out += [(now, int.from_bytes(frame, "big")) for _, frame in emulator.give(now)]
    return emulator, out


def test_fair_weather_changes_nothing():
    _, out = through(Weather())
    assert [number for _, number in out] == list(range(MANY))


def test_delay_and_jitter():
    _, out = through(Weather(delay_ms=50, jitter_ms=20))
    delays_ms = [1000 * at - number for at, number in out]
    assert sorted(number for _, number in out) == list(range(MANY))
    assert 29 < min(delays_ms) < 32
    assert 68 < max(delays_ms) < 72
    assert sum(delays_ms) / MANY == pytest.approx(50, abs=1)


def test_loss_duplicates_and_reordering_come_in_their_shares():
    emulator, out = through(Weather(delay_ms=5, loss=0.1, duplicate=0.05, reorder=0.2))
    counts = emulator.counts
    assert counts["lost"] / MANY == pytest.approx(0.1, abs=0.02)
    assert counts["doubled"] / MANY == pytest.approx(0.045, abs=0.02)
    assert len(out) == MANY - counts["lost"] + counts["doubled"]
    assert len({number for _, number in out}) == MANY - counts["lost"]
    overtaken = sum(later < earlier for (_, earlier), (_, later) in itertools.pairwise(out))
    assert overtaken > MANY / 20


def test_a_thin_line_sends_at_its_rate_and_loses_what_its_queue_cannot_hold():
    emulator = Emulator(Weather(delay_ms=10, rate_mbit_s=8, queue_bytes=10_000), seed=5)
    for number in range(20):
        emulator.take(3, bytes([number]) * 1_000, 0.0)
    emulator.take(4, b"x" * 1_000, 0.0)
    first = [(device, frame[0]) for device, frame in emulator.give(0.0111)]
    assert first == [(3, 0), (4, ord("x"))], "1,000 bytes take 1 ms at 8 Mbit/s, on each line"
    rest = [frame[0] for _, frame in emulator.give(1.0)]
    assert rest == list(range(1, 10))
    assert emulator.counts["too many"] == 10


def test_a_split_cuts_both_ways_and_only_across():
    assert split([0, 1], [2]) == {0: [2], 1: [2], 2: [0, 1]}
