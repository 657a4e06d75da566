"""Those who have a key: a member's node that lies, a researcher who floods."""

from __future__ import annotations

import asyncio

import pytest
from tests.cluster.crowd import percentile
from tests.cluster.siege.conftest import OpenSiege
from tests.cluster.siege.judge import Limits

pytestmark = pytest.mark.cluster

LIAR = 3
ENTRIES = 60
DEAD_TURN_S = 0.15
"""The most that an entry may wait for a proposer that is known to be unreachable."""
FLOOD_CONNECTIONS = 16


@pytest.mark.parametrize("victims", [(0,), (0, 1, 2)], ids=["one-victim", "three-victims"])
async def test_gossip_that_nobody_admits(siege: OpenSiege, victims: tuple[int, ...]):
    """Messages of 16,000 well-signed entries by a key that nobody enrolled, from a validator's own node."""
    async with siege(f"a member gossips inadmissible entries to {len(victims)} of 3 nodes") as each:
        liar = each.nodes[LIAR]
        await asyncio.to_thread(liar.kill)
        keys = tuple(each.nodes[number].key for number in victims)
        orders = each.orders("lies", 1, directory=str(liar.directory), victims=keys)
        await each.withstand(orders, seconds=28, limits=Limits())
        assert any(what.startswith("dropped") for what in each.figures.answers), "the member was never dropped"


async def test_a_researcher_who_floods(siege: OpenSiege):
    """Well-signed entries of 12 kB by one key of m1, through the node that m0's researcher asks and through another."""
    async with siege("a key of m1 floods with 12 kB entries") as each:
        both = [
            each.orders("flood", FLOOD_CONNECTIONS, victim=victim, key=each.other_seed.hex(), issuer="m1")
            for victim in (0, 1)
        ]
        await each.withstand(*both, seconds=30, limits=Limits())


async def test_a_dead_proposers_turn(siege: OpenSiege):
    """One of four is killed: each fourth entry meets its turn."""
    async with siege("one of four validators is killed") as each:
        cluster, survivors = each.cluster, each.nodes[:LIAR]
        before = sorted([await cluster.decide(survivors[0]) for _ in range(ENTRIES)])
        await asyncio.to_thread(each.nodes[LIAR].kill)
        waits = sorted([await cluster.decide(survivors[0]) for _ in range(ENTRIES)])
        each.figures.waits_s = waits
        usual = percentile(before, 0.5)
        longest = percentile(waits, 0.95)
        each.say(f"p50 {usual * 1000:.0f} ms before; afterwards p50 {percentile(waits, 0.5) * 1000:.0f} ms, "
                 f"p95 {longest * 1000:.0f} ms, longest {waits[-1] * 1000:.0f} ms")  # fmt: skip
        each.figures.note = f"usual p50 {usual * 1000:.0f} ms; without it p95 {longest * 1000:.0f} ms"
        assert longest - usual < DEAD_TURN_S


@pytest.mark.parametrize("victims", [(0,), (0, 1, 2)], ids=["one-victim", "three-victims"])
async def test_fragments_of_a_message_that_never_ends(siege: OpenSiege, victims: tuple[int, ...]):
    """Empty WebSocket frames that are not final, as many as the line takes, from a validator's own node."""
    async with siege(f"a member sends empty fragments to {len(victims)} of 3 nodes") as each:
        liar = each.nodes[LIAR]
        await asyncio.to_thread(liar.kill)
        keys = tuple(each.nodes[number].key for number in victims)
        orders = each.orders("fragments", 1, directory=str(liar.directory), victims=keys)
        await each.withstand(orders, seconds=15, limits=Limits(), rest_s=5)
        assert any(what.startswith("dropped") for what in each.figures.answers), "the member was never dropped"
