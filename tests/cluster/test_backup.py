"""Backup and restore on real processes: taken while the node runs, restored after it signed more, safe all the same."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cluster.crowd import Cluster

pytestmark = pytest.mark.cluster


def notarium_node(*words: str) -> dict:
    """The JSON answer of a command that succeeds."""
    run = [sys.executable, "-m", "notarium_node", *words, "--json"]
    done = subprocess.run(run, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def passphrase(tmp_path: Path) -> str:
    path = tmp_path / "passphrase"
    path.write_text("correct horse battery\n")
    path.chmod(0o600)
    return str(path)


async def test_an_old_backup_with_its_ledger_observes_until_it_is_safe(found, say, tmp_path, passphrase):
    cluster: Cluster = found(observer=False)
    network, victim = cluster.network, cluster.validators[1]
    await cluster.crowd(4, 20)
    secret = ("--passphrase-file", passphrase)
    config = str(victim.directory / "node.toml")
    made = await asyncio.to_thread(
        notarium_node, "backup", "--config", config, "--to", str(tmp_path / "b"), "--with-ledger", *secret
    )
    assert made["blocks"] > 0
    assert made["encrypted"]
    await cluster.crowd(4, 20)  # It signs more than the backup knows of.
    await asyncio.to_thread(victim.kill)
    old = victim.directory.with_name("old")
    victim.directory.rename(old)
    others = [each for each in cluster.validators if each is not victim]
    away = others[0]
    await asyncio.to_thread(away.kill)  # Without it, the answers that the restored node needs cannot come.
    restored = await asyncio.to_thread(
        notarium_node, "restore", str(tmp_path / "b"), "--dir", str(victim.directory), *secret
    )
    assert restored["height"] == made["blocks"]
    victim.start()
    network.wait_until(lambda: victim.status()["height"] == others[1].status()["height"], "it to catch up", victim)
    assert not victim.status()["voting"]
    assert any("does not remember" in each for each in victim.get("/readyz")["reasons"])
    say("the restored node has caught up and signs nothing")
    away.start()
    await asyncio.to_thread(network.wait_ready, [away])
    async with asyncio.timeout(60):
        while not victim.status()["voting"]:
            await cluster.decide(*others)
    say("it has its answers and votes")
    cluster.settle()
    assert await cluster.check_log() == len(cluster.acknowledged)
    cluster.check_honesty()
    cluster.check_stores()


async def test_a_lost_observer_is_rebuilt_from_any_member(found, say):
    cluster: Cluster = found()
    lost = cluster.network.observers[0]
    await cluster.crowd(4, 20)
    cluster.settle()
    await asyncio.to_thread(lost.kill)
    shutil.rmtree(lost.directory / "store")
    for card in lost.directory.glob("*.card.json"):
        card.unlink()
    config = str(lost.directory / "node.toml")
    rebuilt = await asyncio.to_thread(notarium_node, "rebuild", "--config", config, "--url", cluster.validators[2].api)
    say(f"{rebuilt['height']} blocks fetched and verified")
    lost.start()
    await asyncio.to_thread(cluster.network.wait_ready, [lost])
    cluster.settle()
    assert await cluster.check_log() == len(cluster.acknowledged)
    cluster.check_stores()
