"""Followers are sent each decision once it is stored, until they disconnect."""

from typing import cast

import pytest
from tests.node.catchup.company import encoded, short_ledger
from tests.node.parts import FakeNetwork

from notarium_ledger.types import Height, PublicKey
from notarium_node.catchup.followers import Followers
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
