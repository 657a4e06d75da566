"""Snapshots that are false, old, or never come whole: their senders hold nobody up, however long they play for time."""

import asyncio
from dataclasses import replace

import pytest
from tests.node import catching_up
from tests.node.catching_up import Ledger, Node, Peer
from tests.node.catchup.chain import LAG, LENGTH, Chain, peers
from tests.node.parts import until
from tests.support.consortium import Consortium

from notarium_ledger.state.chain_state import apply_block
from notarium_ledger.types import Height
from notarium_node.catchup import fetching
from notarium_node.peers import wire
from notarium_node.peers.wire import Kind


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(fetching, "REQUEST_TIMEOUT_S", 0.05)


class Old(Peer):
    """Sends a true snapshot of long ago."""

    ledger: Chain

    def snapshot(self, height, offset):
        store = self.ledger.old
        snapshot = store.snapshot()
        assert snapshot is not None
        data = snapshot.encode()
        return [wire.pack_snapshot(wire.SnapshotPart(store.state.height, len(data), 0, data))]


class Forger(Peer):
    """Sends a snapshot with a registry of its own."""

    def snapshot(self, height, offset):
        true = self.ledger.store.snapshot()
        assert true is not None
        data = replace(true, registry=Consortium(3).genesis.registry.encode()).encode()
        return [wire.pack_snapshot(wire.SnapshotPart(true.height, len(data), 0, data))]


class Garbler(Peer):
    """Sends no snapshot at all, but bytes."""

    def snapshot(self, height, offset):
        return [wire.pack_snapshot(wire.SnapshotPart(Height(LENGTH), 7, 0, b"rubbish"))]


class Unable(Peer):
    """Has no snapshot."""

    def snapshot(self, height, offset):
        return [catching_up.no_snapshot()]


class Halting(Peer):
    """Never sends the second part."""

    def snapshot(self, height, offset):
        return super().snapshot(height, offset) if offset == 0 else []


@pytest.fixture
def old(tmp_path, ledger):
    ledger.old = Ledger(tmp_path / "old", ledger.consortium).store
    for decision in ledger.decisions[:5]:
        ledger.old.commit(decision, apply_block(ledger.old.state, decision.block, ledger.old.is_decided))
    yield
    ledger.old.close()


@pytest.mark.parametrize("kind", [Forger, Garbler])
async def test_mistake_18_a_snapshot_needs_no_trust_a_liar_is_found_and_another_is_asked(start, ledger, kind):
    node = start()
    liar, *honest = peers(ledger)
    liar = kind(liar.key, ledger)
    node.meet(liar)
    await until(lambda: node.network.dropped)
    assert node.network.dropped == [(liar.key, "protocol violation")]
    assert node.store.state.height == 0
    node.meet(liar, *honest)
    await node.completes()
    assert node.store.state == ledger.store.state
    assert len(liar.asked) == 1


async def test_mistake_18_an_old_snapshot_does_no_harm_and_the_next_one_is_of_another_peer(start, ledger, old):
    node = start()
    one, two, _ = peers(ledger)
    liar = Old(one.key, ledger)
    node.meet(liar)
    await until(lambda: node.store.state.height >= 5)
    node.meet(two)
    await node.completes()
    assert node.store.state == ledger.store.state
    assert liar.asked_for(Kind.GET_SNAPSHOT) == [0]
    assert node.network.dropped == []


async def test_mistake_18_where_there_is_no_snapshot_the_blocks_do(start, ledger, small_answers):
    node = start()
    node.meet(*peers(ledger, Unable))
    await node.reaches(LENGTH)
    assert node.store.is_complete
    assert node.network.dropped == []


async def test_mistake_18_nor_does_a_snapshot_that_never_comes_whole_keep_it_from_the_blocks(
    start, ledger, quick, small_answers
):
    node, company = start(), peers(ledger, Halting)
    node.meet(*company)
    await until(lambda: len(node.network.dropped) == len(company))
    assert {reason for _, reason in node.network.dropped} == {"catch-up"}
    node.meet(*company)  # They come back, and are asked for what they may be able to send.
    await node.reaches(LENGTH)
    assert node.store.is_complete


class Tempter(Old):
    """Sends a true snapshot of long ago, and claims ever more."""

    boast = 1000

    def status(self):
        self.boast += 1000
        height = Height(self.boast)
        return replace(super().status(), height=height, history=height, base=height)

    def snapshot(self, height, offset):
        self.on_answer(self)
        return super().snapshot(height, offset)

    async def blocks(self, first, most):
        return []

    @staticmethod
    def on_answer(peer):
        """Called before it answers; set by the test."""


class Crumbler(Peer):
    """Sends its snapshot a byte at a time."""

    def snapshot(self, height, offset):
        snapshot = self.ledger.store.snapshot()
        assert snapshot is not None
        data = snapshot.encode()
        return [wire.pack_snapshot(wire.SnapshotPart(snapshot.height, len(data), offset, data[offset : offset + 1]))]


@pytest.mark.parametrize("kind", [Tempter, Unable, Crumbler])
async def test_mistake_8_who_has_no_good_snapshot_is_not_asked_again_for_a_while_whatever_it_claims(
    start, ledger, old, quick, kind
):
    node = start()
    one, *honest = peers(ledger)
    liar = kind(one.key, ledger)
    liar.on_answer = lambda liar: node.sync.on_status(liar.key, liar.status())
    node.meet(liar)
    await until(lambda: liar.asked_for(Kind.GET_BLOCKS))
    node.meet(liar, *honest)
    await node.completes()
    assert node.store.state == ledger.store.state
    assert liar.asked_for(Kind.GET_SNAPSHOT) == [0]


async def test_mistake_8_hints_that_nobody_keeps_do_not_silence_a_wiped_validator(start, ledger):
    node, company = start(), peers(ledger)
    review = node.driver.review

    def hint_and_review():
        node.sync.on_hint(company[0].key, Height(2**40))
        review()

    node.driver.review = hint_and_review
    node.meet(*company)
    await until(lambda: node.recall.permission.remembers)
    assert node.network.dropped == []


async def test_a_true_snapshot_of_which_one_peer_alone_has_the_blocks_is_not_adopted(ledger, tmp_path):
    """It might keep the newest block to itself permanently (seed 21317 of the simulator)."""
    behind = Ledger(tmp_path / "behind", ledger.consortium)
    for decision in ledger.decisions[:20]:
        behind.store.commit(decision, apply_block(behind.store.state, decision.block, behind.store.is_decided))
    node = Node(tmp_path / "node", ledger, snapshot_lag=LAG, witnesses=True)
    first, second, third = ledger.others
    alone = Peer(first, ledger)
    node.meet(alone, Peer(second, behind))
    await until(lambda: len(alone.asked_for(Kind.GET_SNAPSHOT)) == 1)
    await asyncio.sleep(0.2)
    assert node.store.state.height == 0
    node.meet(Peer(third, ledger))
    await until(lambda: node.store.state.height == LENGTH)
    assert node.store.base == LENGTH
    node.stop()
    behind.store.close()


class Boaster(Peer):
    """Claims a height far above its snapshot, and keeps the blocks to itself."""

    def status(self):
        height = Height(2**40)
        return replace(super().status(), height=height, history=height, base=height)

    async def blocks(self, first, most):
        return []


async def test_a_true_snapshot_of_the_next_height_is_not_adopted(start, ledger, aged, quick):
    """Adopting it would delete the block that the node has prepared at that height (seed 428 of `wipes`)."""
    ledger.grow(1)
    node = start()
    liar, *honest = peers(ledger)
    liar = Boaster(liar.key, ledger)
    node.meet(liar)
    await until(lambda: liar.asked_for(Kind.GET_SNAPSHOT) and liar.asked_for(Kind.GET_BLOCKS))
    assert (node.store.state.height, node.store.base) == (LENGTH, None)
    node.meet(*honest)
    await node.reaches(LENGTH + 1)
    assert node.store.is_complete
