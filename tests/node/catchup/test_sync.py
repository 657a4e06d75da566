"""Catch-up: whom it asks, what it takes, and what happens to those who claim more than they deliver."""

import asyncio
from dataclasses import replace

import pytest
from tests.node.catching_up import Ledger, Node, Peer
from tests.node.parts import until

from notarium_ledger.blocks.block import Block, Decision
from notarium_ledger.encoding import canonical
from notarium_ledger.types import Height
from notarium_node.catchup import fetching, sync
from notarium_node.driving import driver as driver_module
from notarium_node.peers import wire
from notarium_node.peers.wire import BadMessage, Kind
from notarium_store.database import Database


@pytest.fixture
async def ledger(tmp_path):
    made = Ledger(tmp_path / "ledger")
    made.grow(30)
    yield made
    made.store.close()


@pytest.fixture
async def start(tmp_path, ledger):
    """Starts nodes with empty stores."""
    made: list[Node] = []

    def make(**settings):
        made.append(Node(tmp_path / f"node{len(made)}", ledger, **settings))
        return made[-1]

    yield make
    for each in made:
        each.stop()


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(fetching, "REQUEST_TIMEOUT_S", 0.05)
    monkeypatch.setattr(sync, "GRACE_S", 0.01)


def peers(ledger, count=2, kind=Peer):
    """The first validators of the consortium."""
    return [kind(each.public, ledger) for each in ledger.consortium.validator_keys[:count]]


def encoded(decision):
    return canonical.encode(decision.to_value())


class Boaster(Peer):
    """Claims the moon."""

    def status(self):
        return replace(super().status(), height=Height(2**60), history=Height(2**60), base=Height(2**60))


class Empty(Boaster):
    """And has nothing."""

    async def blocks(self, first, most):
        return [wire.pack_list(Kind.BLOCKS, [])]

    def snapshot(self, height, offset):
        return [wire.pack_snapshot(wire.SnapshotPart(Height(0), 0, 0, b""))]


class Forger(Peer):
    """Changes the block of height `at`."""

    at = 20

    def forge(self, decision):
        other, _ = self.ledger.consortium.decide(self.ledger.consortium.state, [self.ledger.consortium.entry()])
        return Decision(decision.block, replace(decision.certificate, seals=other.certificate.seals))

    async def blocks(self, first, most):
        chosen = self.ledger.decisions[first - 1 : first - 1 + most]
        return [
            wire.pack_list(
                Kind.BLOCKS, [encoded(self.forge(each) if each.height == self.at else each) for each in chosen]
            )
        ]


class Swapper(Forger):
    """Puts other entries under a certified header."""

    def forge(self, decision):
        return Decision(Block(decision.block.header, (self.ledger.consortium.entry().raw,)), decision.certificate)


class Thief(Forger):
    """Spoils an author's signature: the header's tree root shows it at once."""

    def forge(self, decision):
        raw = decision.block.entries[0]
        return Decision(Block(decision.block.header, (raw[:-1] + bytes((raw[-1] ^ 1,)),)), decision.certificate)


class Skipper(Peer):
    """Answers with other heights than those asked for."""

    async def blocks(self, first, most):
        return await super().blocks(Height(first + 5), most)


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


async def test_one_question_is_open_at_a_time_and_the_next_is_asked_while_the_answer_is_worked_on(
    start, ledger, monkeypatch
):
    monkeypatch.setattr(wire, "MAX_BLOCKS", 8)
    node, (one, two) = start(), peers(ledger)
    node.meet(one, two)
    await node.reaches(30)
    asked = one.asked_for(Kind.GET_BLOCKS) + two.asked_for(Kind.GET_BLOCKS)
    assert sorted(asked) == [1, 9, 17, 25]
    assert one.floods == two.floods == []


async def test_threads_give_the_same_as_none(start, ledger):
    node = start(workers=2)
    node.meet(*peers(ledger))
    await node.reaches(30)
    assert node.store.state == ledger.store.state


async def test_a_lag_of_one_block_is_asked_for_only_if_it_lasts(start, ledger, quick):
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


async def test_mistake_8_who_claims_much_and_has_nothing_is_dropped_and_its_height_forgotten(start, ledger):
    node, (one, two, three) = start(), peers(ledger, 3)
    liar = Empty(one.key, ledger)
    node.meet(liar)
    assert node.sync.target == 2**60
    await until(lambda: node.network.dropped)
    assert node.sync.target == 0
    node.meet(two, three)
    await node.reaches(30)
    assert node.network.dropped == [(liar.key, "catch-up")]


async def test_mistake_8_one_boaster_holds_nobody_up(start, ledger, quick):
    node, (one, two, three) = start(), peers(ledger, 3)
    boaster = Boaster(one.key, ledger)
    boaster.silent = True
    node.meet(boaster, two, three)
    await node.reaches(30)
    await until(lambda: node.network.dropped)
    assert node.network.dropped == [(boaster.key, "catch-up")]
    await until(lambda: node.sync.lag == 0)


async def test_who_never_answers_is_asked_once_and_dropped_in_time(start, ledger, quick):
    node, (one,) = start(), peers(ledger, 1)
    one.silent = True
    node.meet(one)
    await until(lambda: node.network.dropped)
    assert node.network.dropped == [(one.key, "catch-up")]
    assert one.asked == [(Kind.GET_BLOCKS, 1)]


async def test_a_slow_peer_is_switched_and_its_late_answer_is_welcome(start, ledger, quick):
    node, (one, two) = start(), peers(ledger)
    one.silent = two.silent = True
    node.meet(one)
    await until(lambda: one.asked)
    node.meet(two)
    await until(lambda: two.asked)
    assert (one.asked, two.asked) == ([(Kind.GET_BLOCKS, 1)], [(Kind.GET_BLOCKS, 1)])
    node.sync.on_blocks(one.key, [encoded(each) for each in ledger.decisions])
    await node.reaches(30)
    assert node.network.dropped == []


class ThinLine(Peer):
    """A fifth of a deadline for each block."""

    async def blocks(self, first, most):
        answers = await super().blocks(first, most)
        await asyncio.sleep(fetching.REQUEST_TIMEOUT_S / 5 * len(wire.unpack_list(answers[0][1:], wire.MAX_BLOCKS)))
        return answers


async def test_over_a_thin_line_less_is_asked_for_at_a_time_until_answers_come_in_time(start, ledger, quick):
    node, (only,) = start(), peers(ledger, 1, ThinLine)
    node.meet(only)
    await until(lambda: node.network.dropped)
    assert only.asked_for(Kind.GET_BLOCKS) == [1], "thirty blocks at once never come"
    await until(lambda: not node.network._carrying)  # That answer ends with its connection.
    node.meet(only)
    await node.reaches(30)
    assert len(node.network.dropped) == 1


async def test_when_the_asked_peer_is_lost_another_is_asked(start, ledger):
    node, (one, two) = start(), peers(ledger)
    one.silent = True
    node.meet(one)
    await until(lambda: one.asked)
    node.meet(two)
    node.part(one)
    await node.reaches(30)
    assert two.asked_for(Kind.GET_BLOCKS) == [1]


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


async def test_a_hint_that_a_peer_cannot_keep_is_no_offence(start, ledger, quick):
    node, (one, two) = start(), peers(ledger)
    node.meet(one, two)
    await node.reaches(30)
    one.asked.clear()
    node.part(two)
    node.sync.on_hint(one.key, Height(31))  # It voted at 31; whether it has decided it is another matter.
    await until(lambda: one.asked)
    await until(lambda: node.sync.lag == 0)
    assert one.asked == [(Kind.GET_BLOCKS, 31)]
    assert node.network.dropped == []


async def test_an_observer_follows_one_peer_and_another_when_that_is_lost(start, ledger):
    node, (one, two) = start(key_number=None), peers(ledger)
    node.meet(one, two)
    await node.reaches(30)
    follow = bytes((Kind.FOLLOW,))
    assert [peer for peer, data in node.network.heard if data == follow] == [one.key]
    ledger.grow(2)
    for decision in ledger.decisions[30:]:
        node.sync.on_blocks(one.key, [encoded(decision)])
    await node.reaches(32)
    node.part(one)
    assert [peer for peer, data in node.network.heard if data == follow] == [one.key, two.key]
    ledger.grow(1)
    node.sync.on_blocks(two.key, [encoded(ledger.decisions[32])])
    await node.reaches(33)


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
    monkeypatch.setattr(Database, "_free_bytes", lambda database: free[0])
    monkeypatch.setattr(node.store._db, "_min_free_bytes", 1 << 20)
    node.meet(*peers(ledger))
    await until(lambda: node.driver.stalled)
    assert node.store.state.height == 0
    free[0] = 1 << 40
    await until(lambda: not node.driver.stalled)
    await node.reaches(30)


class Crumbler(Peer):
    """Answers with one block, whatever is asked."""

    async def blocks(self, first, most):
        await asyncio.sleep(0.02)
        return await super().blocks(first, 1)


class Exact(Crumbler):
    """And claims no more than that."""

    claimed = 1

    def status(self):
        height = Height(self.claimed)
        return replace(super().status(), height=height, history=height, base=height)


@pytest.mark.parametrize("kind", [Crumbler, Exact])
async def test_mistake_8_who_sends_crumbs_is_not_preferred(start, ledger, monkeypatch, kind):
    monkeypatch.setattr(wire, "MAX_BLOCKS", 8)
    monkeypatch.setattr(fetching, "PACE_BYTES", 1000)
    node, (one, two) = start(), peers(ledger)
    slow = kind(one.key, ledger)
    node.meet(slow)
    await until(lambda: node.store.state.height >= 1)
    slow.claimed = 30
    node.meet(slow, two)
    await node.reaches(30)
    assert len(slow.asked_for(Kind.GET_BLOCKS)) <= 3


async def test_after_a_hint_that_was_not_kept_others_are_asked_first(start, ledger):
    node, (one, two) = start(), peers(ledger)
    liar = Empty(one.key, ledger)
    node.peers[liar.key] = liar
    node.network.links.add(liar.key)
    node.sync.on_hint(liar.key, Height(2**40))
    await until(lambda: liar.asked)
    await until(lambda: node.sync.lag == 0)
    node.peers[two.key] = two
    node.network.links.add(two.key)
    node.sync.on_status(two.key, two.status())
    await node.reaches(30)
    node.sync.on_hint(liar.key, Height(2**40))
    node.sync.on_hint(two.key, Height(31))
    assert node.sync._fetcher.able(31) == [two.key, liar.key]
    assert node.network.dropped == []
