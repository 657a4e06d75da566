"""Bad weather and cut cables between real nodes."""

from __future__ import annotations

import pytest
from tests.cluster.faults.ground import split
from tests.cluster.faults.weather import Weather

pytestmark = pytest.mark.cluster

HELD_S = 12.0
LONG_S = 30.0
"""Longer than any silence that a connection survives: peers must find each other again."""
FLAPS, FLAP_S = 8, 1.5

WEATHERS = [
    pytest.param("delay 100 ± 30 ms each way", Weather(delay_ms=100, jitter_ms=30), id="delay"),
    pytest.param("10 % of packets lost", Weather(delay_ms=5, jitter_ms=1, loss=0.10), id="loss"),
    pytest.param(
        "25 % out of order, 10 % twice, 2 % lost",
        Weather(delay_ms=20, jitter_ms=15, loss=0.02, duplicate=0.10, reorder=0.25),
        id="disorder",
    ),
]


@pytest.mark.parametrize(("fault", "weather"), WEATHERS)
async def test_bad_weather_slows_the_ledger_and_does_not_stop_it(trial, fault, weather):
    async with trial(fault) as each:
        await each.calm()
        async with each.fault():
            each.sky.worsen(each.hosts, weather)
            await each.hold(HELD_S, "bad weather")
        each.say(f"weather over: {each.sky.clear()}")
        await each.recover(goes_on=True)
        await each.verdict()


CUTS = [
    pytest.param("partition 2–2", split([0, 1], [2, 3]), HELD_S, False, id="partition22"),
    pytest.param("partition 2–2 for half a minute", split([0, 1], [2, 3]), LONG_S, False, id="long"),
    pytest.param("partition 3–1", split([0, 1, 2], [3]), HELD_S, True, id="partition31"),
    pytest.param("one cable cut: two validators do not hear each other", split([0], [1]), HELD_S, True, id="pair"),
    pytest.param("one direction: nobody hears one validator", {0: [3], 1: [3], 2: [3]}, HELD_S, True, id="mute"),
    pytest.param("one direction: one validator hears nobody", {3: [0, 1, 2]}, HELD_S, True, id="deaf"),
]


@pytest.mark.parametrize(("fault", "cuts", "held_s", "goes_on"), CUTS)
async def test_where_a_quorum_hears_itself_the_ledger_goes_on(trial, fault, cuts, held_s, goes_on):
    async with trial(fault) as each:
        await each.calm()
        async with each.fault():
            each.ground.cut(cuts)
            await each.hold(held_s, "cut")
            refused = sum(host.refused_packets() for host in each.hosts)
            each.ground.cut({})
        each.say(f"whole again; {refused} packets were dropped")
        assert refused > 0
        await each.recover(goes_on=goes_on)
        await each.verdict()


async def test_a_flapping_partition(trial):
    async with trial("partition 2–2 that comes and goes every 1.5 s") as each:
        await each.calm()
        async with each.fault():
            for _ in range(FLAPS // 2):
                each.ground.cut(split([0, 1], [2, 3]))
                await each.hold(FLAP_S, "cut")
                each.ground.cut({})
                await each.hold(FLAP_S, "whole")
        await each.recover(goes_on=None)
        await each.verdict()
