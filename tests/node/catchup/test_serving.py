"""What a node sends to peers that catch up, and when it stops sending."""

import asyncio
import threading

from structlog.testing import capture_logs
from tests.node.catchup.chain import LENGTH, peers

from notarium_ledger.types import Height
from notarium_node.catchup import serving
from notarium_node.peers import wire
from notarium_node.peers.wire import Kind


async def test_a_snapshot_is_made_once_a_height_and_a_large_one_once_in_some_seconds(start, ledger, monkeypatch):
    made = []
    encoded = serving._encoded

    def make(state, decided):
        made.append(state.height)
        return encoded(state, decided)

    monkeypatch.setattr(serving, "_encoded", make)
    (peer,) = peers(ledger, count=1)
    for path in ("one", "two"):
        node = start(path)
        node.meet(peer)
        await node.completes()
    assert made == [LENGTH]
    ledger.grow(1)
    monkeypatch.setattr(serving, "LARGE_SNAPSHOT_BYTES", 100)  # So is this one now.
    node = start("three")
    node.meet(peer)
    await node.completes()
    assert made == [LENGTH]
    monkeypatch.setattr(serving, "SNAPSHOT_FRESH_S", 0.0)
    node = start("four")
    node.meet(peer)
    await node.completes()
    assert made == [LENGTH, LENGTH + 1]


async def test_a_snapshot_that_a_slow_peer_still_fetches_is_kept(ledger):
    (peer,) = peers(ledger, count=1)

    def height_served(height):
        peer._server.on_get_snapshot(peer.key, Height(height), 0)
        ((_, answer),) = peer._answers.take()
        part = wire.unpack_snapshot(answer[1:])
        return part.height if part.size else None

    assert height_served(0) == LENGTH
    for more in range(1, 6):
        ledger.grow(1)
        assert height_served(0) == LENGTH + more
        assert height_served(LENGTH) == LENGTH, "asked for again and again"
    assert height_served(LENGTH + 1) is None, "nobody has asked for it since"
    assert len(peer._server._snapshots) == serving.SNAPSHOTS_KEPT


async def test_a_snapshot_of_many_keys_is_made_in_a_thread_once_for_all_that_ask(ledger, monkeypatch):
    monkeypatch.setattr(serving, "INLINE_KEYS", 0)
    monkeypatch.setattr(serving, "LARGE_SNAPSHOT_BYTES", 100)
    encoded, go, threads = serving._encoded, threading.Event(), []

    def make(state, decided):
        go.wait(10)
        threads.append(threading.current_thread())
        return encoded(state, decided)

    monkeypatch.setattr(serving, "_encoded", make)
    (peer,) = peers(ledger, count=1)
    two, three = (each.public for each in ledger.consortium.validator_keys[1:3])
    peer._answers.links |= {two, three}
    for asking in (peer.key, two, three):
        peer._server.on_get_snapshot(asking, Height(0), 0)
    await asyncio.sleep(0)
    peer._server.on_get_snapshot(two, Height(0), 0)
    assert peer.floods == ["it asks for a snapshot before it has the answer to its last request"]
    ledger.grow(1)  # Blocks are decided meanwhile.
    assert peer._answers.take() == []
    go.set()
    await asyncio.gather(*peer._tasks)
    answers = peer._answers.take()
    assert {to for to, _ in answers} == {peer.key, two, three}
    assert {wire.unpack_snapshot(data[1:]).height for _, data in answers} == {LENGTH}
    assert len(threads) == 1
    assert threads[0] is not threading.main_thread()
    peer._server.on_get_snapshot(two, Height(0), 0)
    assert wire.unpack_snapshot(peer._answers.take()[0][1][1:]).height == LENGTH, "no new one within some seconds"


async def test_who_does_not_read_its_answers_gets_no_more_of_them(ledger, monkeypatch):
    monkeypatch.setattr(serving, "UNREAD_BYTES", 4000)
    (peer,) = peers(ledger, count=1)
    for _ in range(100):
        peer._server.on_get_snapshot(peer.key, Height(0), 0)
    assert 4000 < sum(len(data) for _, data in peer._answers.take()) < 8000
    peer._server.on_get_snapshot(peer.key, Height(0), 0)
    assert peer._answers.take()


async def test_a_peer_that_asks_again_before_its_answer_is_dropped_for_a_flood(ledger):
    (peer,) = peers(ledger, count=1)
    peer._server.on_get_blocks(peer.key, Height(1), 10)
    peer._server.on_get_blocks(peer.key, Height(1), 10)
    peer._server.on_get_snapshot(peer.key, Height(0), 0)
    assert peer.floods == [
        "it asks for blocks before it has the answer to its last request",
        "it asks for a snapshot before it has the answer to its last request",
    ]
    await asyncio.gather(*peer._tasks)
    (answer,) = peer._answers.take()
    assert len(wire.unpack_list(answer[1][1:], wire.MAX_BLOCKS)) == 10
    peer._server.on_get_snapshot(peer.key, Height(0), 0)
    assert len(peer.floods) == 2, "it has its answer and may ask again"


async def test_what_it_lacks_is_answered_with_nothing(ledger):
    (peer,) = peers(ledger, count=1)
    assert await peer.blocks(Height(LENGTH + 1), 5) == [wire.pack_list(Kind.BLOCKS, [])]
    (answer,) = peer.snapshot(Height(LENGTH - 1), 0)
    assert wire.unpack_snapshot(answer[1:]).size == 0


async def test_a_snapshot_that_nobody_would_read_is_not_sent(ledger, monkeypatch):
    """After very many changes of the set. A node that got it would not ask this honest node for blocks either."""
    (peer,) = peers(ledger, count=1)
    monkeypatch.setattr("notarium_ledger.trust.snapshot.MAX_SNAPSHOT_VALUES", 5)
    with capture_logs() as logs:
        (answer,) = peer.snapshot(Height(0), 0)
    assert wire.unpack_snapshot(answer[1:]).size == 0
    (line,) = logs
    assert line["event"].startswith("no snapshot is served: the validator set has changed too often")
