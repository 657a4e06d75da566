"""A validator whose clock is minutes off: it loses its turns to propose, and nobody else's time moves."""

from __future__ import annotations

import asyncio

import pytest
from tests.cluster.faults.clock import Clock

pytestmark = pytest.mark.cluster

OFF_S = 300
HELD_S = 14.0
PROBE = {"NOTARIUM_NODE_PEER__CLOCK_PROBE_MS": "2000"}
"""Peers compare clocks more often than every half minute, the default: the fault is to be noticed while it lasts."""


@pytest.mark.parametrize("off_s", [OFF_S, -OFF_S], ids=["fast", "slow"])
async def test_a_clock_that_is_minutes_off(trial, off_s):
    async with trial(f"clock of one validator {off_s / 60:+.0f} minutes off", start=False) as each:
        for node in each.nodes:
            node.environment |= PROBE
        victim = each.nodes[3]
        clock = Clock.of(victim)
        each.cluster.network.start()
        await asyncio.to_thread(each.cluster.network.wait_ready)
        await each.calm()
        async with each.fault():
            clock.set(off_s)
            await each.hold(HELD_S, "clock off")
            offsets = {row["member"]: row["clock_offset_ms"] for row in each.nodes[0].status()["peers"]}
            reasons = victim.get("/readyz")["reasons"]
            each.say(f"offsets as m0 sees them: {offsets}; {victim.name}: {reasons}")
            clock.set(0)
        assert abs(offsets[victim.member] - off_s * 1000) < 2000, "the clock was not off"
        assert any("the clock is off" in reason for reason in reasons), "it did not notice that its clock is off"
        await each.recover(goes_on=True)
        await each.verdict()
