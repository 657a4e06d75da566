"""Lines of 2 Mbit/s between validators, and blocks that are full."""

from __future__ import annotations

import asyncio
import time
from functools import partial

import pytest
from tests.cluster.faults.bulk import MIB, fat_entries, post
from tests.cluster.faults.watch import EVERY_S
from tests.cluster.faults.weather import Weather

from notarium import Client
from notarium_node.demo.local_network import LocalNode

pytestmark = pytest.mark.cluster

RATE_MBIT_S = 2.0
THIN = Weather(delay_ms=10, rate_mbit_s=RATE_MBIT_S)
PEERS = 3
SLACK = 4
"""Times the bare transfer that a full block may take."""
LOOK_S = 1.0
"""Between two looks at a node: they use the same line."""
PREPARED_S = 15.0
"""Until then all nodes run and have all entries."""
FULL = 0.9
"""A block is full from this share of its limit on."""

BLOCKS = [pytest.param(2, 3, id="2"), pytest.param(8, 1, id="8")]


def bare_s(size: int) -> float:
    """How long a proposer's line is busy with sending so many bytes to each of its peers."""
    return PEERS * size * 8 / (RATE_MBIT_S * 1e6)


@pytest.mark.parametrize(("mib", "count"), BLOCKS)
async def test_full_blocks_over_a_thin_line(trial, mib, count):
    """Every node has every entry before the lines become thin: from then on they carry blocks and nothing else."""
    config = f"[consensus]\nblock_bytes_target = {mib * MIB}\n"
    async with trial(f"lines of 2 Mbit/s, blocks of {mib} MiB", config, start=False) as each:
        size = count * mib * MIB
        # The first block is of a time to come: until then nothing is decided, and entries pass.
        begin = time.time() + PREPARED_S
        await each.founded(1, begin_ms=int(begin * 1000))
        each.watch.every_s = LOOK_S
        entries = await asyncio.to_thread(fat_entries, each.cluster, size + MIB)
        await post(each.nodes[0], entries)
        held = [partial(has_waiting, node, len(entries)) for node in each.nodes]
        for node, is_held in zip(each.nodes, held, strict=True):
            await asyncio.to_thread(each.cluster.network.wait_until, is_held, f"{node.name} to have all entries")
        each.sky.worsen(each.hosts, THIN)
        assert time.time() < begin, "blocks may be decided already: raise PREPARED_S"
        await asyncio.sleep(begin - time.time())
        async with each.fault():
            took = await each.until(lambda: each.watch.highest > count, f"{count} blocks", 30 + SLACK * bare_s(size))
            ended = [each.cluster.metric(node, "notarium_peers_dropped_total") for node in each.nodes]
        each.say(f"weather over: {each.sky.clear()}; links ended for a cause: {ended}")
        each.watch.every_s = EVERY_S
        sizes = [await each.size_of(height) for height in range(2, count + 2)]
        bare = bare_s(sum(sizes))
        each.row.note = (
            f"{count} of {sum(sizes) / count / MIB:.2f} MiB, {took / count:.0f} s each, "
            f"{took / bare:.1f} times the {bare / count:.0f} s in which their bytes pass three times"
        )
        each.say(each.row.note)
        async with Client(each.cluster.network.genesis, [each.nodes[0].api]) as client:
            await each.load.submit(client, entries)
        each.load.go_on()
        await each.recover(goes_on=None)
        assert min(sizes) >= FULL * mib * MIB, f"blocks of {sizes} bytes are not full"
        assert took <= SLACK * bare, f"{took:.0f} s are more than {SLACK} times {bare:.0f} s"
        await each.verdict()


def has_waiting(node: LocalNode, count: int) -> bool:
    """Whether so many entries are in its mempool."""
    return bool(node.status()["mempool"]["entries"] == count)
