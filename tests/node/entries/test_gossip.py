"""Fresh entries go to all validators: at once when idle, together under load, in messages of bounded size."""

from typing import cast

import pytest
from tests.node.parts import FakeNetwork, until
from tests.support.consortium import Consortium

from notarium_node.entries import gossip as gossip_module
from notarium_node.entries.gossip import Gossip
from notarium_node.peers import wire
from notarium_node.peers.network import PeerNetwork

CONSORTIUM = Consortium(3, observers=1)
VALIDATORS = [each.public for each in CONSORTIUM.validator_keys]
OBSERVER = CONSORTIUM.observer_keys[0].public


@pytest.fixture
def network():
    return FakeNetwork(*VALIDATORS, OBSERVER)


@pytest.fixture
def gossip(network):
    return Gossip(cast(PeerNetwork, network), lambda: VALIDATORS)


def messages(network):
    """(peer, entries) of each message since the last call."""
    taken = network.take()
    assert {data[0] for _, data in taken} <= {wire.Kind.ENTRIES}
    return [(peer, wire.unpack_list(data[1:], wire.MAX_GOSSIP_ENTRIES)) for peer, data in taken]


async def test_entries_of_one_turn_go_in_one_message_to_every_validator_and_to_no_observer(network, gossip):
    entries = [CONSORTIUM.entry() for _ in range(3)]
    for each in entries:
        gossip.add([each])
    assert network.sent == []
    await until(lambda: network.sent)
    assert messages(network) == [(peer, [each.raw for each in entries]) for peer in VALIDATORS]


async def test_the_next_message_waits_for_the_interval_and_carries_all_that_came_meanwhile(
    network, gossip, monkeypatch
):
    monkeypatch.setattr(gossip_module, "INTERVAL_S", 0.05)
    gossip.add([CONSORTIUM.entry()])
    await until(lambda: network.take())
    late = [CONSORTIUM.entry() for _ in range(2)]
    gossip.add(late[:1])
    gossip.add(late[1:])
    await until(lambda: network.sent)
    assert messages(network) == [(peer, [each.raw for each in late]) for peer in VALIDATORS]


@pytest.mark.parametrize(("name", "limit"), [("MESSAGE_BYTES", 1000), ("MAX_GOSSIP_ENTRIES", 4)])
def test_what_waits_is_sent_to_a_peer_in_bounded_messages(network, gossip, monkeypatch, name, limit):
    monkeypatch.setattr(gossip_module if name == "MESSAGE_BYTES" else wire, name, limit)
    entries = [CONSORTIUM.entry() for _ in range(10)]
    gossip.send_all(VALIDATORS[1], entries)
    sent = messages(network)
    assert len(sent) > 1
    assert {peer for peer, _ in sent} == {VALIDATORS[1]}
    assert [raw for _, raws in sent for raw in raws] == [each.raw for each in entries]
    for _, raws in sent:
        assert len(raws) <= 4 if name == "MAX_GOSSIP_ENTRIES" else len(raws) == 1 or sum(map(len, raws)) <= limit


def test_what_is_unsent_is_not_queued_again(network, gossip, monkeypatch):
    entries = [CONSORTIUM.entry() for _ in range(3)]
    monkeypatch.setattr(gossip_module, "UNSENT_BYTES", sum(len(each.raw) for each in entries))
    for _ in range(5):
        gossip.again(entries)
    assert [peer for peer, _ in messages(network)] == VALIDATORS, "once"
    gossip.again(entries)
    assert messages(network) == [(peer, [each.raw for each in entries]) for peer in VALIDATORS]


def test_nothing_is_sent_where_nothing_waits(network, gossip):
    gossip.send_all(VALIDATORS[1], [])
    assert network.sent == []


CLUB = Consortium(3, researchers=2, name="shares")


def of(researcher):
    body = CLUB.body(issuer=CLUB.members[researcher])
    return CLUB.entry(body, signer=CLUB.researcher_keys[researcher])


@pytest.mark.parametrize("limit", ["MESSAGE_BYTES", "MAX_GOSSIP_ENTRIES"])
async def test_what_is_more_than_one_message_waits_and_one_that_floods_is_not_before_the_others(
    network, gossip, monkeypatch, limit
):
    monkeypatch.setattr(gossip_module, "INTERVAL_S", 0.05)
    flood, honest, later = [of(0) for _ in range(12)], of(1), of(1)
    size = max(len(each.raw) for each in flood)
    monkeypatch.setattr(gossip_module if limit == "MESSAGE_BYTES" else wire, limit, 4 * size if limit[1] == "E" else 4)
    gossip.add([*flood, honest])
    await until(lambda: network.sent)
    first = messages(network)
    assert [peer for peer, _ in first] == VALIDATORS, "one message for each"
    assert honest.raw in first[0][1]
    gossip.add([later])
    await until(lambda: network.sent)
    assert later.raw in messages(network)[0][1]
    await until(lambda: not gossip._waiting)
    sent = messages(network)
    every = [raw for peer, raws in (*first, *sent) if peer == VALIDATORS[0] for raw in raws]
    assert [raw for raw in every if raw not in (honest.raw, later.raw)][-1] == flood[-1].raw


async def test_a_validator_that_does_not_keep_up_gets_no_more_than_it_can_take(network, gossip, monkeypatch):
    first, second, third = (CONSORTIUM.entry() for _ in range(3))
    monkeypatch.setattr(gossip_module, "CONGESTED_BYTES", len(first.raw))
    gossip.add([first])
    await until(lambda: network.sent)
    gossip.add([second])
    await until(lambda: not gossip._waiting)
    assert messages(network) == [(peer, [first.raw]) for peer in VALIDATORS], "it is full"
    gossip.add([third])
    await until(lambda: network.sent)
    assert messages(network) == [(peer, [third.raw]) for peer in VALIDATORS]
