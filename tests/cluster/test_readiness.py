"""Ready means that a decision is possible, also on an idle ledger; and a vote makes a running node a validator."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from tests.cluster.crowd import Cluster
from tests.cluster.faults.clock import LIBRARIES, Clock
from tests.cluster.test_joining import agree, newcomer_of, vote_in

from notarium_node.demo.local_network import LocalNode
from notarium_node.identity.card import read_card

pytestmark = pytest.mark.cluster

SET_BACK_S = 20


def reasons(node: LocalNode) -> str:
    return "\n".join(node.get("/readyz")["reasons"])


async def test_two_of_four_lost_their_disks_and_nothing_waits(found, say):
    cluster: Cluster = found(observer=False)
    await cluster.crowd(2, 5)
    cluster.settle()
    wiped, kept = cluster.validators[:2], cluster.validators[2:]
    for node in wiped:
        await asyncio.to_thread(node.kill)
        shutil.rmtree(node.directory / "store")
        node.start()

    def explained() -> bool:
        texts = [reasons(node) for node in kept]
        return all(f"{each.member}: it does not remember what" in text for text in texts for each in wiped)

    cluster.network.wait_until(explained, "the others to name those that cannot vote")
    for node in kept:
        assert "nothing can be decided: 2 of 4 validators can vote" in reasons(node)
    for node in wiped:
        assert not node.get("/readyz")["ready"]
    say(reasons(kept[0]))


async def test_all_clocks_are_set_back_and_no_peer_differs(found, say):
    cluster: Cluster = found(observer=False, start=False)
    if not LIBRARIES:
        pytest.skip("libfaketime is not installed")
    clocks = [Clock.of(node) for node in cluster.nodes]
    cluster.network.start()
    await asyncio.to_thread(cluster.network.wait_ready)
    await cluster.crowd(1, 5)
    cluster.settle()
    for clock in clocks:
        clock.set(-SET_BACK_S)
    cluster.network.wait_until(
        lambda: all("0 of 4 validators can vote" in reasons(node) for node in cluster.nodes), "all to notice"
    )
    said = reasons(cluster.nodes[0])
    assert "its clock is behind the time of the last block: check NTP" in said
    say(said)
    # It ends by itself, once the clocks are where they were.
    await asyncio.to_thread(cluster.network.wait_ready)
    await cluster.decide(*cluster.nodes)


async def test_a_disk_whose_fsync_takes_400_ms(found, say, tmp_path: Path):
    shim = slow_disk(tmp_path)
    cluster: Cluster = found(observer=False, start=False)
    victim = cluster.nodes[0]
    victim.environment["LD_PRELOAD"] = str(shim)
    cluster.network.start()
    await asyncio.to_thread(cluster.network.wait_ready)
    latencies = await cluster.crowd(2, 10)
    cluster.network.wait_until(lambda: victim.status()["notes"], f"{victim.name} to notice", victim)
    [note] = victim.status()["notes"]
    assert note.startswith("the disk is slow: a synced write takes 40"), note
    assert all(node.get("/readyz")["ready"] for node in cluster.nodes), "blocks are late, but they come"
    assert not any(node.status()["notes"] for node in cluster.nodes if node is not victim)
    say(f"{note}; entries took {latencies[0]:.2f} to {latencies[-1]:.2f} s")


def slow_disk(directory: Path) -> Path:
    """A library that makes each synced write of a process take 0.4 s longer."""
    source, library = directory / "slow.c", directory / "slow.so"
    source.write_text(
        "#include <unistd.h>\n#include <sys/syscall.h>\n"
        "int fdatasync(int fd) { usleep(400000); return syscall(SYS_fdatasync, fd); }\n"
        "int fsync(int fd) { usleep(400000); return syscall(SYS_fsync, fd); }\n"
    )
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler is installed")
    subprocess.run([compiler, "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", library, source], check=True)
    return library


async def test_an_observer_that_was_voted_in_votes_without_a_restart_and_is_voted_out(found, say):
    cluster: Cluster = found(observer=False)
    follower = newcomer_of(cluster, "observer", "late")
    await vote_in(cluster, follower)
    follower.start()
    cluster.network.nodes.append(follower)
    await asyncio.to_thread(cluster.network.wait_ready)
    process = follower.pid

    await set_role(cluster, follower, "validator", "m1", "m2")
    cluster.network.wait_until(lambda: follower.status()["voting"], f"{follower.name} to vote", follower)
    await asyncio.to_thread(cluster.network.wait_ready)
    # Four of five are a quorum: with one away, its vote is needed, and it proposes in its turn.
    away = cluster.validators[0]
    await asyncio.to_thread(away.stop)
    for _ in range(10):
        await cluster.decide(*(each for each in cluster.validators if each is not away))
    await cluster.decide(follower)
    assert follower.get("/readyz")["ready"], reasons(follower)
    away.start()
    await asyncio.to_thread(cluster.network.wait_ready)

    await set_role(cluster, follower, "observer", "m1", "m2", "m3")
    cluster.network.wait_until(lambda: not follower.status()["voting"], f"{follower.name} to stop voting", follower)
    await asyncio.to_thread(away.stop)
    await cluster.decide(*(each for each in cluster.validators if each is not away))
    away.start()
    await asyncio.to_thread(cluster.network.wait_ready)
    assert follower.pid == process
    say("an observer became a validator, was needed for the quorum, and became an observer again, in one run")
    cluster.settle()
    await cluster.check_log()
    cluster.check_honesty()
    cluster.check_stores()


async def set_role(cluster: Cluster, node: LocalNode, role: str, *approve: str) -> None:
    """m0 and these members give the node this role."""
    (path,) = node.directory.glob("*.card.json")
    record = replace(read_card(path).node, role=role)
    fields = {"member": record.member, "role": record.role, "key": bytes(record.key)}
    rest = {"certificate": record.certificate, "address": record.address, "api": record.api}
    await agree(cluster, {"type": "set-node", "node": {**fields, **rest}}, approve)
    node.role = role
