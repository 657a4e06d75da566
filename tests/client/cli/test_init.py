"""`notarium init`: pins the right ledger, makes a key, and prints how it is enrolled."""

import json
import os

import pytest

from notarium.cli.init import enrol_command
from notarium.project import find_project


def test_init_pins_the_ledger_makes_a_key_and_says_how_to_enrol_it(tmp_path, ledger, home, cli, monkeypatch):
    genesis = ledger.consortium.genesis
    (tmp_path / "g.json").write_bytes(genesis.encode_json())
    (home / "keys" / "test.key").unlink()
    (tmp_path / "p").mkdir()
    monkeypatch.chdir(tmp_path / "p")
    arguments = ("init", "--genesis", "../g.json", "--genesis-hash", genesis.hash.hex(), "--issuer", "m0")
    code, out, _ = cli(*arguments, "--node", "http://127.0.0.1:1", "--project", "study", "--json")
    said = json.loads(out)
    assert code == 0
    assert said["key_created"]
    assert said["enrol_command"] == enrol_command("m0", said["public_key"])
    assert (home / "keys" / "test.key").stat().st_mode & 0o777 == 0o600
    assert "test.key" not in "".join(os.listdir(tmp_path / "p" / ".notarium"))
    assert cli(*arguments, "--node", "http://127.0.0.1:1")[0] == 2
    code, out, _ = cli(*arguments, "--node", "http://127.0.0.1:1", "--force", "--json")
    assert (code, json.loads(out)["public_key"]) == (0, said["public_key"])


def test_init_refuses_another_hash_and_a_genesis_without_addresses(tmp_path, ledger, home, cli, monkeypatch):
    (tmp_path / "g.json").write_bytes(ledger.consortium.genesis.encode_json())
    monkeypatch.chdir(tmp_path)
    code, _, err = cli("init", "--genesis", "g.json", "--genesis-hash", "00" * 32, "--issuer", "m0")
    assert code == 2
    assert "another ledger" in err
    code, _, err = cli("init", "--genesis", "g.json", "--issuer", "m0")
    assert code == 2
    assert "--node" in err
    assert not (tmp_path / ".notarium").exists()
    code, _, err = cli("init", "--genesis", "g.json", "--genesis-hash", "4f2c", "--issuer", "m0")
    assert code == 2
    assert "malformed: 4 characters" in err


@pytest.mark.parametrize("between", [" ", ":", "-", ""])
def test_init_takes_the_hash_as_the_ceremony_prints_it(tmp_path, ledger, home, cli, monkeypatch, between):
    genesis = ledger.consortium.genesis
    (tmp_path / "g.json").write_bytes(genesis.encode_json())
    monkeypatch.chdir(tmp_path)
    digits = genesis.hash.hex().upper()
    spoken = between.join(digits[at : at + 4] for at in range(0, 64, 4)) + " "
    arguments = ("init", "--genesis", "g.json", "--genesis-hash", spoken, "--node", "http://127.0.0.1:1")
    (home / "keys" / "test.key").unlink()
    code, out, _ = cli(*arguments, "--issuer", "m0")
    assert code == 0
    for each in ("notarium-node enrol --member m0 --key", "in the node's folder", "--admin-key", "--genesis", "--url"):
        assert each in out


def test_the_command_to_enrol_works_once_the_administrators_key_is_put_away(tmp_path, ledger, home, cli, monkeypatch):
    (tmp_path / "g.json").write_bytes(ledger.consortium.genesis.encode_json())
    monkeypatch.chdir(tmp_path)
    (home / "keys" / "test.key").unlink()
    arguments = ("init", "--genesis", "g.json", "--issuer", "m0", "--node", "http://127.0.0.1:1")
    code, out, _ = cli(*arguments)
    assert code == 0
    [command] = [line.strip() for line in out.splitlines() if "notarium-node" in line]
    assert command.endswith("--admin-key FILE")
    assert "FILE is the administrator's key" in out
    said = json.loads(cli(*arguments, "--force", "--json")[1])
    assert said["enrol_command"] == command


def test_init_makes_a_missing_key_and_keeps_the_project(project, home, cli):
    config = project.root / ".notarium" / "config.toml"
    before = config.read_text()
    lost = (home / "keys" / "test.key").read_text()
    (home / "keys" / "test.key").unlink()
    arguments = ("init", "--genesis", ".notarium/genesis.json", "--issuer")
    code, _, err = cli(*arguments, "m1", "--node", "http://127.0.0.1:1")
    assert (code, "config.toml exists already" in err) == (2, True), "the settings name another institution"
    code, out, err = cli(*arguments, project.issuer)
    assert code == 0
    assert f"created key {home / 'keys' / 'test.key'}" in out
    assert f"kept {config} as it is" in err
    assert config.read_text() == before
    assert (home / "keys" / "test.key").read_text() != lost
    code, _, err = cli(*arguments, project.issuer, "--node", "http://127.0.0.1:1")
    assert (code, "config.toml exists already" in err) == (2, True), "nothing is missing"
    assert f"your public key is {find_project().key().public.hex()}" in err
