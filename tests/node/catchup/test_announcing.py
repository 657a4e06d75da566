"""A node's height goes to all nodes when it changes, and again after a while: the last message may be lost."""

from typing import cast

import pytest
from tests.node.catchup.company import short_ledger
from tests.node.parts import FakeNetwork

from notarium_node.catchup import announcing
from notarium_node.catchup.announcing import HeightAnnouncer
from notarium_node.health.ability import Ability
from notarium_node.peers import wire
from notarium_node.peers.network import PeerNetwork


@pytest.fixture
def ledger(tmp_path):
    with short_ledger(tmp_path) as made:
        yield made


def statuses(network):
    """(peer, height) of each status sent since the last call."""
    return {(peer, wire.unpack_status(data[1:]).height) for peer, data in network.take() if data[0] == wire.Kind.STATUS}


async def test_an_unchanged_height_is_sent_once_and_repeated_after_a_while(ledger, monkeypatch):
    everyone = set(ledger.store.state.registry.nodes)
    network = FakeNetwork(*everyone)
    announcer = HeightAnnouncer(ledger.store, cast(PeerNetwork, network), Ability)
    announcer.announce()
    assert statuses(network) == {(peer, 30) for peer in everyone}
    announcer.announce()
    assert statuses(network) == set()
    ledger.grow(1)
    announcer.announce()
    assert statuses(network) == {(peer, 31) for peer in everyone}
    monkeypatch.setattr(announcing, "REPEAT_S", -1.0)
    ledger.grow(1)
    for _ in range(2):
        announcer.announce()
        assert statuses(network) == {(peer, 32) for peer in everyone}


async def test_one_peer_can_be_sent_the_height(ledger):
    peer, *others = ledger.store.state.registry.nodes
    network = FakeNetwork(peer, *others)
    HeightAnnouncer(ledger.store, cast(PeerNetwork, network), Ability).send_to(peer)
    assert statuses(network) == {(peer, 30)}
