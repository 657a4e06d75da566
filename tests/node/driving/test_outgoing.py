"""Messages with a block have a slot and are encoded once, whomever they go to; votes have none."""

from typing import cast

from tests.consensus.harness import Club
from tests.node.parts import FakeNetwork

from notarium_consensus.messages import decode_message
from notarium_ledger.blocks.statements import StatementKind
from notarium_node.driving.outgoing import Outgoing, slot_of
from notarium_node.peers.network import PeerNetwork
from notarium_node.peers.wire import Kind

CLUB = Club(4)
BLOCK = CLUB.block(1)
PEERS = [key.public for key in CLUB.keys[1:]]


def test_only_messages_with_a_block_have_a_slot():
    assert slot_of(CLUB.proposal(1, 0, BLOCK)) == (1, 0, StatementKind.PROPOSAL)
    assert slot_of(CLUB.change(0, 2, (0, BLOCK))) == (1, 2, StatementKind.ROUND_CHANGE)
    assert slot_of(CLUB.change(0, 2)) is None
    assert slot_of(CLUB.prepare(0, 0, BLOCK)) is None


def test_a_message_with_a_block_is_made_into_bytes_once():
    network = FakeNetwork(*PEERS)
    outgoing = Outgoing(cast(PeerNetwork, network))
    proposal, vote = CLUB.proposal(1, 0, BLOCK), CLUB.prepare(1, 0, BLOCK)
    outgoing.broadcast(proposal, PEERS)
    outgoing.broadcast(vote, PEERS)
    outgoing.send(PEERS[0], proposal)
    sent = [data for _, data in network.sent]
    assert [decode_message(data[1:]) for data in sent] == [proposal] * 3 + [vote] * 3 + [proposal]
    assert {data[0] for data in sent} == {Kind.CONSENSUS}
    assert all(data is sent[0] for data in (*sent[:3], sent[6]))
    assert network.slots == [slot_of(proposal)] * 3 + [None] * 3 + [slot_of(proposal)]
