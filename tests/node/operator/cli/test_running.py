"""run, status and check, as an operator meets them: output and exit codes."""

import json
import os
import re
import socket
from pathlib import Path

from tests.store.damaging import edit

from notarium_ledger.encoding import canonical
from notarium_ledger.state.genesis import Genesis
from notarium_node import service
from notarium_node.config.reading import load_config
from notarium_store import keys
from notarium_store.store import Store


def test_a_taken_port_is_named_with_its_owner(ready, notarium_node, ceremony):
    config = load_config(ceremony[0] / "n1" / "node.toml", {})
    with socket.create_server(("127.0.0.1", config.api.port)):
        code, _, err = notarium_node("run", "--config", ready)
    assert code == 2
    assert f"api.port {config.api.port} is taken by pid {os.getpid()} (" in err


def test_a_changed_genesis_file_stops_the_start(ready, ceremony, notarium_node):
    path = ceremony[0] / "n1" / "genesis.json"
    path.write_text(path.read_text().replace("Demo", "Dema"))
    code, _, err = notarium_node("run", "--config", ready)
    assert (code, "wrong genesis" in err, ceremony[2] in err) == (2, True, True)


def test_a_wrong_pin_is_named_with_its_source(ready, notarium_node, monkeypatch):
    variable = "NOTARIUM_NODE_NODE__GENESIS_HASH"
    monkeypatch.setenv(variable, "ab" * 32)
    _, _, err = notarium_node("run", "--config", ready)
    assert f"but node.genesis_hash (from {variable}) pins {'ab' * 32}" in err
    file = Path(ready)
    file.write_text(re.sub('genesis_hash = ".*"', f'genesis_hash = "{"cd" * 32}"', file.read_text()))
    monkeypatch.delenv(variable)
    _, _, err = notarium_node("run", "--config", ready)
    assert f"(from the configuration file) pins {'cd' * 32}" in err


def test_a_key_that_others_can_read_stops_the_start(ready, ceremony, notarium_node):
    key = ceremony[0] / "n1" / "keys" / "transport.key"
    key.chmod(0o644)
    code, _, err = notarium_node("run", "--config", ready)
    assert (code, f"chmod 600 {key}" in err) == (2, True)


def test_mixed_up_transport_keys_stop_the_start(ready, ceremony, notarium_node):
    root = ceremony[0]
    (root / "n2" / "keys" / "transport.key").replace(root / "n1" / "keys" / "transport.key")
    code, _, err = notarium_node("run", "--config", ready)
    assert (code, "not the one on inst-1's card" in err) == (2, True)


def test_a_missing_data_directory_or_file_stops_the_start(ready, ceremony, notarium_node, monkeypatch):
    monkeypatch.setenv("NOTARIUM_NODE_NODE__DATA_DIR", "/nonexistent/data")
    code, _, err = notarium_node("run", "--config", ready)
    assert (code, "/nonexistent/data does not exist" in err) == (2, True)
    code, _, err = notarium_node("run", "--config", "/nonexistent/node.toml")
    assert (code, "notarium-node init" in err) == (2, True)


def test_run_prints_all_that_is_wrong_at_once_and_touches_nothing(ready, ceremony, notarium_node, monkeypatch):
    root = ceremony[0]
    config = load_config(root / "n1" / "node.toml", {})
    (root / "n1" / "keys" / "validator.key").unlink()
    (root / "n1" / "keys" / "transport.key").chmod(0o644)
    before = sorted(root.rglob("*"))
    with socket.create_server(("127.0.0.1", config.api.port)):
        code, _, err = notarium_node("run", "--config", ready)
    assert code == 2
    assert err.count("error:") == 3
    assert "validator.key does not exist" in err
    assert "chmod 600" in err
    assert f"api.port {config.api.port} is taken" in err
    assert sorted(root.rglob("*")) == before


def test_a_warning_is_logged_and_does_not_stop_the_start(ready, notarium_node, monkeypatch):
    started = []

    async def start(config):
        started.append(config)

    monkeypatch.setattr(service, "run", start)
    monkeypatch.setenv("NOTARIUM_NODE_STORE__MIN_FREE_BYTES", str(2**62))
    code, _, err = notarium_node("run", "--config", ready)
    assert (code, len(started)) == (0, 1)
    line = json.loads(err)
    assert line["level"] == "warning"
    assert line["message"].startswith("little free disk space, the node does not vote")
    assert "min_free_bytes" in line["remedy"]


# status and check


def test_an_unreachable_node_has_its_own_exit_code(ready, notarium_node):
    code, out, err = notarium_node("status", "--config", ready, "--json")
    assert (code, json.loads(out)["exit_code"]) == (5, 5)
    assert "is the node running?" in err
    code, _, err = notarium_node("status", "--url", "not a url")
    assert code == 5
    code, _, err = notarium_node("status")
    assert (code, "--config or --url" in err) == (2, True)


def test_check_verifies_the_store_and_says_so(ready, ceremony, notarium_node):
    root, path, hash_ = ceremony
    code, _, err = notarium_node("check", "--config", ready)
    assert (code, "there is no store" in err) == (2, True)
    genesis = Genesis.decode_json(path.read_bytes())
    with Store.open(root / "n1" / "store", genesis):
        code, _, err = notarium_node("check", "--config", ready)
        assert (code, "another process has it open" in err) == (2, True)
    code, out, err = notarium_node("check", "--config", ready, "--json")
    assert code == 0, err
    assert json.loads(out) == {"height": 0, "history": 0, "entries": 0, "tip": hash_, "sound": True}


def test_check_of_a_damaged_store_fails_with_1(ready, ceremony, notarium_node):
    root, path, _ = ceremony
    store = root / "n1" / "store"
    with Store.open(store, Genesis.decode_json(path.read_bytes())):
        pass
    (store / "CURRENT").write_text("damaged\n")
    code, _, err = notarium_node("check", "--config", ready)
    assert code == 1, err
    assert "restore" in err


def test_check_of_another_format_is_no_damage(ready, ceremony, notarium_node):
    root, path, hash_ = ceremony
    with Store.open(root / "n1" / "store", Genesis.decode_json(path.read_bytes())):
        pass
    edit(root / "n1" / "store", lambda db: db.put(keys.META, canonical.encode([3, bytes.fromhex(hash_)])))
    code, _, err = notarium_node("check", "--config", ready)
    assert (code, "start the version that wrote it" in err) == (2, True)
