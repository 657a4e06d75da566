"""Followers are sent each decision once it is stored, until they disconnect."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.node.catchup.company import encoded, short_ledger
from tests.node.parts import FakeNetwork, until
from tests.node.peering import nodes_on_a_line

from notarium_ledger.types import Height, PublicKey
from notarium_node.catchup.followers import UNSENT_BYTES, Followers
from notarium_node.peers import wire
from notarium_node.peers.network import PeerNetwork

ONE, TWO = PublicKey(b"\1" * 32), PublicKey(b"\2" * 32)


@pytest.fixture
def ledger(tmp_path):
    with short_ledger(tmp_path) as made:
        yield made


def test_every_follower_is_sent_the_decision_and_others_are_not(ledger):
    network = FakeNetwork(ONE, TWO)
    followers = Followers(ledger.store, cast(PeerNetwork, network))
    followers.push(Height(7))
    assert network.take() == []
    followers.add(ONE)
    followers.push(Height(7))
    assert network.take() == [(ONE, wire.pack_list(wire.Kind.BLOCKS, [encoded(ledger.decisions[6])]))]
    followers.discard(ONE)
    followers.push(Height(8))
    assert network.take() == []


def test_a_block_that_is_not_stored_is_not_sent(ledger):
    network = FakeNetwork(ONE)
    followers = Followers(ledger.store, cast(PeerNetwork, network))
    followers.add(ONE)
    followers.push(Height(31))
    assert network.take() == []


async def test_on_a_thin_line_one_block_waits_and_a_vote_passes_it_and_a_new_request_to_follow_begins_again():
    """A real connection with a low bandwidth. The follower fetches what was not pushed to it."""
    pushed = UNSENT_BYTES + 1_000_000
    store: Any = SimpleNamespace(decision_bytes=lambda height: bytes(pushed))
    async with nodes_on_a_line(rate=2_000_000, send_queue_bytes=1 << 30) as (one, two, there):
        follower, vote = two.record.key, bytes((wire.Kind.CONSENSUS, 7))
        followers = Followers(store, one.net)
        followers.add(follower)
        there.close()
        for height in range(1, 100):
            followers.push(Height(height))
        assert UNSENT_BYTES < one.net.queue_bytes(follower) <= pushed + 100
        one.net.send(follower, vote)
        there.open()
        await until(lambda: two.net.is_receiving(one.record.key))
        await two.until(lambda: len(two.messages) == 2)
        assert [data[0] for _, data in two.messages] == [wire.Kind.CONSENSUS, wire.Kind.BLOCKS]
        assert not two.net.is_receiving(one.record.key)
        followers.push(Height(100))
        await asyncio.sleep(0.01)
        assert one.net.queue_bytes(follower) == 0, "it has to ask again"
        followers.add(follower)
        followers.push(Height(101))
        assert one.net.queue_bytes(follower) > UNSENT_BYTES
