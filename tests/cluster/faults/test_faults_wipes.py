"""Disks that are lost whole: of f validators, and of f + 1, on ledgers of any age.

What is claimed: a loss that is noticed is no fault for safety, whatever the number. For progress it counts as a crash
until the node signs again: by itself where enough others remember, and by its operator's word where they do not.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from functools import partial

import pytest
from tests.cluster.faults.assembly import add_member, card_of, set_node
from tests.cluster.faults.clock import Clock
from tests.cluster.faults.trial import Trial, reasons_of

from notarium_node.demo.local_network import LocalNode

pytestmark = pytest.mark.cluster

SILENT_S = 10.0
"""Longer than the longest round at first, and than several rounds of questions."""
AGES = [0, 1, 1_000]
LAG = "[sync]\nsnapshot_lag_blocks = 500\n"
"""The oldest of these ledgers is joined by a snapshot."""
REMEDY = "vote_from"


def wipe(node: LocalNode) -> None:
    """All but keys and configuration is gone."""
    shutil.rmtree(node.directory / "store")


async def running(each: Trial, nodes: Sequence[LocalNode]) -> None:
    """Start these, and wait until they answer."""
    for node in nodes:
        node.start()
    for node in nodes:
        await asyncio.to_thread(each.cluster.network.wait_until, partial(node.get, "/healthz"), "an answer", node)


@pytest.mark.parametrize("blocks", AGES)
async def test_one_disk_is_lost(trial, blocks):
    """The others answer for what it has forgotten, and it votes on by itself."""
    async with trial(f"disk of f validators wiped at height {blocks:,}", LAG, start=False) as each:
        victim = each.nodes[2]
        await each.founded(blocks, [node for node in each.nodes if node is not victim])
        async with each.fault():
            await each.kill(victim)
            wipe(victim)
            await running(each, [victim])
            each.load.go_on()
            took = await each.votes(victim)
            await each.hold(2.0, f"{victim.name} votes again")
        each.row.note = f"it votes by itself {took:.1f} s after its API answers again"
        each.say(each.row.note)
        await each.recover(goes_on=True)
        await each.is_needed(victim, each.nodes[0])
        await each.verdict()


@pytest.mark.parametrize("blocks", AGES)
async def test_two_disks_are_lost(trial, blocks):
    """Nobody can say what they have signed: they are silent, say so, and vote when their operators state a height."""
    async with trial(f"disks of f + 1 validators wiped at height {blocks:,}", LAG, start=False) as each:
        victims, others = each.nodes[1:3], [each.nodes[0], each.nodes[3]]
        await each.founded(blocks, others)
        async with each.fault():
            await each.kill(*victims)
            for node in victims:
                wipe(node)
            await running(each, victims)
            each.load.go_on()
            await each.hold(SILENT_S, "two of four remember")
            assert each.watch.highest == blocks, "a block was decided by two that remember"
            for node in victims:
                reasons = reasons_of(node)
                each.say(f"{node.name}: {reasons}")
                assert not node.get("/readyz")["ready"], f"{node.name} calls itself ready"
                assert any(REMEDY in reason for reason in reasons), f"{node.name} does not name the remedy: {reasons}"
            await each.kill(*victims)
            for node in victims:
                with (node.directory / "node.toml").open("a") as file:
                    file.write(f"\n[consensus]\nvote_from = {blocks + 1}\n")
        for node in victims:
            node.start()
        await each.recover(goes_on=False)
        # The one that starts later finds its operator's height decided, asks, and lets some blocks pass.
        for node in victims:
            await each.votes(node)
        await each.is_needed(victims[0], others[0])
        await each.verdict()


async def test_the_set_changes_before_a_wiped_validator_reaches_its_fence(trial):
    """What the old set has answered is worth nothing in the new one: it is silent, asks the new set, and then votes."""
    async with trial("disk wiped, and another validator voted in before the fence", start=False) as each:
        victim, others = each.nodes[3], each.nodes[:3]
        await each.founded(3, others)
        newcomer = each.assembly.newcomer(each.ground.add_host(), "late")
        card = card_of(newcomer)
        await each.assembly.agree(["m0", "m1", "m2"], add_member(card), others)
        proposal = await each.assembly.propose("m0", set_node(card), others)
        await each.assembly.vote("m1", proposal, others)
        async with each.fault():
            await each.kill(victim)
            wipe(victim)
            await running(each, [victim])
            await asyncio.to_thread(
                each.cluster.network.wait_until, partial(is_fenced, victim), "the others' answers", victim
            )
            await each.assembly.vote("m2", proposal, others)
            top = each.watch.highest
            each.load.go_on()
            await each.hold(SILENT_S, f"{newcomer.name} is voted in and does not run")
            assert each.watch.highest <= top + 1, "decided with the vote of one that waits for the new set"
            each.say(f"{victim.name}: {reasons_of(victim)}")
            newcomer.start()
            each.watch.add(newcomer)
        each.cluster.network.nodes.append(newcomer)
        await each.recover(goes_on=None)
        await each.votes(victim)
        await each.is_needed(victim, others[0])
        await each.verdict()


def is_fenced(node: LocalNode) -> bool:
    """Whether it knows from which height on it will sign again, and is not there yet."""
    status = node.status()
    return bool((status["votes_from"] or 0) > status["height"] + 1)


async def test_a_clock_jumps_while_its_node_asks_what_it_signed(trial):
    """Five minutes ahead, five behind, and right again, from the moment on at which it starts with an empty disk."""
    async with trial("disk wiped, and its clock jumps ±5 minutes during the recall", start=False) as each:
        victim = each.nodes[3]
        clock = Clock.of(victim)
        each.cluster.network.start()
        await asyncio.to_thread(each.cluster.network.wait_ready)
        await each.calm([node for node in each.nodes if node is not victim])
        async with each.fault():
            await each.kill(victim)
            wipe(victim)
            clock.set(300)
            await running(each, [victim])
            for off_s in (-300, 300, -300):
                await each.hold(1.5, f"{victim.name} asks, its clock is off")
                clock.set(off_s)
            await each.hold(1.5, f"{victim.name} asks, its clock is off")
            clock.set(0)
        await each.recover(goes_on=True)
        took = await each.votes(victim)
        each.say(f"it votes {took:.1f} s after its clock is right")
        await each.is_needed(victim, each.nodes[0])
        await each.verdict()
