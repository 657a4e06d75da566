"""Lines of 2 Mbit/s between validators, and blocks that are full."""

from __future__ import annotations

import asyncio
import os
import time
from functools import partial

import pytest
from tests.cluster.faults.bulk import MIB, fat_entries, post
from tests.cluster.faults.ground import ASKED, SLOW
from tests.cluster.faults.trial import Trial
from tests.cluster.faults.watch import EVERY_S
from tests.cluster.faults.weather import Weather

from notarium import Client
from notarium_ledger.entries.commitment import PARAMETER_LIMITS
from notarium_node.demo.local_network import LocalNode

pytestmark = pytest.mark.cluster

RATE_MBIT_S = 2.0
THIN = Weather(delay_ms=10, rate_mbit_s=RATE_MBIT_S)
PEERS = 3
FIRST = 10
"""Times the bare transfer that the first full block may take: the rounds before are too short, and grow."""
NEXT = 3
"""Times the bare transfer that a further one may take: the rounds begin as long as the first block needed."""
LOOK_S = 1.0
"""Between two looks at a node: they use the same line."""
START_S, GOSSIP_MIB_S = 30.0, 1.0
"""How long all nodes need to run and to have all entries, on a busy machine."""
FULL = 0.9
"""A block is full from this share of its limit on."""

asked = pytest.mark.skipif(os.environ.get(ASKED) != SLOW, reason="takes 20 minutes; CLUSTER_ARGS=--slow adds it")
BLOCKS = [pytest.param(2, id="2MiB"), pytest.param(8, id="8MiB", marks=asked)]
COUNT = 3


def bare_s(size: int) -> float:
    """How long a proposer's line is busy with sending so many bytes to each of its peers."""
    return PEERS * size * 8 / (RATE_MBIT_S * 1e6)


@pytest.mark.parametrize("mib", BLOCKS)
async def test_full_blocks_over_a_thin_line(trial, mib):
    """Every node has every entry before the lines become thin: from then on they carry blocks and nothing else."""
    # One key has a third of a mempool, and these entries cost nine times their bytes there.
    config = f"[consensus]\nblock_bytes_target = {mib * MIB}\n[mempool]\nmax_bytes = {1024 * MIB}\n"
    rates = {name: high for name, (_, high) in PARAMETER_LIMITS.items() if "_second_" in name}
    async with trial(f"lines of 2 Mbit/s, blocks of {mib} MiB", config, start=False, parameters=rates) as each:
        bare = bare_s(mib * MIB)
        # The first block is of a time to come: until then nothing is decided, and entries pass.
        entries = await asyncio.to_thread(fat_entries, each.cluster, COUNT * mib * MIB + MIB)
        begin = time.time() + START_S + (COUNT * mib + 1) / GOSSIP_MIB_S
        await each.founded(1, begin_ms=int(begin * 1000))
        each.watch.every_s = LOOK_S
        await post(each.nodes[0], entries)
        held = [partial(has_waiting, node, len(entries)) for node in each.nodes]
        for node, is_held in zip(each.nodes, held, strict=True):
            await asyncio.to_thread(each.cluster.network.wait_until, is_held, f"{node.name} to have all entries")
        each.sky.worsen(each.hosts, THIN)
        assert time.time() < begin, "blocks may be decided already: raise START_S"
        await asyncio.sleep(begin - time.time())
        took = []
        async with each.fault():
            for number in range(COUNT):
                limit_s = bare * (NEXT if number else FIRST)
                took.append(await each.until(partial(is_higher, each, 1 + number), f"block {2 + number}", limit_s))
                each.say(f"block {2 + number} took {took[-1]:.0f} s; bare {bare:.0f} s")
            ended = [each.cluster.metric(node, "notarium_peers_dropped_total") for node in each.nodes]
        each.say(f"weather over: {each.sky.clear()}")
        each.watch.every_s = EVERY_S
        sizes = [await each.size_of(2 + number) for number in range(COUNT)]
        seconds = ", ".join(f"{each_s:.0f}" for each_s in took)
        each.row.note = f"decided after {seconds} s; a proposer's line sends {PEERS} copies in {bare:.0f} s"
        each.say(each.row.note)
        assert min(sizes) >= FULL * mib * MIB, f"blocks of {sizes} bytes are not full"
        assert sum(ended) == 0, f"links ended by their nodes, at each: {ended}"
        wrong = [node.name for node in each.nodes if "the clock is off" in node.log.read_text()]
        assert wrong == [], f"{wrong} took the wait behind a block for a clock that is off"
        async with Client(each.cluster.network.genesis, [each.nodes[0].api]) as client:
            await each.load.submit(client, entries)
        each.load.go_on()
        await each.recover(goes_on=None)
        await each.verdict()


def is_higher(each: Trial, height: int) -> bool:
    """Whether a block above `height` is decided."""
    return each.watch.highest > height


def has_waiting(node: LocalNode, count: int) -> bool:
    """Whether so many entries are in its mempool."""
    return bool(node.status()["mempool"]["entries"] == count)
