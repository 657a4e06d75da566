"""A store whose damage is noticed only when it is read: the node stays up and votes, and its operator sees it."""

import contextlib
import http.client
import json

import plyvel
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.node.http_api import Api
from tests.support.consortium import key
from tests.support.damage import damage_unseen

from notarium_ledger.entries.entry import sign_entry
from notarium_node.demo.local_network import Institution, LocalNetwork
from notarium_store import keys

BLOCKS = 40
STEP = 509
RESEARCHER = key("researcher")


class Node:
    """A validator alone, as a process."""

    def __init__(self, directory):
        self.network = LocalNetwork.create(
            directory, [Institution("m0", "Member 0")], researchers=[("m0", RESEARCHER.public)]
        )
        self.process = self.network.nodes[0]
        self.api = Api(self.process.api_port)
        self._bodies = 0

    def start(self):
        self.process.start()
        self.network.wait_ready()

    def decide(self):
        """One more block, decided here; its receipt."""
        self._bodies += 1
        body = {"v": 1, "kind": "dataset", "issuer": "m0", "project": "p", "disclosure": "public"}
        entry = sign_entry(RESEARCHER, self.network.genesis.hash, {**body, "record": self._bodies.to_bytes(32, "big")})
        return self.api.submit(entry)

    def gauge(self, name):
        families = text_string_to_metric_families(self.api.get("/metrics").body.decode())
        return next(sample.value for family in families for sample in family.samples if sample.name == name)

    def seen_by_its_operator(self):
        """What /readyz, /v1/status, the metrics and the log say of damage: all the same."""
        reasons = [each for each in self.api.get("/readyz").json["reasons"] if each.startswith("the store is damaged")]
        status = self.api.get("/v1/status").json
        assert [each for each in status["reasons"] if "damaged" in each] == reasons
        assert self.gauge("notarium_store_damaged") == len(reasons)
        assert self.gauge("notarium_ready") == (not reasons)
        return reasons

    def unread(self):
        """The problems answered for the blocks that cannot be read."""
        answers = [self.process.get(f"/v1/blocks/{height}") for height in range(1, BLOCKS + 1)]
        return [each["detail"] for each in answers if each.get("status") == 500]


@pytest.fixture
def node(tmp_path):
    """Stopped, with all that it has decided in tables."""
    made = Node(tmp_path / "network")
    try:
        made.start()
        for _ in range(BLOCKS):
            assert made.decide().status == 200
        made.process.stop()
        made.start()  # Which writes the log into a table.
        made.process.stop()
        yield made
    finally:
        made.network.stop()


def test_damage_that_a_read_meets_makes_the_node_unready_until_a_restart_and_it_votes_on(node):
    damage_unseen(node.process.directory / "store", node.network.genesis, STEP)
    node.start()
    assert node.seen_by_its_operator() == []
    unread = node.unread()
    assert unread
    (reason,) = node.seen_by_its_operator()
    assert unread[0] in reason
    assert "restore a backup" in reason
    node.network.wait_until(lambda: '"not ready"' in node.process.log.read_text(), "the log")
    lines = [json.loads(line) for line in node.process.log.read_text().splitlines() if '"not ready"' in line]
    assert lines[-1]["level"] == "error"
    assert reason in lines[-1]["reasons"]
    assert node.decide().status == 200
    assert node.api.get("/healthz").status == 200
    assert node.seen_by_its_operator() == [reason]
    node.process.stop()
    node.start()
    assert node.seen_by_its_operator() == []


def test_a_stream_of_events_ends_where_the_store_cannot_be_read(node):
    with contextlib.closing(plyvel.DB(str(node.process.directory / "store"))) as database:
        database.delete(keys.numbered(keys.HEADER, 5))
    node.start()
    connection = http.client.HTTPConnection("127.0.0.1", node.process.api_port, timeout=10)
    connection.request("GET", "/v1/events?after=0")
    said = connection.getresponse().read().decode()
    connection.close()
    assert [line for line in said.splitlines() if line.startswith("id:")] == [f"id: {height}" for height in range(1, 5)]
    assert "HTTP/1.1" not in said
    assert node.seen_by_its_operator()
