"""A node goes on deciding whatever becomes of its log: a pipe that nobody reads, a closed stderr, a full disk."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
from pathlib import Path

import pytest
from tests.cluster.crowd import Cluster

pytestmark = pytest.mark.cluster

LOUD = '[log]\nlevel = "debug"\n'
"""A line a block, and more."""
ENTRIES, PIPE = 200, 4096
"""Blocks whose lines fill such a pipe several times."""


def into(target: str) -> tuple[str, ...]:
    """Words before a command that give it this stderr."""
    return ("sh", "-c", f'exec "$@" 2>{target}', "sh")


async def all_decide_with(cluster: Cluster, targets: list[str]) -> None:
    for node, target in zip(cluster.nodes, targets, strict=False):
        node.prefix = into(target)
    cluster.network.start()
    await asyncio.to_thread(cluster.network.wait_ready)
    async with asyncio.timeout(120):
        await cluster.crowd(1, ENTRIES)
    cluster.settle()
    assert await cluster.check_log() == ENTRIES


async def test_pipes_that_nobody_reads(found, tmp_path: Path, say):
    cluster: Cluster = found(observer=False, extra_config=LOUD, start=False)
    pipes, held = [], []
    for node in cluster.nodes:
        path = tmp_path / f"{node.name}.pipe"
        os.mkfifo(path)
        held.append(os.open(path, os.O_RDWR | os.O_NONBLOCK))
        fcntl.fcntl(held[-1], fcntl.F_SETPIPE_SZ, PIPE)
        pipes.append(f"'{path}'")
    await all_decide_with(cluster, pipes)
    for pipe, node in zip(held, cluster.nodes, strict=True):
        unread = os.read(pipe, PIPE)
        assert len(unread) > PIPE - 1024, f"{node.name} wrote too little to be blocked"
        assert json.loads(unread.splitlines()[0])["message"]
    # They are full again at once: the end waits for no reader either.
    await asyncio.to_thread(cluster.network.stop)
    for pipe in held:
        os.close(pipe)
    say(f"{ENTRIES} entries were decided by nodes whose log nobody reads")


async def test_a_closed_stderr_and_a_full_disk(found, say):
    cluster: Cluster = found(observer=False, extra_config=LOUD, start=False)
    closed, full, *others = cluster.nodes
    await all_decide_with(cluster, ["&-", "/dev/full"])
    # Otherwise the node's next file would be number 2, and get what libraries write to stderr.
    assert os.readlink(f"/proc/{closed.pid}/fd/2") == "/dev/null"
    assert cluster.metric(full, "notarium_log_lines_lost_total", reason="unwritten") > ENTRIES
    assert cluster.metric(others[0], "notarium_log_lines_lost_total") == 0
    say("likewise with stderr closed, and on a full disk")
    cluster.check_stores()
