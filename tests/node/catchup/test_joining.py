"""Joining by a snapshot: at the tip at once, whole in the end, and what was interrupted goes on."""

import asyncio
import shutil

from tests.node.catching_up import Ledger, Node, Peer
from tests.node.catchup.chain import LAG, LENGTH, Chain, NoHistory, peers
from tests.node.parts import until
from tests.support.chains import change_validator

from notarium_ledger.state.chain_state import apply_block
from notarium_ledger.trust.snapshot import Snapshot
from notarium_node.peers import wire
from notarium_node.peers.wire import Kind
from notarium_store.check import check_chain


async def test_far_behind_a_node_is_at_the_tip_before_it_has_the_blocks_and_has_them_all_in_the_end(
    start, ledger, small_answers
):
    node, company = start(), peers(ledger, NoHistory)
    node.meet(*company)
    await node.reaches(LENGTH)
    assert not node.store.is_complete
    assert (node.store.history.height, node.store.base) == (0, LENGTH)
    ledger.grow(5)
    node.hear_statuses()
    await node.reaches(LENGTH + 5)
    for peer in company:
        peer.hidden = 0
        node.part(peer)
    node.meet(*company)
    await node.completes()
    assert node.store.state == ledger.store.state
    assert node.network.dropped == []
    node.stop()
    report = check_chain(node.path, ledger.consortium.genesis, lambda *_: None)
    assert (report.height, report.history) == (LENGTH + 5, LENGTH + 5)


async def test_a_little_behind_it_fetches_blocks_only(start, ledger):
    node, company = start(snapshot_lag=LENGTH), peers(ledger)
    node.meet(*company)
    await node.reaches(LENGTH)
    assert node.store.is_complete
    assert not any(peer.asked_for(Kind.GET_SNAPSHOT) for peer in company)


async def test_a_node_that_was_away_goes_on_from_what_it_has(start, ledger, aged):
    ledger.grow(50)
    node, company = start(), peers(ledger)
    node.meet(*company)
    await node.completes()
    asked = [height for peer in company for height in peer.asked_for(Kind.GET_BLOCKS)]
    assert min(asked) == LENGTH + 1
    assert node.store.state == ledger.store.state


async def test_threads_give_the_same_as_none(start, ledger, small_answers):
    node = start(workers=2)
    node.meet(*peers(ledger))
    await node.completes()
    assert node.store.state == ledger.store.state


async def test_the_set_of_validators_may_change_on_the_way(start, tmp_path, small_answers):
    chain = Ledger(tmp_path / "changing")
    chain.grow(10)
    for number in range(3):
        chain.decisions.append(change_validator(chain.store, chain.consortium, number, f"new {number}")[1])
        chain.grow(10)
    node = Node(tmp_path / "joiner", chain, key_number=None, snapshot_lag=5)
    company = [Peer(each.public, chain) for each in chain.consortium.validator_keys[:2]]
    node.meet(*company)
    await node.completes()
    assert node.store.state == chain.store.state
    assert node.store.handovers() == chain.store.handovers()
    node.stop()
    chain.store.close()


async def test_interrupted_it_goes_on_where_it_was(start, ledger, small_answers):
    """A restart in the middle of the history: nothing is asked for twice, and no snapshot is taken again."""
    node, company = start(), peers(ledger)
    node.meet(*company)
    await until(lambda: node.store.history.height >= 20)
    node.stop()
    reached = start()
    at = reached.store.history.height
    assert at >= 20
    assert not reached.store.is_complete
    for peer in company:
        peer.asked.clear()
    reached.meet(*company)
    await reached.completes()
    assert min(height for peer in company for height in peer.asked_for(Kind.GET_BLOCKS)) == at + 1
    assert not any(peer.asked_for(Kind.GET_SNAPSHOT) for peer in company)


async def test_entries_that_waited_here_and_were_decided_in_the_gap_leave_the_mempool_and_are_answered(start, ledger):
    entry = ledger.consortium.entry()
    ledger.grow(1, [entry])
    ledger.grow(LAG)
    node = start()
    node.mempool.add(entry)
    waiter = node.waiters.wait([entry.id])
    node.meet(*peers(ledger))
    await asyncio.wait_for(waiter.future, 5)
    assert waiter.receipts[entry.id].entry == entry.raw
    assert len(node.mempool) == 0


async def test_a_lost_disk_and_a_lost_peer_together_still_end_well(start, ledger, small_answers):
    """The store vanishes, the only peer that has answered goes in the middle, and the store vanishes once more."""
    node, (one, two, three) = start(), peers(ledger)
    node.meet(one)
    await until(lambda: node.store.history.height >= 10)
    node.part(one)
    node.stop()
    shutil.rmtree(node.path)
    node = start()
    node.meet(two)
    await until(lambda: node.store.history.height >= 10)
    node.part(two)
    node.meet(three)
    await node.completes()
    assert node.store.state == ledger.store.state
    assert isinstance(node.store.snapshot(), Snapshot)


async def test_a_node_that_began_with_blocks_takes_a_snapshot_once_somebody_has_one(start, ledger, monkeypatch):
    monkeypatch.setattr(wire, "MAX_BLOCKS", 1)
    node = start()
    one, two, _ = peers(ledger)
    one.ledger = Chain(node.path.parent / "short", ledger.consortium)
    for decision in ledger.decisions[:10]:
        one.ledger.store.commit(decision, apply_block(one.ledger.store.state, decision.block, lambda _: False))
    one.silent = True
    node.meet(one)
    await until(lambda: one.asked_for(Kind.GET_BLOCKS))
    node.meet(two)
    await node.reaches(LENGTH)
    assert two.asked_for(Kind.GET_SNAPSHOT) == [0]
    one.ledger.store.close()
