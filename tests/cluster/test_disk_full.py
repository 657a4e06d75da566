"""A validator whose disk fills up stops voting and says so; the others go on; with room again it goes on too."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

import pytest
from tests.cluster.crowd import Cluster

pytestmark = pytest.mark.cluster

MIB = 1 << 20
CONFIG = f"[store]\nmin_free_bytes = {16 * MIB}\nwrite_buffer_bytes = {MIB}\n"


@pytest.fixture
def small_disk():
    """Puts a file system of 64 MiB in the place of a folder, with the files that are there."""
    mounted: list[Path] = []

    def mount(folder: Path) -> None:
        if os.geteuid() != 0:
            pytest.skip("mounting a small file system needs root")
        files = {path.name: path.read_bytes() for path in folder.iterdir()}  # the mark of the first start
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            pytest.skip(f"a small file system cannot be mounted here: {done.stderr.strip()}")
        mounted.append(folder)
        for name, content in files.items():
            (folder / name).write_bytes(content)

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


async def test_a_full_disk_silences_one_validator_until_there_is_room(found, say, small_disk):
    cluster: Cluster = found(extra_config=CONFIG, start=False)
    victim = cluster.validators[1]
    others = [node for node in cluster.validators if node is not victim]
    small_disk(victim.directory / "store")
    cluster.network.start()
    await asyncio.to_thread(cluster.network.wait_ready)
    await cluster.crowd(4, 10)
    height = cluster.settle()["height"]

    ballast = victim.directory / "store" / "ballast"
    with ballast.open("wb") as file:
        file.write(b"\0" * (50 * MIB))
    took = await cluster.decide(*others)
    say(f"{victim.name}'s disk is full; the others decided in {took:.2f} s")
    cluster.wait_unready(victim)
    reasons = victim.get("/readyz")["reasons"]
    assert any("not voting" in reason and "disk is full" in reason for reason in reasons), reasons
    assert cluster.metric(victim, "notarium_stalled") == 1
    assert "stopped voting" in victim.log.read_text()
    status, problem = await cluster.post(victim, cluster.entry())
    assert (status, problem["type"]) == (503, "urn:notarium:problem:busy")
    assert "disk is full" in problem["detail"]
    await cluster.crowd(4, 10)
    assert victim.status()["height"] <= height + 1
    assert victim.is_running()
    # It goes on answering questions from what it has.
    assert victim.get(f"/v1/blocks/{height}")["height"] == height
    assert [node.get("/readyz")["ready"] for node in others] == [True] * 3

    ballast.unlink()
    await asyncio.to_thread(cluster.network.wait_ready, [victim])
    cluster.settle()
    assert cluster.metric(victim, "notarium_stalled") == 0
    say(f"with room again {victim.name} caught up to block {victim.status()['height']}")
    await asyncio.to_thread(others[0].stop)
    took = await cluster.decide(victim, *others[1:])
    say(f"its vote makes the quorum: decided in {took:.2f} s without {others[0].name}")
    others[0].start()
    await asyncio.to_thread(cluster.network.wait_ready)
    cluster.settle()
    assert await cluster.check_log() == len(cluster.acknowledged)
    cluster.check_honesty()
    cluster.check_stores()


async def test_a_node_that_starts_on_a_full_disk_waits_for_room(found, say, small_disk):
    cluster: Cluster = found(extra_config=CONFIG, start=False, observer=False)
    victim = cluster.validators[3]
    small_disk(victim.directory / "store")
    cluster.network.start()
    await asyncio.to_thread(cluster.network.wait_ready)
    await cluster.crowd(2, 5)
    await asyncio.to_thread(victim.kill)
    ballast = victim.directory / "store" / "ballast"
    with ballast.open("wb") as file:
        file.write(b"\0" * (50 * MIB))
    victim.start()
    cluster.network.wait_until(lambda: victim.get("/healthz"), "the node to answer", victim)
    await cluster.crowd(2, 5)
    assert victim.is_running()
    ballast.unlink()
    await asyncio.to_thread(cluster.network.wait_ready, [victim])
    cluster.settle()
    say(f"{victim.name} started on a full disk, and caught up to block {victim.status()['height']} when there was room")
    await cluster.check_log()
    cluster.check_stores()
