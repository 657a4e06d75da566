"""Old blocks that are false, and two histories that are both certified."""

from dataclasses import replace

import pytest
from tests.mistakes.nodes import cluster, eventually
from tests.node.catching_up import Ledger, Node, Peer
from tests.node.catchup.chain import LAG, LENGTH, Chain, NoHistory, peers
from tests.node.parts import until

from notarium_ledger.blocks.block import Block
from notarium_ledger.encoding import canonical
from notarium_ledger.entries.entry import decode_entry
from notarium_ledger.log.hashes import leaf_hash
from notarium_ledger.state.chain_state import apply_block
from notarium_node.peers import wire
from notarium_node.peers.wire import Kind
from notarium_store import Store
from notarium_store.errors import StoreCorruption


async def test_mistake_19_a_history_that_does_not_lead_to_the_snapshot_stops_the_node_and_names_the_remedy(
    start, ledger, tmp_path
):
    """It takes a quorum of liars to certify both. No program can say which is right."""
    other = Chain(tmp_path / "other", ledger.consortium)
    other.grow(LENGTH)
    node, company = start(), peers(ledger, NoHistory)
    node.meet(*company)
    await node.reaches(LENGTH)
    for peer in company:
        node.part(peer)
    forked = peers(other)
    node.meet(*forked)
    await until(lambda: node.failures, timeout_s=120)  # The traceback in the log takes its time.
    (failure,) = node.failures
    assert isinstance(failure, StoreCorruption)
    assert "certified two histories" in str(failure)
    assert "restore a backup" in str(failure)
    assert node.store.state.height == LENGTH
    other.store.close()


class Spoiler(Peer):
    """Puts other entries into an old block."""

    async def blocks(self, first, most):
        chosen = self.ledger.decisions[first - 1 : first - 1 + most]
        spoiled = [
            replace(each, block=Block(each.block.header, (self.ledger.consortium.entry().raw,))) for each in chosen
        ]
        return [wire.pack_list(Kind.BLOCKS, [canonical.encode(each.to_value()) for each in spoiled])]


@pytest.mark.parametrize("checks", [True, False])
async def test_mistake_19_a_false_old_block_is_not_stored_and_its_sender_is_never_asked_again(start, ledger, checks):
    node = start(check_signatures=checks)
    one, two, _ = peers(ledger)
    spoiler = Spoiler(one.key, ledger)
    node.meet(spoiler)
    await until(lambda: node.network.dropped)
    assert node.store.history.height == 0
    node.meet(spoiler, two)
    await node.completes()
    assert len(spoiler.asked_for(Kind.GET_BLOCKS)) == 1
    assert node.store.state == ledger.store.state


async def test_an_observer_looks_at_the_authors_signatures_and_others_believe_the_certificates(start, tmp_path):
    """A quorum of liars certifies an entry that nobody signed. Only who checks signatures notices."""
    chain = Chain(tmp_path / "false")
    good = chain.consortium.entry()
    false = replace(good, raw=good.raw.replace(bytes(good.signature), bytes(64)))
    chain.grow(1, [decode_entry(false.raw)])
    chain.grow(LENGTH)
    company = peers(chain)
    believing = Node(tmp_path / "believing", chain, snapshot_lag=LAG, check_signatures=False)
    believing.meet(*company)
    await believing.completes()
    checking = Node(tmp_path / "checking", chain, snapshot_lag=LAG, check_signatures=True)
    checking.meet(*company)
    await until(lambda: checking.sync.obstacle)
    assert checking.store.history.height == 0
    assert "blocks 1 to 61, which a quorum certified" in checking.sync.obstacle
    assert f"the signature of {decode_entry(false.raw).id.hex()} is not valid" in checking.sync.obstacle
    assert checking.network.dropped == [], "who passes on what a quorum certified is no liar"
    for node in (believing, checking):
        node.stop()
    chain.store.close()


def of_later_version(ledger):
    """One more block, with an entry of form 3."""
    good = ledger.consortium.entry()
    value = canonical.decode(good.raw)
    assert isinstance(value, list)
    raw = canonical.encode([3, *value[1:]])
    ledger.grow(1, [replace(good, raw=raw, id=leaf_hash(raw))])


@pytest.mark.parametrize("lag", [LAG, 10 * LENGTH], ids=["by a snapshot", "by blocks"])
async def test_mistake_15_who_delivers_what_a_later_version_decided_is_no_liar_and_the_operator_reads_what_to_do(
    tmp_path, lag
):
    """The node stays where it is, and goes on serving what it has."""
    chain = Chain(tmp_path / "later")
    chain.grow(1)
    of_later_version(chain)
    chain.grow(LENGTH)
    node = Node(tmp_path / "node", chain, snapshot_lag=lag)
    node.meet(*peers(chain))
    await until(lambda: node.sync.obstacle)
    assert "form 3, this software reads 1 and 2" in node.sync.obstacle
    assert "upgrade this node" in node.sync.obstacle
    assert node.network.dropped == []
    assert node.failures == []
    assert not node.engine.is_voting
    node.stop()
    chain.store.close()


async def test_mistake_15_a_node_that_cannot_follow_is_not_ready_and_says_what_to_do(tmp_path):
    """A whole node, and another that has what a later version decided."""
    ledger = Ledger(tmp_path / "node1")
    of_later_version(ledger)
    ledger.store.close()
    async with cluster(tmp_path, run=[0, 1]) as made:
        behind = made.nodes[0]
        await eventually(lambda: behind.sync.obstacle)
        (reason,) = [each for each in behind.condition.not_ready() if each.startswith("cannot follow the ledger: ")]
        assert "upgrade this node" in reason
        assert made.view(0).dropped_peers == []


@pytest.mark.parametrize("lag", [LAG, 10 * LENGTH], ids=["by a snapshot", "by blocks"])
async def test_mistake_19_a_store_that_others_do_not_go_on_from_ends_the_node_and_makes_nobody_a_liar(
    start, ledger, tmp_path, lag
):
    other = Chain(tmp_path / "other", ledger.consortium)
    other.grow(LENGTH)
    store = Store.open(tmp_path / "node", ledger.consortium.genesis)
    for decision in other.decisions[:5]:
        store.commit(decision, apply_block(store.state, decision.block, store.is_decided))
    store.close()
    node = start(snapshot_lag=lag)
    node.meet(*peers(ledger))
    await until(lambda: node.failures, timeout_s=120)
    assert "block 6, which a quorum certified, builds on block 5" in str(node.failures[0])
    assert "move its store away" in str(node.failures[0])
    assert node.network.dropped == []
    other.store.close()
