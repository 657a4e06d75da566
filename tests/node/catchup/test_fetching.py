"""Whom a node asks for blocks, how much at a time, and what happens to peers that do not deliver."""

import asyncio
from typing import cast

import pytest
from tests.node.catchup.company import Boaster, Crumbler, Empty, Exact, ThinLine, encoded, peers, short_ledger, starter
from tests.node.parts import FakeNetwork, until
from tests.support.consortium import key

from notarium_ledger.types import Hash, Height
from notarium_node.catchup import fetching, sync
from notarium_node.catchup.fetching import Fetcher
from notarium_node.peers import wire
from notarium_node.peers.network import PeerNetwork
from notarium_node.peers.wire import HeightStatus, Kind, SnapshotPart


@pytest.fixture
async def ledger(tmp_path):
    with short_ledger(tmp_path) as made:
        yield made


@pytest.fixture
async def start(tmp_path, ledger):
    with starter(tmp_path, ledger) as make:
        yield make


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(fetching, "REQUEST_TIMEOUT_S", 0.05)
    monkeypatch.setattr(sync, "GRACE_S", 0.01)


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


async def test_an_empty_answer_to_a_hint_is_no_offence_although_the_claim_has_come_before_it():
    """The answer waited behind a large message, which the claim has passed: it was true when it was sent."""
    one = key("one").public
    network = FakeNetwork(one)
    fetcher = Fetcher(cast(PeerNetwork, network), lambda: None)
    fetcher.on_hint(one, Height(9))
    waiting = asyncio.create_task(fetcher.blocks(9, 9))
    await until(lambda: network.sent)
    fetcher.on_status(one, HeightStatus(Height(9), Hash(b"t" * 32), Height(9), Height(9)))
    assert fetcher.on_blocks(one, [], None)
    assert network.dropped == []
    await until(lambda: len(network.sent) == 2)  # Now that it has the block, it is asked again.
    assert fetcher.on_blocks(one, [], None)
    assert network.dropped == [(one, "catch-up")]
    waiting.cancel()
    fetcher.stop()


MIB = 1 << 20


@pytest.fixture
async def asked():
    """A fetcher that has asked one of two peers for a block, and the open request. The test brings the deadlines."""
    one, two = key("one").public, key("two").public
    network = FakeNetwork(one, two)
    fetcher = Fetcher(cast(PeerNetwork, network), lambda: None)
    fetcher.on_status(one, HeightStatus(Height(9), Hash(b"t" * 32), Height(9), Height(9)))
    waiting = asyncio.create_task(fetcher.blocks(1, 9))
    await until(lambda: network.sent)
    fetcher.on_status(two, HeightStatus(Height(9), Hash(b"t" * 32), Height(9), Height(9)))
    yield network, fetcher, fetcher._open[one]
    waiting.cancel()
    fetcher.stop()


async def others_asked(network):
    for _ in range(5):
        await asyncio.sleep(0)  # The task that waits has had its turn.
    return len(network.sent) - 1


async def test_no_deadline_is_missed_while_the_answer_arrives(asked):
    """16 MiB over a line of 2 Mbit/s: more than a minute, and nobody else is asked for the same within that minute."""
    network, fetcher, request = asked
    for _ in range(11):
        network.received[request.peer] += MIB
        fetcher._deadline(request)
        assert await others_asked(network) == 0
    assert not network.dropped
    assert fetcher._most[request.peer] == 1, "it is asked for less next time"
    assert fetcher.on_blocks(request.peer, [b"block"], 1)
    assert fetcher._most[request.peer] == 1, "which an answer that took so long does not undo"
    assert request.answer.result() == [b"block"]


async def test_who_sends_just_enough_holds_nobody_up_for_more_than_a_minute(asked):
    network, fetcher, request = asked
    network.received[request.peer] += fetching.ARRIVING_BYTES
    request.asked_s -= fetching.ALONE_S
    fetcher._deadline(request)
    assert await others_asked(network) == 1
    assert not network.dropped, "it is slow, which is no offence"


async def test_an_answer_that_hardly_arrives_is_overdue_but_its_sender_is_not_dropped(asked):
    """Many validators behind one thin line: each gets a small part of it."""
    network, fetcher, request = asked
    for _ in range(2 * fetching.PATIENCE):
        network.received[request.peer] += 1
        fetcher._deadline(request)
        assert await others_asked(network) == 1
    assert network.dropped == []


async def test_who_sends_nothing_is_dropped(asked):
    network, fetcher, request = asked
    for missed in range(1, fetching.PATIENCE + 1):
        assert network.dropped == []
        fetcher._deadline(request)
        assert fetcher._missed[request.peer] == missed
        assert await others_asked(network) == 1
    assert network.dropped == [(request.peer, "catch-up")]


async def test_a_part_of_a_snapshot_may_arrive_slowly_too():
    one = key("one").public
    network = FakeNetwork(one)
    fetcher = Fetcher(cast(PeerNetwork, network), lambda: None)
    waiting = asyncio.create_task(fetcher.snapshot_part(one, Height(0), 0))
    await until(lambda: network.sent)
    network.received[one] += MIB // 2
    fetcher._deadline(fetcher._open[one])
    part = SnapshotPart(Height(3), 5, 0, b"bytes")
    assert fetcher.on_snapshot(one, part)
    assert await waiting == part
    fetcher.stop()
