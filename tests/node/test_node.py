"""A node as a whole: its parts meet, its periodic work runs, and it ends without leftovers."""

import asyncio

from tests.mistakes.nodes import cluster, eventually
from tests.support.chains import approved

from notarium_ledger.types import Height
from notarium_node import node as node_module
from notarium_node.health.events import EVENTS
from notarium_node.peers import wire


async def test_four_nodes_decide_and_each_knows_the_heights_of_the_others(tmp_path):
    async with cluster(tmp_path) as made:
        await made.decided(await made.submit(1))
        made.agree()
        node = made.nodes[0]
        await eventually(lambda: sorted(claim.height for claim in node.sync.claims.values()) == [1, 1, 1])
        assert set(node.event_counts) == set(EVENTS)
        assert node.event_counts["peer_dropped"] == 0
        assert not node.condition.reasons()
        text = node.metrics.render()
        assert b'notarium_consensus_events_total{event="peer_dropped"} 0.0' in text
        # The entry arrived here by gossip, waited, and was decided; each decision takes synced writes.
        assert b"notarium_entry_wait_seconds_count 1.0" in text
        assert b"notarium_mempool_oldest_seconds 0.0" in text
        assert node.write_times.histogram.total_s > 0


async def test_only_the_node_that_a_client_asked_sends_an_entry_on(tmp_path):
    async with cluster(tmp_path) as made:
        gossip = []

        def passes(sender, receiver, data):
            if data[0] == wire.Kind.ENTRIES:
                gossip.append(sender)
            return True

        made.passes = passes
        await made.decided(await made.submit(1))
        await eventually(lambda: all(not node.mempool for node in made.nodes.values()))
        assert gossip == [made.keys[1].public] * 3


async def test_a_decision_is_pushed_to_a_follower(tmp_path):
    async with cluster(tmp_path, run=[0, 1, 2]) as made:
        follower = await made.puppet(3)
        await eventually(lambda: len(follower.view.links) == 3)
        follower.view.send(made.keys[0].public, bytes((wire.Kind.FOLLOW,)))
        await made.decided(await made.submit(1))
        await eventually(lambda: [peer for peer, data in follower.heard if data[0] == wire.Kind.BLOCKS])
        [(source, data)] = [(peer, data) for peer, data in follower.heard if data[0] == wire.Kind.BLOCKS]
        assert source == made.keys[0].public
        assert wire.unpack_list(data[1:], 1) == [made.nodes[0].store.decision_bytes(Height(1))]


async def test_what_waits_at_a_validator_that_is_voted_out_reaches_the_others(tmp_path, monkeypatch):
    monkeypatch.setattr(node_module, "PASS_ON_S", 0.5)
    async with cluster(tmp_path, base_timeout_ms=5_000, max_timeout_ms=5_000) as made:
        await made.decided(await made.submit(0))
        out = made.records[made.keys[3].public]
        mute = (wire.Kind.ENTRIES, wire.Kind.CONSENSUS)
        made.passes = lambda sender, receiver, data: sender != out.key or data[0] not in mute
        waiting = await made.submit(3)
        record = {"member": out.member, "role": "observer", "key": bytes(out.key)}
        record |= {"certificate": out.certificate, "address": out.address}
        for entry in approved(made.consortium, 4, {"type": "set-node", "node": record, "below_four": True}):
            await made.decided(await made.submit(0, entry))
        made.passes = lambda sender, receiver, data: True
        assert waiting.id in made.nodes[3].mempool
        await made.decided(waiting)
        assert len(made.nodes[3].mempool) == 0


async def test_what_waits_at_a_validator_that_does_not_sign_reaches_the_others(tmp_path, monkeypatch):
    """They could not take it when it came; on an idle ledger nobody else would offer it again."""
    monkeypatch.setattr(node_module, "PASS_ON_S", 0.5)
    async with cluster(tmp_path, run=[0, 1, 2]) as made:
        await made.start(3, vote_from=1000)
        await made.decided(await made.submit(0))
        silent = made.keys[3].public
        made.passes = lambda sender, receiver, data: sender != silent or data[0] != wire.Kind.ENTRIES
        waiting = await made.submit(3)
        await eventually(lambda: waiting.id in made.nodes[3].mempool)
        await asyncio.sleep(2 * node_module.TICK_S)
        assert not any(waiting.id in made.nodes[number].mempool for number in (0, 1, 2))
        made.passes = lambda sender, receiver, data: True
        await made.decided(waiting)


async def test_what_a_decision_made_invalid_leaves_every_mempool_and_makes_no_block_due(tmp_path):
    """Whoever is not the proposer never builds a block of it, and its rounds would go on all night."""
    async with cluster(tmp_path, run=[0, 1, 2], base_timeout_ms=500, max_timeout_ms=500) as made:
        await made.start(3, vote_from=1000)
        await made.decided(await made.submit(0))
        while (proposer := made.proposer()) == 3:  # This one never proposes.
            await made.decided(await made.submit(0))
        consortium = made.consortium
        body = consortium.member_body("revoke", key=bytes(consortium.researcher.public))
        revocation, late = consortium.entry(body), consortium.entry()
        made.passes = lambda sender, receiver, data: data[0] not in (wire.Kind.CONSENSUS, wire.Kind.ENTRIES)
        for number in {0, 1, 2, 3} - {proposer}:
            await made.submit(number, late)
        await made.submit(proposer, revocation)
        made.passes = lambda sender, receiver, data: data[0] != wire.Kind.ENTRIES
        await made.decided(revocation)
        await eventually(lambda: len(set(made.heights().values())) == 1)
        await eventually(lambda: not any(len(node.mempool) for node in made.nodes.values()))
        height = made.heights()[0]
        await asyncio.sleep(2.0)  # Several rounds, if there were any.
        assert [(node.engine.height, node.engine.round) for node in made.nodes.values()] == [(height + 1, 0)] * 4
        assert not any(node.condition.reasons() for node in made.nodes.values())


async def test_the_periodic_work_ends_with_the_node(tmp_path, monkeypatch):
    monkeypatch.setattr(node_module, "TICK_S", 0.01)
    async with cluster(tmp_path) as made:
        node = made.nodes[0]
        ticks = []
        monkeypatch.setattr(node.announcer, "announce", lambda: ticks.append(True))
        await eventually(lambda: len(ticks) > 3)
        await made.stop(0)
        assert len(node.tasks) == 0
        count = len(ticks)
        await asyncio.sleep(0.05)
        assert len(ticks) == count


async def test_periodic_work_that_runs_late_is_counted(tmp_path):
    def beyond_bounds(histogram):
        counts = [count for _, count in histogram.buckets()]
        return counts[-1] - counts[-2]

    async with cluster(tmp_path) as made:
        node, loop = made.nodes[0], asyncio.get_running_loop()
        assert node._ticker is not None
        node._ticker.cancel()
        node._ticker = loop.call_at(loop.time() - 60, lambda: None)  # It was due a minute ago.
        node._tick()
        assert beyond_bounds(node.loop_late) == 1
