"""Ready means that a decision is possible."""

from __future__ import annotations

import asyncio
import shutil

import pytest
from tests.cluster.siege.conftest import OpenSiege

pytestmark = pytest.mark.cluster

WIPED = (2, 3)
SEEN_S = 15.0


async def test_two_of_four_wiped(siege: OpenSiege):
    """They run, are connected and have the blocks, but may not sign: nothing can be decided, on an idle ledger too."""
    async with siege("2 of 4 validators wiped") as each:
        network = each.cluster.network
        for _ in range(3):
            await each.cluster.decide(each.nodes[0])
        for number in WIPED:
            node = each.nodes[number]
            await asyncio.to_thread(node.kill)
            shutil.rmtree(node.directory / "store")
            (node.directory / "store").mkdir(mode=0o700)
            node.start()

        def all_say_no() -> bool:
            return not any(node.get("/readyz")["ready"] for node in each.nodes)

        await asyncio.to_thread(network.wait_until, all_say_no, "every node to say that it is not ready", None, SEEN_S)
        for node in each.nodes:
            reasons = node.get("/readyz")["reasons"]
            each.say(f"{node.name}: {reasons}")
            assert reasons
