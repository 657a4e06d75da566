"""Any three of four validators decide; two do not, say so, lose nothing, and go on when the third returns."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence

import pytest
from tests.cluster.crowd import Cluster

from notarium_ledger.log.hashes import leaf_hash
from notarium_node.demo.local_network import LocalNode

pytestmark = pytest.mark.cluster

QUIET_S = 3.0
"""How long two validators are watched while they decide nothing: several round timeouts."""


def reasons(node: LocalNode) -> list[str]:
    """Why it is not ready, by its own words."""
    return list(node.get("/readyz")["reasons"])


def undecided(node: LocalNode) -> str:
    """What it says of a block that is due and does not come."""
    return "".join(each for each in reasons(node) if each.startswith("nothing is decided"))


def wait_reason(cluster: Cluster, node: LocalNode, text: str) -> None:
    """Wait until `node` gives this reason: right after its start it only says that it is starting."""
    cluster.network.wait_until(lambda: any(text in reason for reason in reasons(node)), f"it to say {text!r}", node)


def wait_named(cluster: Cluster, node: LocalNode, gone: Sequence[LocalNode]) -> None:
    """Wait until `node` says that the votes of these are missing."""
    cluster.network.wait_until(
        lambda: all(f"{each.member} (not connected)" in undecided(node) for each in gone), "it to name them", node
    )


async def test_any_three_of_four_decide(found, say):
    cluster: Cluster = found(observer=False)
    idle = await cluster.decide(*cluster.nodes)
    rows = [f"{'all four':<12}{idle:>24.2f}"]
    for absent in cluster.validators:
        present = [node for node in cluster.validators if node is not absent]
        await asyncio.to_thread(absent.stop)
        took = await cluster.decide(*present)
        # Twice around, so that the absent one's turn to propose comes in any case.
        after = max([await cluster.decide(*present) for _ in range(8)])
        rows.append(f"{'without ' + absent.name:<12}{took:>24.2f}{after:>24.2f}")
        absent.start()
        await asyncio.to_thread(cluster.network.wait_ready)
        cluster.settle()
    say("seconds until decided:  first after the stop    longest of eight more")
    for row in rows:
        say(row)
    await cluster.check_log()
    cluster.check_honesty()
    cluster.check_stores()


async def test_the_turns_of_a_killed_validator_are_not_waited_for(found, say):
    """kill -9, then entries one after the other: no round runs out, and each turn of the dead one is left early."""
    cluster: Cluster = found(observer=False)
    rounds = len(cluster.validators)
    alive = statistics.median([await cluster.decide(*cluster.nodes) for _ in range(2 * rounds)])
    for absent in cluster.validators:
        cluster.settle()
        await asyncio.to_thread(absent.kill)
        present = [node for node in cluster.validators if node is not absent]
        before = [left_early(cluster, node) for node in present]
        ran_out = [timeouts(node) for node in present]
        first = await cluster.decide(*present)
        took = sorted([await cluster.decide(*present) for _ in range(4 * rounds)])
        early = [left_early(cluster, node) - count for node, count in zip(present, before, strict=True)]
        turns, others = statistics.median(took[-4:]), statistics.median(took[:-4])
        say(
            f"without {absent.name}: first {1000 * first:.0f} ms, then {1000 * others:.0f}, with a dead turn "
            f"{1000 * turns:.0f} (all four: {1000 * alive:.0f}); turns left early {early}"
        )
        # Whoever is slower may be pulled along by f + 1 others instead of leaving by itself.
        assert max(early) >= 3
        assert [timeouts(node) for node in present] == ran_out, "a round ran out"
        absent.start()
        await asyncio.to_thread(cluster.network.wait_ready)
    await cluster.check_log()
    cluster.check_honesty()
    cluster.check_stores()


def timeouts(node: LocalNode) -> int:
    """How many rounds a node has left because their time was over."""
    return node.log.read_text().count('"reason": "timeout"')


def left_early(cluster: Cluster, node: LocalNode) -> int:
    """How many rounds a node has left because their proposer could not be reached."""
    return int(cluster.metric(node, "notarium_consensus_events_total", event="ProposerAbsent"))


async def test_two_of_four_wait_for_the_third(found, say):
    cluster: Cluster = found()
    rows = []
    for absent in ((2, 3), (0, 1)):
        gone = [cluster.validators[number] for number in absent]
        left = [node for node in cluster.validators if node not in gone]
        await cluster.decide(*cluster.validators)
        height = cluster.settle()["height"]
        for node in gone:
            await asyncio.to_thread(node.kill)
        stopped_at = time.monotonic()

        # They say that there is no quorum, and promise nothing.
        for node in left:
            wait_reason(cluster, node, "no quorum: 2 of 4")
            assert node.get("/healthz") == {"status": "ok"}
        pending = [cluster.entry() for _ in range(40)]
        for number, raw in enumerate(pending):
            status, answer = await cluster.post(left[number % 2], raw, "?wait=none")
            assert (status, answer["status"]) == (202, "pending")
        status, _ = await cluster.post(left[0], pending[0], f"?timeout_ms={QUIET_S * 1000:.0f}")
        assert status == 202
        assert [node.status()["height"] for node in left] == [height, height]
        # Now a block is due, and each names those who do not vote.
        for node in left:
            wait_named(cluster, node, gone)

        # The third returns: what waits is decided, and what is new as well.
        outage = time.monotonic() - stopped_at
        returned_at = time.monotonic()
        gone[0].start()
        ids = [leaf_hash(raw).hex() for raw in pending]
        cluster.wait_decided(left[0], ids)
        back = time.monotonic() - returned_at
        cluster.acknowledged.update(zip(ids, pending, strict=True))
        new = await cluster.decide(*left, gone[0])
        rows.append(f"{' and '.join(node.name for node in gone):<14}{outage:>8.1f}{back:>22.2f}{new:>18.2f}")
        gone[1].start()
        await asyncio.to_thread(cluster.network.wait_ready)
        cluster.settle()
    say("away          seconds   until decided again   then a new one")
    for row in rows:
        say(row)
    assert await cluster.check_log() == len(cluster.acknowledged)
    await cluster.check_receipts()
    cluster.check_honesty()
    cluster.check_stores()
