"""Catch-up: what a node takes from its peers, answers and pushed blocks, and what makes a peer a liar."""

import asyncio

import pytest
from tests.node.catchup.company import Forger, Skipper, Swapper, Thief, encoded, peers, short_ledger, starter
from tests.node.parts import until

from notarium_ledger.types import Height
from notarium_node.catchup import sync
from notarium_node.driving import driver as driver_module
from notarium_node.peers import wire
from notarium_node.peers.wire import BadMessage, Kind
from notarium_store.database import Database


@pytest.fixture
async def ledger(tmp_path):
    with short_ledger(tmp_path) as made:
        yield made


@pytest.fixture
async def start(tmp_path, ledger):
    with starter(tmp_path, ledger) as make:
        yield make


async def test_a_node_that_is_behind_fetches_what_it_lacks_and_stores_many_blocks_with_one_fsync(
    start, ledger, monkeypatch
):
    node, (one, two) = start(), peers(ledger)
    written = []
    commit_many = node.store.commit_many

    def commit(parts):
        written.append(len(parts))
        commit_many(parts)

    monkeypatch.setattr(node.store, "commit_many", commit)
    node.meet(one, two)
    assert node.sync.lag == 30
    await node.reaches(30)
    assert node.store.state.tip == ledger.store.state.tip
    assert node.decided == list(range(1, 31))
    assert written == [30]
    assert node.sync.lag == 0
    assert node.network.dropped == []


async def test_threads_give_the_same_as_none(start, ledger):
    node = start(workers=2)
    node.meet(*peers(ledger))
    await node.reaches(30)
    assert node.store.state == ledger.store.state


async def test_a_lag_of_one_block_is_asked_for_only_if_it_lasts(start, ledger, monkeypatch):
    monkeypatch.setattr(sync, "GRACE_S", 0.01)
    node, (one, two) = start(), peers(ledger)
    node.meet(one, two)
    await node.reaches(30)
    one.asked.clear(), two.asked.clear()
    ledger.grow(1)
    node.hear_statuses()
    await asyncio.sleep(0)
    assert one.asked == two.asked == []
    await node.reaches(31)
    assert one.asked_for(Kind.GET_BLOCKS) + two.asked_for(Kind.GET_BLOCKS) == [31]


@pytest.mark.parametrize("kind", [Forger, Swapper, Thief])
async def test_mistake_19_a_lying_peer_is_switched_and_never_asked_again(start, ledger, kind):
    node, (one, two, three) = start(), peers(ledger, 3)
    liar = kind(one.key, ledger)
    node.meet(liar)
    await until(lambda: node.network.dropped)
    assert node.network.dropped == [(liar.key, "protocol violation")]
    assert node.store.state.height < liar.at
    node.meet(liar, two, three)  # It is let in again after its ban.
    await node.reaches(30)
    assert len(liar.asked) == 1
    assert node.sync.claims.keys() == {two.key, three.key}
    assert node.store.state.tip == ledger.store.state.tip


async def test_blocks_of_other_heights_than_those_asked_for_are_bad_messages(start, ledger):
    node, (one, two) = start(), peers(ledger)
    skipper = Skipper(one.key, ledger)
    node.meet(skipper)
    await until(lambda: node.network.dropped)
    assert "not asked for" in node.network.dropped[0][1]
    node.meet(two)
    await node.reaches(30)


@pytest.mark.parametrize("items", [[b""], [b"\xc1"], [b"\x90"], [b"\x92\x92\xc4\x00\x90\x90"]])
async def test_blocks_that_cannot_be_read_are_bad_messages(start, ledger, items):
    node, (one,) = start(), peers(ledger, 1)
    one.silent = True
    node.meet(one)
    await until(lambda: one.asked)
    with pytest.raises(BadMessage):
        node.sync.on_blocks(one.key, items)


async def test_rubbish_behind_a_good_block_makes_a_liar(start, ledger):
    node, (one,) = start(), peers(ledger, 1)
    one.silent = True
    node.meet(one)
    await until(lambda: one.asked)
    node.sync.on_blocks(one.key, [encoded(ledger.decisions[0]), b"rubbish"])
    await until(lambda: node.network.dropped)
    assert node.network.dropped == [(one.key, "protocol violation")]
    assert node.store.state.height == 0


async def test_blocks_and_snapshots_nobody_asked_for_are_bad_messages(start, ledger):
    node, (one, two) = start(), peers(ledger)
    one.silent = two.silent = True
    node.meet(one)
    await until(lambda: one.asked)
    node.meet(two)
    with pytest.raises(BadMessage, match="not asked for"):
        node.sync.on_blocks(two.key, [encoded(ledger.decisions[0])])
    with pytest.raises(BadMessage, match="not asked for"):
        node.sync.on_snapshot(one.key, wire.SnapshotPart(Height(1), 1, 0, b"x"))


def followed(node):
    return [peer for peer, data in node.network.heard if data == bytes((Kind.FOLLOW,))]


async def test_an_observer_follows_one_peer_and_another_when_that_is_lost(start, ledger):
    node, (one, two) = start(key_number=None), peers(ledger)
    node.meet(one, two)
    await node.reaches(30)
    assert set(followed(node)) == {one.key}
    ledger.grow(2)
    for decision in ledger.decisions[30:]:
        node.sync.on_blocks(one.key, [encoded(decision)])
    await node.reaches(32)
    node.part(one)
    assert followed(node)[-1] == two.key
    ledger.grow(1)
    node.sync.on_blocks(two.key, [encoded(ledger.decisions[32])])
    await node.reaches(33)


async def test_an_observer_that_had_to_fetch_follows_again_when_it_is_level(start, ledger):
    """The followed peer ends its pushes where the line is full."""
    node, (one,) = start(key_number=None), peers(ledger, 1)
    node.meet(one)
    await node.reaches(30)
    await until(lambda: followed(node) == [one.key] * 2)
    ledger.grow(1)
    node.sync.on_blocks(one.key, [encoded(ledger.decisions[30])])
    await node.reaches(31)
    ledger.grow(5)
    node.hear_statuses()
    await node.reaches(36)
    await until(lambda: len(followed(node)) == 3)


async def test_a_pushed_block_that_is_arriving_is_not_asked_for(start, ledger, monkeypatch):
    monkeypatch.setattr(sync, "GRACE_S", 0.001)
    node, (one, two) = start(key_number=None), peers(ledger)
    node.meet(one, two)
    await node.reaches(30)
    one.asked.clear(), two.asked.clear()
    ledger.grow(1)
    node.network.receiving.add(one.key)
    node.hear_statuses()
    await asyncio.sleep(0.05)
    assert one.asked == two.asked == []
    node.sync.on_blocks(one.key, [encoded(ledger.decisions[30])])
    await node.reaches(31)
    assert one.asked == two.asked == []
    ledger.grow(1)
    monkeypatch.setattr(sync, "PUSH_S", 0.1)
    node.hear_statuses()
    await node.reaches(32)
    assert one.asked or two.asked, "a peer that sends something else without end"


async def test_a_gap_in_what_is_pushed_is_asked_for(start, ledger):
    node, (one, two) = start(key_number=None), peers(ledger)
    node.meet(one, two)
    await node.reaches(30)
    ledger.grow(5)
    node.sync.on_blocks(one.key, [encoded(ledger.decisions[34])])
    await node.reaches(35)
    assert node.network.dropped == []


async def test_a_push_that_comes_while_an_answer_is_awaited_is_not_taken_for_it(start, ledger):
    node, (one,) = start(key_number=None), peers(ledger, 1)
    one.silent = True
    node.meet(one)
    await until(lambda: one.asked)
    node.sync.on_blocks(one.key, [encoded(ledger.decisions[29])])
    assert node.network.dropped == []
    node.sync.on_blocks(one.key, [encoded(each) for each in ledger.decisions])
    await node.reaches(30)


async def test_a_push_may_look_like_the_answer_and_then_the_answer_is_no_offence(start, ledger):
    node, (one,) = start(key_number=None), peers(ledger, 1)
    one.silent = True
    node.meet(one)
    await until(lambda: one.asked)
    for _ in range(2):
        node.sync.on_blocks(one.key, [encoded(ledger.decisions[0])])
    await node.reaches(1)
    await until(lambda: one.asked_for(Kind.GET_BLOCKS) == [1, 2])
    node.sync.on_blocks(one.key, [encoded(each) for each in ledger.decisions[1:]])
    await node.reaches(30)


async def test_what_is_pushed_to_a_node_that_cannot_keep_up_does_not_pile_up(start, ledger, monkeypatch):
    monkeypatch.setattr(sync, "MAX_PUSHED", 10)
    node, (one,) = start(key_number=None), peers(ledger, 1)
    one.silent = True
    node.network.links.add(one.key)
    node.sync.on_connect(one.key)
    for decision in ledger.decisions:
        node.sync.on_blocks(one.key, [encoded(decision)])
    assert len(node.sync._pushed) == 10
    await node.reaches(10)


async def test_a_full_disk_makes_it_wait_and_no_block_is_lost(start, ledger, monkeypatch):
    monkeypatch.setattr(driver_module, "RETRY_S", 0.01)
    node = start()
    free = [0]
    monkeypatch.setattr(Database, "free_bytes", lambda database: free[0])
    monkeypatch.setattr(node.store._db, "min_free_bytes", 1 << 20)
    node.meet(*peers(ledger))
    await until(lambda: node.driver.stalled)
    assert node.store.state.height == 0
    free[0] = 1 << 40
    await until(lambda: not node.driver.stalled)
    await node.reaches(30)
