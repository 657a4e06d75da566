"""A researcher above a quota of a real node: the entry waits, is sent when the node said, and nothing is lost."""

import json

import pytest

from notarium.anchoring.outbox import outbox_of
from notarium.key_files import Purpose, load_key
from notarium.ledger_access.blocking import BlockingClient
from notarium.project import create_project, find_project
from notarium_node.demo.local_network import Institution, LocalNetwork

AT_ONCE_S = 4
"""What so many seconds allow may come at once (docs/adr/0017-quotas.md)."""


@pytest.fixture
def tight(home, tmp_path, monkeypatch):
    """A project whose only node takes one entry a second from a key, and four at once."""
    key = load_key(home / "keys" / "test.key", Purpose.RESEARCHER)
    network = LocalNetwork.create(
        tmp_path / "network",
        [Institution("m0", "Member 0")],
        researchers=[("m0", key.public)],
        name="test",
        parameters={"max_key_second_entries": 1},
    )
    root = tmp_path / "study"
    root.mkdir()
    monkeypatch.chdir(root)
    try:
        network.start()
        network.wait_ready()
        create_project(root, network.genesis, [network.nodes[0].api], "m0", "study-12")
        yield find_project()
    finally:
        network.stop()


def use_up(project, seconds):
    """Submit so much that the next entry of this key must wait for about `seconds`."""
    body = {"v": 1, "kind": "dataset", "issuer": "m0", "project": "study-12", "disclosure": "public"}
    bodies = [{**body, "record": bytes([number]) * 32} for number in range(AT_ONCE_S + seconds)]
    with BlockingClient(project.genesis, project.nodes, project.key(), timeout=30.0) as client:
        client.submit_batch(bodies)


def test_an_entry_above_a_quota_waits_and_lands_after_retry_after(tight, cli):
    (tight.root / "data.csv").write_text("1,2")
    use_up(tight, seconds=6)
    code, out, _ = cli("anchor", "data.csv", "--timeout", "2", "--json")
    [result] = json.loads(out)["results"]
    assert (code, result["status"]) == (3, "quota"), "the wait is longer than the time limit"
    assert "max_key_second_entries" in result["reason"]
    assert result["reason"].startswith("the quota is used up: ")
    [waiting] = outbox_of(tight).list()
    assert (waiting.id, waiting.refused) == (result["id"], False), "it is valid, and is sent again as it is"
    code, out, _ = cli("verify", "data.csv", "--json")
    assert (code, json.loads(out)["results"][0]["status"]) == (3, "quota")
    # The command waits as long as the node says; nothing else in here can make room.
    code, out, _ = cli("status", "--flush", "--timeout", "60", "--json")
    assert (code, json.loads(out)["outbox"]) == (0, [])
    assert json.loads(out)["sent"] == [waiting.id]
    assert cli("verify", "data.csv", "--offline")[0] == 0
