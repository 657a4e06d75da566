"""kill -9, one at a time and all at once: nothing acknowledged is lost, nothing is there twice, nobody stays behind."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal

import pytest
from tests.cluster.crowd import Cluster, percentile

pytestmark = pytest.mark.cluster

CLIENTS = 8
ENTRIES = 2_000
TOGETHER = 5
"""Entries in one request: under a kill every two seconds a request takes a fifth of a second."""
KILLS = 8
DOWN_S = 1.0
"""How long a killed validator stays down: long enough for the others to miss it."""


async def test_validators_killed_in_turn_under_load(found, say):
    cluster: Cluster = found()
    say(f"{len(cluster.nodes)} nodes run; {CLIENTS} clients submit {ENTRIES} entries, validators are killed in turn")
    loading = asyncio.create_task(cluster.crowd(CLIENTS, ENTRIES // CLIENTS // TOGETHER, TOGETHER, pause_s=0.1))
    kills = 0
    while not loading.done() or kills < KILLS:
        victim = cluster.validators[kills % len(cluster.validators)]
        await asyncio.to_thread(victim.kill)
        await asyncio.sleep(DOWN_S)
        victim.start()
        await asyncio.to_thread(cluster.network.wait_ready, [victim])
        kills += 1
        say(f"killed and restarted {victim.name}; {len(cluster.acknowledged)} of {ENTRIES} acknowledged")
    latencies = await loading
    status = cluster.settle()
    say(
        f"{kills} kills, {status['height']} blocks; seconds to verified receipts: "
        f"p50 {percentile(latencies, 0.5):.3f}, p99 {percentile(latencies, 0.99):.3f}, longest {latencies[-1]:.3f}"
    )
    assert kills >= KILLS
    assert len(cluster.acknowledged) == ENTRIES
    assert await cluster.check_log() == ENTRIES
    say(f"all {ENTRIES} entries are in the log exactly once, block hashes are equal on all {len(cluster.nodes)} nodes")
    checked = await cluster.check_receipts()
    say(f"{checked} receipts verified with the genesis alone")
    cluster.check_honesty()
    cluster.check_stores()
    say("every node's store is sound from genesis to tip")


async def test_all_nodes_killed_at_once_under_load(found, say):
    cluster: Cluster = found()
    total = 600
    loading = asyncio.create_task(cluster.crowd(CLIENTS, total // CLIENTS, pause_s=0.02))
    for number in range(2):
        before = len(cluster.acknowledged)
        while len(cluster.acknowledged) < before + 60:
            assert not loading.done()
            await asyncio.sleep(0.01)
        for node in cluster.nodes:
            assert node.process is not None
            os.kill(node.process.pid, signal.SIGKILL)
        promised = len(cluster.acknowledged)
        for node in cluster.nodes:
            await asyncio.to_thread(node.kill)  # Reaps the process.
        say(f"power cut {number + 1} with {promised} entries acknowledged; all nodes start again")
        cluster.network.start()
        await asyncio.to_thread(cluster.network.wait_ready)
        say("all nodes are ready")
    await loading
    cluster.settle()
    assert len(cluster.acknowledged) == total
    assert await cluster.check_log() == total
    checked = await cluster.check_receipts()
    cluster.check_honesty()
    cluster.check_stores()
    say(f"all {total} entries are there once, {checked} receipts hold, stores are sound")


async def test_a_validator_without_its_disk_fetches_the_chain_and_votes_again(found, say):
    """Its keys are kept. It does not know what it has signed with them, so it is silent for some blocks."""
    cluster: Cluster = found(observer=False)
    victim, others = cluster.validators[2], [node for node in cluster.validators if node is not cluster.validators[2]]
    await cluster.crowd(4, 25, pause_s=0)
    loading = asyncio.create_task(cluster.crowd(4, 50, pause_s=0.05))
    await asyncio.to_thread(victim.kill)
    height = others[0].status()["height"]
    shutil.rmtree(victim.directory / "store")
    victim.start()
    await asyncio.to_thread(cluster.network.wait_ready, [victim])
    await loading
    cluster.settle()
    say(f"{victim.name} lost its disk at block {height}, fetched the chain and is at block {victim.status()['height']}")
    assert victim.log.read_text().count("has signed and does not vote for some blocks") == 1
    assert victim.status()["votes_from"] > height
    cluster.check_honesty()

    # With another one gone its vote is needed: it does vote.
    await asyncio.to_thread(others[0].stop)
    took = await cluster.decide(victim, *others[1:])
    say(f"its vote makes the quorum: decided in {took:.2f} s without {others[0].name}")
    others[0].start()
    await asyncio.to_thread(cluster.network.wait_ready)
    cluster.settle()
    await cluster.check_log()
    cluster.check_honesty()
    cluster.check_stores()
