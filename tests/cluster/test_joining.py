"""Joining a ledger that is in use: a wiped validator, a node that was voted in, a kill in the middle, and a liar."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time
from collections.abc import Sequence
from itertools import count

import pytest
from tests.cluster.crowd import Cluster
from tests.cluster.test_hostile import Traitor

from notarium import Client
from notarium.key_files import Purpose, load_key
from notarium_ledger.entries.entry import sign_entry
from notarium_ledger.log.hashes import leaf_hash
from notarium_ledger.state.genesis import Genesis
from notarium_ledger.types import Hash, Height
from notarium_node.demo.local_network import LocalNode, free_ports
from notarium_node.identity.card import Card, read_card
from notarium_node.operator import setup
from notarium_node.peers import wire
from notarium_node.peers.wire import Kind
from notarium_store import Store

NUMBERS = count(1)
"""Of proposals and votes; one sequence for all members, because a member may leave numbers out."""

pytestmark = pytest.mark.cluster

LAG = 50
"""Further behind, the nodes of these tests take a snapshot."""
CONFIG = f"[sync]\nsnapshot_lag_blocks = {LAG}\n"
ENOUGH = 150
"""Blocks before somebody joins."""


@pytest.fixture
def ledger(found):
    """A consortium of four whose ledger has some blocks."""

    async def make(blocks: int = ENOUGH) -> Cluster:
        cluster: Cluster = found(observer=False, extra_config=CONFIG)
        while cluster.validators[0].status()["height"] < blocks:
            await cluster.crowd(4, 25)
        return cluster

    return make


def wipe(node: LocalNode) -> None:
    """All but keys and configuration is gone."""
    shutil.rmtree(node.directory / "store")


async def votes(cluster: Cluster, node: LocalNode) -> None:
    """Wait until `node` signs again, with blocks for it to let pass."""
    async with asyncio.timeout(60):
        while not node.status()["voting"]:
            await cluster.decide(*(each for each in cluster.validators if each is not node))


async def is_needed(cluster: Cluster, node: LocalNode, say) -> None:
    """With another validator stopped, this one's vote is needed: it is given."""
    away = next(each for each in cluster.validators if each is not node)
    await asyncio.to_thread(away.stop)
    took = await cluster.decide(node)
    say(f"{node.name}'s vote makes the quorum: decided in {took:.2f} s without {away.name}")
    away.start()
    await asyncio.to_thread(cluster.network.wait_ready, [away])


async def test_a_wiped_validator_joins_by_a_snapshot_under_load_and_votes_again(ledger, say):
    cluster: Cluster = await ledger()
    victim = cluster.validators[2]
    loading = asyncio.create_task(cluster.crowd(4, 50, pause_s=0.05))
    await asyncio.to_thread(victim.kill)
    wipe(victim)
    began = time.monotonic()
    victim.start()
    await asyncio.to_thread(cluster.network.wait_ready, [victim])
    say(f"{victim.name} lost its disk and is ready again after {time.monotonic() - began:.1f} s")
    await loading
    assert "joined by a snapshot" in victim.log.read_text()
    assert "the history is complete" in victim.log.read_text()
    await votes(cluster, victim)
    await is_needed(cluster, victim, say)
    cluster.settle()
    assert await cluster.check_log() == len(cluster.acknowledged)
    await cluster.check_receipts()
    cluster.check_honesty()
    cluster.check_stores()


async def test_killed_again_and_again_while_it_fetches_the_history_it_goes_on_where_it_was(ledger, say, monkeypatch):
    cluster: Cluster = await ledger(4 * ENOUGH)
    victim = cluster.validators[1]
    await asyncio.to_thread(victim.kill)
    wipe(victim)
    reached = [0]
    for _ in range(3):
        victim.start()
        assert victim.process is not None
        pid = victim.process.pid

        def under_way() -> bool:
            status = victim.status()
            fetched = (status["catching_up"] or {}).get("height", 0)
            return (status["complete"] and status["height"] > LAG) or fetched > reached[-1]

        cluster.network.wait_until(under_way, f"{victim.name} to fetch history", victim)
        os.kill(pid, signal.SIGKILL)
        await asyncio.to_thread(victim.kill)
        reached.append(_history_in(victim))
    say(f"killed with {', '.join(map(str, reached[1:]))} blocks of history")
    assert reached == sorted(reached)
    victim.start()
    await asyncio.to_thread(cluster.network.wait_ready, [victim])
    assert victim.log.read_text().count("joined by a snapshot") == 1
    await votes(cluster, victim)
    cluster.settle()
    await cluster.check_log()
    cluster.check_honesty()
    cluster.check_stores()


def _history_in(node: LocalNode) -> int:
    """The height up to which the stopped node's store is whole."""
    genesis = Genesis.decode_json((node.directory.parent / "genesis.json").read_bytes())
    with Store.open(node.directory / "store", genesis) as store:
        return store.history.height


@pytest.mark.parametrize("role", ["validator", "observer"])
async def test_a_node_that_was_voted_in_joins_with_an_empty_store(ledger, say, role):
    cluster: Cluster = await ledger()
    newcomer = newcomer_of(cluster, role)
    await vote_in(cluster, newcomer)
    say(f"{newcomer.name} was voted in at block {cluster.validators[0].status()['height']}")
    await cluster.crowd(4, 10)
    began = time.monotonic()
    newcomer.start()
    cluster.network.nodes.append(newcomer)
    await asyncio.to_thread(cluster.network.wait_ready, [newcomer])
    say(f"it has everything {time.monotonic() - began:.1f} s after its first start")
    if role == "validator":
        await votes(cluster, newcomer)
        await is_needed(cluster, newcomer, say)
    cluster.settle()
    await cluster.check_log()
    cluster.check_honesty()
    cluster.check_stores()


def newcomer_of(cluster: Cluster, role: str, of: str = "") -> LocalNode:
    """A node with keys, card and configuration, as its operator makes them. `of`: a new member's id.

    By default a validator is of a new member, and an observer of m1.
    """
    directory = cluster.network.directory / f"newcomer-{role}"
    peer_port, api_port = free_ports(2)
    member = of or ("late" if role == "validator" else "m1")
    admin = None if member == "late" else cluster.network.directory / member / "keys/admin.key"
    description = setup.NodeDescription(
        member, "Latecomer", role, f"127.0.0.1:{peer_port}", f"http://127.0.0.1:{api_port}"
    )
    made = setup.make_keys(directory, description, admin)
    genesis = cluster.network.genesis
    setup.initialise(directory, cluster.network.genesis_file, genesis.hash.hex(), joining=True)
    with (directory / "node.toml").open("a") as file:
        file.write(f"\n{CONFIG}")
    key = read_card(made.card).node.key
    return LocalNode(member, role, directory, key.hex(), peer_port, api_port)


async def vote_in(cluster: Cluster, node: LocalNode) -> None:
    """The members vote the node in, and first its member if it is new."""
    card = _card_of(node)
    record = card.node
    if node.member not in cluster.network.genesis.registry.members:
        member = {"type": "add-member", "id": card.member.id, "name": card.member.name, "key": bytes(card.member.key)}
        await agree(cluster, member)
    fields = {"member": record.member, "role": record.role, "key": bytes(record.key)}
    rest = {"certificate": record.certificate, "address": record.address, "api": record.api}
    await agree(cluster, {"type": "set-node", "node": {**fields, **rest}})


def _card_of(node: LocalNode) -> Card:
    (path,) = node.directory.glob("*.card.json")
    return read_card(path)


async def agree(cluster: Cluster, action: dict, approve: Sequence[str] = ("m1", "m2")) -> None:
    """m0 proposes `action`, and these members approve it; together a quorum."""
    genesis = cluster.network.genesis
    async with Client(genesis, [each.api for each in cluster.validators], timeout=20) as client:
        proposal = _member_entry(cluster, "m0", {"kind": "propose", "number": next(NUMBERS), "action": action})
        await cluster.submit(client, [proposal])
        for member in approve:
            fields = {"proposal": bytes(leaf_hash(proposal)), "approve": True}
            vote = {"kind": "vote", "number": next(NUMBERS), **fields}
            await cluster.submit(client, [_member_entry(cluster, member, vote)])


def _member_entry(cluster: Cluster, member: str, body: dict) -> bytes:
    key = load_key(cluster.network.directory / member / "keys" / Purpose.ADMIN.file_name, Purpose.ADMIN)
    return sign_entry(key, cluster.network.genesis.hash, {"v": 1, "member": member, **body})


async def test_a_member_that_lies_about_old_blocks_is_found_and_the_others_are_asked(ledger, say):
    """It gives a true snapshot's height, and then rubbish in place of the snapshot and of the blocks."""
    cluster: Cluster = await ledger()
    hostile, victim = cluster.validators[3], cluster.validators[1]
    honest = [node for node in cluster.validators if node not in (hostile, victim)]
    height = Height(honest[0].status()["height"])
    await asyncio.to_thread(hostile.kill)
    await asyncio.to_thread(victim.kill)
    wipe(victim)
    for node in honest:
        assert node.process is not None
        os.kill(node.process.pid, signal.SIGSTOP)  # So that the liar is the only one to ask.
    victim.start()
    cluster.network.wait_until(lambda: victim.get("/healthz")["status"] == "ok", f"{victim.name} to start", victim)
    async with Traitor(cluster, hostile).link(victim) as socket:
        await socket.send_bytes(wire.pack_status(wire.HeightStatus(height, Hash(bytes(32)), height, height)))
        async for message in socket:
            if message.data[:1] == bytes((Kind.GET_SNAPSHOT,)):
                await socket.send_bytes(wire.pack_snapshot(wire.SnapshotPart(height, 7, 0, b"rubbish")))
                break
        async with asyncio.timeout(10):
            while (await socket.receive()).data is not None:
                continue
    for node in honest:
        assert node.process is not None
        os.kill(node.process.pid, signal.SIGCONT)
    hostile.start()
    # Not ready: on an idle ledger it is fenced, and the liar does not count, although it would vote.
    cluster.network.wait_until(lambda: victim.status()["votes_from"], "the others' answers", victim)
    assert "peer lied" in victim.log.read_text()
    assert cluster.metric(victim, "notarium_peers_dropped_total", reason="protocol violation") == 1
    await votes(cluster, victim)
    cluster.settle()
    say(f"{victim.name} saw through the lie and joined by an honest member's snapshot")
    await cluster.check_log()
    cluster.check_stores()
