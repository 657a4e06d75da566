"""Validators killed and stopped while they work."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

pytestmark = pytest.mark.cluster

DOWN_S = 8.0
STOPPED_S = 14.0
"""Longer than the longest round (10 s) and than the silence after which a peer counts as gone (9 s)."""

KILLS = [
    pytest.param("SIGKILL of one validator", [1], True, id="one"),
    pytest.param("SIGKILL of f + 1 validators", [1, 2], False, id="too-many"),
    pytest.param("SIGKILL of all validators", [0, 1, 2, 3], False, id="all"),
]


@pytest.mark.parametrize(("fault", "victims", "goes_on"), KILLS)
async def test_killed_validators(trial, fault, victims, goes_on):
    async with trial(fault) as each:
        await each.calm()
        killed = [each.nodes[number] for number in victims]
        async with each.fault():
            for node in killed:
                os.kill(node.process.pid, signal.SIGKILL)
            for node in killed:
                await asyncio.to_thread(node.kill)  # Reaps the process.
            await each.hold(DOWN_S, f"{', '.join(node.name for node in killed)} dead")
        for node in killed:
            node.start()
        await each.recover(goes_on=goes_on)
        await each.verdict()


STOPS = [
    pytest.param("SIGSTOP of one validator", [2], True, id="one"),
    pytest.param("SIGSTOP of f + 1 validators", [1, 2], False, id="too-many"),
]


@pytest.mark.parametrize(("fault", "victims", "goes_on"), STOPS)
async def test_stopped_validators(trial, fault, victims, goes_on):
    """Their connections stay open, and their clocks leap when they go on."""
    async with trial(fault) as each:
        await each.calm()
        stopped = [each.nodes[number] for number in victims]
        try:
            async with each.fault():
                for node in stopped:
                    os.kill(node.process.pid, signal.SIGSTOP)
                await each.hold(STOPPED_S, f"{', '.join(node.name for node in stopped)} stopped")
        finally:
            for node in stopped:
                os.kill(node.process.pid, signal.SIGCONT)
        await each.recover(goes_on=goes_on)
        await each.verdict()


async def test_killed_in_turn(trial):
    async with trial("SIGKILL of each validator in turn, down for 1 s") as each:
        await each.calm()
        async with each.fault():
            for node in each.nodes:
                await asyncio.to_thread(node.kill)
                await each.hold(1.0, f"{node.name} dead")
                node.start()
                await asyncio.to_thread(each.cluster.network.wait_ready, [node])
        await each.recover(goes_on=True)
        await each.verdict()
