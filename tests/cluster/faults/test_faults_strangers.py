"""Strangers at one validator's doors, and a member turned hostile. The ledger goes on, and so does the victim."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator

import aiohttp
import psutil
import pytest
from tests.cluster.faults.trial import Trial
from tests.cluster.faults.weather import ROOT
from tests.cluster.test_hostile import ATTACKS, ENDS, Traitor

from notarium_node.demo.local_network import LocalNode

pytestmark = pytest.mark.cluster

HELD_S = 12.0
READY_S = 30.0
STOP_S = 20.0
MOST_GROWTH_BYTES = 192 << 20
"""What a victim's memory may grow by while strangers are there, the ledger's own growth included."""

STRANGERS = [
    pytest.param("garbage at the peer port and the API", "garbage", 4, id="garbage"),
    pytest.param("oversized records, headers and bodies", "oversized", 2, id="oversized"),
    pytest.param("slow-loris, 300 at the peer port and 300 at the API", "loris", 300, id="loris"),
    pytest.param("1,000 idle connections to the peer port and 1,000 to the API", "idle", 1000, id="idle"),
]


@contextlib.asynccontextmanager
async def strangers(each: Trial, kind: str, victim: LocalNode, count: int) -> AsyncIterator[None]:
    """They are at work within, from a host of their own."""
    host = each.ground.add_host()
    words = [kind, victim.host, str(victim.peer_port), str(victim.api_port), str(count)]
    process = await asyncio.create_subprocess_exec(
        *host.prefix,
        *(sys.executable, "-m", "tests.cluster.faults.strangers", *words),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(READY_S):
            assert await process.stdout.readline() == b"ready\n"
        yield
        async with asyncio.timeout(STOP_S):
            said, _ = await process.communicate(b"\n")
        each.say(f"strangers: {said.decode().strip()}")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.parametrize(("fault", "kind", "count"), STRANGERS)
async def test_strangers_at_the_doors(trial, fault, kind, count):
    """Meanwhile another validator is killed and started: the victim must let it in."""
    async with trial(fault) as each:
        victim, other = each.nodes[0], each.nodes[1]
        await each.calm()
        memory = psutil.Process(victim.process.pid).memory_info
        before = memory().rss
        async with each.fault(), strangers(each, kind, victim, count):
            await each.hold(HELD_S / 2, kind)
            met = times_connected(victim, other)
            await asyncio.to_thread(other.kill)
            other.start()
            await each.until(lambda: times_connected(victim, other) > met, f"{other.name} to be let in again", READY_S)
            await each.hold(HELD_S / 2, kind)
            # Its doors are open to others: to a researcher as well.
            took = await each.cluster.decide(victim)
            height = (await asyncio.to_thread(victim.status))["height"]
            grown = memory().rss - before
        each.say(f"{victim.name} decided an entry in {took:.2f} s at height {height}; it grew by {grown >> 20} MiB")
        await each.recover(goes_on=True)
        await each.verdict()
        assert grown < MOST_GROWTH_BYTES


def times_connected(node: LocalNode, peer: LocalNode) -> int:
    """How often `node` got a link to `peer`, by its log: its API may be taken."""
    lines = node.log.read_text(errors="replace").splitlines()
    return sum(peer.key[:16] in line and '"message": "peer connected"' in line for line in lines)


FRAMES = ["an unknown kind of message", "a consensus message cut short", "a text frame", "a frame of 33 MiB"]


async def test_a_member_that_speaks_garbage(trial, monkeypatch):
    """It has the fourth validator's keys, and sends to one of the three that are left."""
    monkeypatch.setenv("NOTARIUM_NODE_PEER__MAX_BAN_MS", "1000")
    async with trial("a member that sends garbage and oversized frames") as each:
        hostile, victim = each.nodes[3], each.nodes[0]
        honest = each.nodes[:3]
        await each.calm()
        async with each.fault():
            await asyncio.to_thread(hostile.kill)
            traitor = Traitor(each.cluster, hostile)
            for name, attack, reason in ATTACKS:
                if name not in FRAMES:
                    continue
                before = await asyncio.to_thread(
                    each.cluster.metric, victim, "notarium_peers_dropped_total", reason=reason
                )
                async with traitor.link(victim) as socket:
                    with contextlib.suppress(ConnectionError, aiohttp.ClientError):
                        await attack(traitor, socket, victim)
                    async with asyncio.timeout(STOP_S):
                        while (await socket.receive()).type not in ENDS:
                            continue
                after = await asyncio.to_thread(
                    each.cluster.metric, victim, "notarium_peers_dropped_total", reason=reason
                )
                assert after == before + 1, f"{name}: not counted as {reason}"
                each.say(f"{name}: dropped as {reason}")
            await each.hold(HELD_S / 2, "the fourth is out")
        hostile.start()
        await each.recover(goes_on=True)
        assert all(node.is_running() for node in honest)
        await each.verdict()
