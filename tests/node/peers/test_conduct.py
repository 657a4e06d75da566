"""A peer that breaks the protocol is counted, logged and dropped; one that speaks a later version is only noted."""

from collections import Counter
from typing import cast

from structlog.testing import capture_logs
from tests.node.parts import FakeNetwork
from tests.support.consortium import Consortium

from notarium_ledger.types import PublicKey
from notarium_node.health.events import NodeEvent
from notarium_node.peers.conduct import Conduct
from notarium_node.peers.network import PeerNetwork

CONSORTIUM = Consortium(2)
PEER, OTHER = (each.public for each in CONSORTIUM.validator_keys)
REGISTRY = CONSORTIUM.genesis.registry


def make():
    network, counts = FakeNetwork(PEER, OTHER), Counter[str]()
    return Conduct(cast(PeerNetwork, network), lambda: REGISTRY, counts), network, counts


def test_a_drop_is_counted_and_logged_with_member_reason_and_detail():
    conduct, network, counts = make()
    with capture_logs() as logs:
        conduct.drop(PEER, "garbage", "not msgpack")
    (line,) = logs
    assert (line["event"], line["log_level"]) == ("peer broke the protocol", "warning")
    assert (line["member"], line["key"]) == (REGISTRY.nodes[PEER].member, PEER.hex()[:16])
    assert (line["kind"], line["detail"]) == ("garbage", "not msgpack")
    assert network.dropped == [(PEER, "garbage")]
    assert counts == {NodeEvent.PEER_DROPPED: 1}


def test_a_later_version_is_logged_once_per_connection_counted_each_time_and_not_punished():
    conduct, network, counts = make()
    with capture_logs() as logs:
        for _ in range(3):
            conduct.note_later_version(PEER, "message of kind 32")
        conduct.note_later_version(OTHER, "message of kind 33")
        conduct.forget(PEER)
        conduct.note_later_version(PEER, "message of kind 34")
    assert [line["detail"] for line in logs] == ["message of kind 32", "message of kind 33", "message of kind 34"]
    assert {line["remedy"] for line in logs} == {"upgrade this node too"}
    assert counts == {NodeEvent.LATER_VERSION: 5}
    assert network.dropped == []


def test_a_node_that_left_the_registry_is_named_by_its_key():
    conduct, _, _ = make()
    assert conduct.named(PublicKey(b"\7" * 32)) == {"member": "unknown", "key": "07" * 8}
