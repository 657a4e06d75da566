"""keygen, genesis and init, as an operator meets them: files, output, exit codes."""

import json
import tomllib

import pytest

from notarium_ledger.signing import SigningKey
from notarium_ledger.state.genesis import Genesis
from notarium_node import startup
from notarium_node.config.reading import load_config


def test_from_keys_to_a_node_that_may_start(ready, ceremony):
    root, _, hash_ = ceremony
    for name in ("admin", "validator", "transport"):
        assert (root / "n1" / "keys" / f"{name}.key").stat().st_mode & 0o777 == 0o600
    assert (root / "n1" / "keys").stat().st_mode & 0o777 == 0o700
    config = load_config(root / "n1" / "node.toml", {})
    assert startup.check(config) == ()
    assert startup.load_genesis(config).hash.hex() == hash_
    assert config.peer.host == "127.0.0.1"
    assert (root / "n1" / "store").is_dir()


def test_genesis_prints_members_and_the_hash_in_groups(ceremony, notarium_node):
    root, _, hash_ = ceremony
    key = SigningKey(b"r" * 32).public.hex()
    code, out, err = notarium_node(
        "genesis", *root.glob("n*/*.card.json"), "--name", "Two", "--out", root / "two.json",
        "--researcher", f"inst-2={key}", "--parameter", "max_block_entries=77",
    )  # fmt: skip
    assert code == 0, err
    made = Genesis.decode_json((root / "two.json").read_bytes())
    assert " ".join(made.hash.hex()[start : start + 4] for start in range(0, 32, 4)) in out
    assert "Institute 3" in out
    assert made.registry.parameters.max_block_entries == 77
    assert [(each.hex(), made.registry.owner(info)) for each, info in made.registry.researchers.items()] == [
        (key, made.registry.members["inst-2"])
    ]
    assert made.hash.hex() != hash_


def test_fewer_than_four_validators_are_warned_about_loudly(ceremony, notarium_node):
    root, _, _ = ceremony
    cards = sorted(root.glob("n*/*.card.json"))[:3]
    code, _, err = notarium_node("genesis", *cards, "--name", "Trial", "--out", root / "trial.json")
    assert code == 0
    assert "FOR TRIALS ONLY" in err


def test_nothing_is_overwritten(ready, ceremony, notarium_node):
    root, genesis, hash_ = ceremony
    before = (root / "n1" / "keys" / "validator.key").read_bytes()
    code, _, err = notarium_node(
        "keygen", "--dir", root / "n1", "--member", "inst-1", "--name", "X", "--address", "a:1"
    )
    assert (code, "not overwritten" in err) == (2, True)
    assert (root / "n1" / "keys" / "validator.key").read_bytes() == before
    code, _, err = notarium_node("init", "--dir", root / "n1", "--genesis", genesis, "--genesis-hash", hash_)
    assert (code, "initialised" in err) == (2, True)
    cards = sorted(root.glob("n*/*.card.json"))
    code, _, err = notarium_node("genesis", *cards, "--name", "Other", "--out", genesis)
    assert (code, "a different genesis file" in err) == (2, True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"--address": "nohost"}, "HOST:PORT"),
        ({"--role": "king"}, "role"),
        ({"--member": "NO SPACES"}, "member.id"),
        ({"--name": ""}, "member.name"),
        ({"--address": "münchen.example:7000"}, "xn--"),
        ({"--api": "ftp://x"}, "is not http(s)://HOST"),
        ({"--admin-key": "/nonexistent.key"}, "does not exist"),
    ],
)
def test_keygen_refuses_bad_names_and_writes_nothing(tmp_path, notarium_node, changes, message):
    options = {"--member": "a", "--name": "A", "--address": "a:1"} | changes
    code, out, err = notarium_node(
        "keygen", "--dir", tmp_path / "x", *(part for pair in options.items() for part in pair)
    )
    assert code == 2
    assert message in err
    assert "Traceback" not in out + err
    assert not (tmp_path / "x").exists()


def test_a_second_node_shares_the_governance_key(tmp_path, ceremony, notarium_node):
    root, _, _ = ceremony
    code, out, err = notarium_node(
        "keygen", "--dir", root / "watch", "--member", "inst-1", "--name", "Institute 1", "--role", "observer",
        "--address", "127.0.0.1:1", "--admin-key", root / "n1" / "keys" / "admin.key", "--json",
    )  # fmt: skip
    assert code == 0, err
    assert "admin.key" not in err
    assert not (root / "watch" / "keys" / "admin.key").exists()
    cards = [*root.glob("n*/*.card.json"), json.loads(out)["card"]]
    code, out, _ = notarium_node("genesis", *cards, "--name", "Five", "--out", root / "five.json", "--json")
    assert (code, json.loads(out)["validators"]) == (0, 4)


def test_a_wrong_hash_a_foreign_key_and_a_changed_card_are_refused(ceremony, notarium_node):
    root, genesis, hash_ = ceremony
    code, out, err = notarium_node(
        "init", "--dir", root / "n1", "--genesis", genesis, "--genesis-hash", "ab" * 32, "--json"
    )
    assert code == 2
    assert hash_ in json.loads(out)["error"]
    assert "ab" * 32 in err
    notarium_node("keygen", "--dir", root / "s", "--member", "stranger", "--name", "S", "--address", "a:1")
    code, _, err = notarium_node("init", "--dir", root / "s", "--genesis", genesis, "--genesis-hash", hash_)
    assert (code, "belongs to no node" in err) == (2, True)
    assert not (root / "s" / "node.toml").exists()
    card = root / "s" / "stranger.card.json"
    card.write_text(card.read_text().replace('"a:1"', '"b:1"'))
    code, _, err = notarium_node("genesis", card, "--name", "X", "--out", root / "x.json")
    assert (code, "stranger.card.json: its signature" in err) == (2, True)


def test_the_hash_may_be_given_as_read_by_phone(ceremony, notarium_node):
    root, genesis, hash_ = ceremony
    spoken = " ".join(hash_[start : start + 4] for start in range(0, 64, 4)).upper()
    code, _, err = notarium_node(
        "init", "--dir", root / "n2", "--genesis", genesis, "--genesis-hash", spoken,
        "--listen", "0.0.0.0:7000", "--api-listen", "[::1]:8000",
    )  # fmt: skip
    assert code == 0, err
    written = tomllib.loads((root / "n2" / "node.toml").read_text())
    assert written["peer"] == {"host": "0.0.0.0", "port": 7000}
    assert written["api"] == {"host": "::1", "port": 8000}


def test_one_port_for_peers_and_api_is_refused_before_anything_is_written(ceremony, notarium_node):
    root, genesis, hash_ = ceremony
    code, _, err = notarium_node(
        "init", "--dir", root / "n1", "--genesis", genesis, "--genesis-hash", hash_,
        "--listen", "0.0.0.0:7000", "--api-listen", "127.0.0.1:7000",
    )  # fmt: skip
    assert code == 2
    assert "peer.port and api.port are both 7000" in err
    assert "--listen and --api-listen" in err
    assert not (root / "n1" / "node.toml").exists()
