"""enrol and revoke: where they send to, and what they say where that fails. The rest is in ../test_enrolment.py."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from notarium_ledger.signing import SigningKey
from notarium_node.operator.cli import researchers
from notarium_node.startup import read_genesis

KEY = SigningKey(b"r" * 32).public.hex()


def test_by_default_the_nodes_are_this_one_or_the_validators_of_the_genesis(ready, ceremony):
    root, path, hash_ = ceremony
    genesis, nodes = researchers._ledger(root / "n1" / "node.toml", None, None)
    assert genesis.hash.hex() == hash_
    assert len(nodes) == 1
    genesis, nodes = researchers._ledger(root / "none.toml", path, None)
    assert sorted(nodes) == sorted(node.api for node in read_genesis(path).registry.nodes.values())
    assert researchers._ledger(root / "none.toml", path, ["http://a"])[1] == ["http://a"]


@pytest.mark.parametrize("command", ["enrol", "revoke"])
def test_a_ledger_out_of_reach_has_its_own_exit_code(ceremony, notarium_node, command):
    root, path, _ = ceremony
    code, out, _ = notarium_node(
        command, "--key", KEY, "--admin-key", root / "n1" / "keys" / "admin.key", "--genesis", path,
        "--url", "http://127.0.0.1:1", "--json",
    )  # fmt: skip
    said = json.loads(out)
    assert (code, said["exit_code"]) == (5, 5)
    assert said["error"].endswith("run the same command again: nothing is written twice")


class Observer(BaseHTTPRequestHandler):
    """Answers as an observer does."""

    def do_POST(self):
        body = {"type": "urn:notarium:problem:read-only", "title": "An observer takes no entries", "status": 403}
        said = json.dumps({**body, "detail": "this node is an observer and takes no entries"}).encode()
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(403)
        self.send_header("Content-Type", "application/problem+json")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_):
        pass


def test_an_observer_is_not_asked_again(ceremony, notarium_node):
    root, path, _ = ceremony
    with HTTPServer(("127.0.0.1", 0), Observer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        code, out, _ = notarium_node(
            "revoke", "--key", KEY, "--admin-key", root / "n1" / "keys" / "admin.key", "--genesis", path,
            "--url", f"http://127.0.0.1:{server.server_port}", "--json",
        )  # fmt: skip
        server.shutdown()
    said = json.loads(out)["error"]
    assert code == 2
    assert "is an observer and takes no entries" in said
    assert said.endswith("Name a validator's API with --url")


def test_a_missing_genesis_file_and_a_key_of_no_member_are_named(ceremony, notarium_node):
    root, path, _ = ceremony
    code, _, err = notarium_node("enrol", "--key", KEY, "--genesis", root / "none.json")
    assert (code, "none.json: No such file" in err) == (2, True)
    code, _, err = notarium_node("enrol", "--key", KEY, "--admin-key", root / "away.key", "--genesis", path)
    assert (code, "away.key does not exist: give the file where this key is kept now with --admin-key" in err) == (
        2,
        True,
    )
    code, _, err = notarium_node("keygen", "--dir", root / "s", "--member", "s", "--name", "S", "--address", "a:1")
    assert code == 0, err
    admin_key = root / "s" / "keys" / "admin.key"
    code, _, err = notarium_node("enrol", "--key", KEY, "--admin-key", admin_key, "--genesis", path)
    assert (code, "not the governance key of a founding member" in err) == (2, True)
