"""The operator's commands, as an operator meets them: files, output, exit codes."""

import contextlib
import json
import logging
import os
import socket
import tomllib

import pytest
import structlog
from aiohttp import web

from notarium_ledger.signing import SigningKey
from notarium_ledger.state.genesis import Genesis
from notarium_node import startup
from notarium_node.config import ConfigError, load_config
from notarium_node.demo.local_network import free_ports
from notarium_node.identity.keys import KeyFileError
from notarium_node.operator import cli
from notarium_node.operator import node_api as asking


@pytest.fixture(autouse=True)
def _own_logging():
    """`run` sets up the process's logging; put it back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def notarium_node(capsys):
    """Run a command in this process: (exit code, stdout, stderr)."""

    def run(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            cli.main([str(each) for each in arguments])
        captured = capsys.readouterr()
        return caught.value.code or 0, captured.out, captured.err

    return run


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.fixture
def ceremony(tmp_path, notarium_node):
    """Keys and cards of four members and the genesis; returns (directory of node n, genesis path, hash)."""
    ports = free_ports(8)  # At once, so that none comes twice.
    for number in range(1, 5):
        code, _, err = notarium_node(
            "keygen", "--dir", tmp_path / f"n{number}", "--member", f"inst-{number}", "--name", f"Institute {number}",
            "--address", f"127.0.0.1:{ports.pop()}", "--api", f"http://127.0.0.1:{ports.pop()}",
        )  # fmt: skip
        assert code == 0, err
    path = tmp_path / "genesis.json"
    cards = sorted(tmp_path.glob("n*/*.card.json"))
    code, out, err = notarium_node("genesis", *cards, "--name", "Demo", "--out", path, "--json")
    assert code == 0, err
    return tmp_path, path, json.loads(out)["hash"]


@pytest.fixture
def ready(ceremony, notarium_node):
    """The configuration file of an initialised node."""
    root, genesis, hash_ = ceremony
    code, out, err = notarium_node(
        "init", "--dir", root / "n1", "--genesis", genesis, "--genesis-hash", hash_, "--json"
    )
    assert code == 0, err
    return json.loads(out)["config"]


def test_from_keys_to_a_node_that_may_start(ready, ceremony):
    root, _, hash_ = ceremony
    for name in ("admin", "validator", "transport"):
        assert (root / "n1" / "keys" / f"{name}.key").stat().st_mode & 0o777 == 0o600
    assert (root / "n1" / "keys").stat().st_mode & 0o777 == 0o700
    config = load_config(root / "n1" / "node.toml", {})
    assert startup.check(config).hash.hex() == hash_
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
    assert [(each.hex(), info.member) for each, info in made.registry.researchers.items()] == [(key, "inst-2")]
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
    assert (code, "another genesis file" in err) == (2, True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"--address": "nohost"}, "HOST:PORT"),
        ({"--role": "king"}, "role"),
        ({"--member": "NO SPACES"}, "member.id"),
        ({"--name": ""}, "member.name"),
        ({"--api": "ftp://x"}, "not a URL"),
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
    assert not (root / "watch" / "keys" / "admin.key").exists()
    cards = [*root.glob("n*/*.card.json"), json.loads(out)["card"]]
    code, out, _ = notarium_node("genesis", *cards, "--name", "Five", "--out", root / "five.json", "--json")
    assert (code, json.loads(out)["validators"]) == (0, 4)


def test_a_wrong_hash_a_foreign_key_and_a_changed_card_are_told(ceremony, notarium_node):
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


# Start-up


def test_a_taken_port_is_named_with_its_owner(ready, notarium_node, ceremony):
    config = load_config(ceremony[0] / "n1" / "node.toml", {})
    with socket.create_server(("127.0.0.1", config.api.port)):
        code, _, err = notarium_node("run", "--config", ready)
    assert code == 2
    assert f"api.port {config.api.port} is taken by pid {os.getpid()} (" in err


def test_only_who_listens_owns_a_port():
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as connection,
    ):
        assert list(startup._listeners(listener.getsockname()[1])) != []
        assert list(startup._listeners(connection.getsockname()[1])) == []


def test_an_address_of_another_machine_is_refused():
    with pytest.raises(startup.StartupError, match="no address of this machine"):
        startup.check_port("peer", "192.0.2.1", free_port())


def test_a_changed_genesis_file_stops_the_start(ready, ceremony, notarium_node):
    path = ceremony[0] / "n1" / "genesis.json"
    path.write_text(path.read_text().replace("Demo", "Dema"))
    code, _, err = notarium_node("run", "--config", ready)
    assert (code, "wrong genesis" in err, ceremony[2] in err) == (2, True, True)


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


def test_a_clock_long_before_the_ledger_stops_the_start(ceremony):
    genesis = Genesis.decode_json(ceremony[1].read_bytes())
    startup.check_clock(genesis)
    with pytest.raises(startup.StartupError, match="NTP"):
        startup.check_clock(genesis, now_ms=0)


def test_a_node_with_a_store_may_have_other_keys_than_in_genesis(ready, ceremony):
    """Its record may have changed since; the registry in the store decides then, and the file modes still count."""
    root = ceremony[0]
    config = load_config(root / "n1" / "node.toml", {})
    (root / "n1" / "store" / "CURRENT").touch()
    (root / "n2" / "keys" / "transport.key").replace(root / "n1" / "keys" / "transport.key")
    startup.check_keys(config, startup.load_genesis(config))
    (root / "n1" / "keys" / "transport.key").chmod(0o644)
    with pytest.raises(KeyFileError):
        startup.check_keys(config, startup.load_genesis(config))


# status and check

STATUS = {
    "member": "inst-1", "height": 7, "ready": False, "reasons": ["no quorum", "late"],
    "mempool": {"entries": 3, "bytes": 900}, "peers": [{"member": "inst-2", "key": "ab" * 32, "lag": None}],
}  # fmt: skip


@contextlib.asynccontextmanager
async def answering(answer, status=200):
    async def handle(_request):
        return web.json_response(answer, status=status)

    application = web.Application()
    application.router.add_get("/v1/status", handle)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_status_is_fetched_and_shown(capsys):
    async with answering(STATUS) as url:
        assert await asking.get_status(url + "/") == STATUS
    for table in asking.tables(STATUS):
        cli._out.print(table)
    out = capsys.readouterr().out
    for part in ("inst-1", "no quorum", "3 entries, 900 bytes", "inst-2", "abababababab", "no"):
        assert part in out


@pytest.mark.parametrize(("answer", "code"), [([], 200), ({}, 500)])
async def test_an_answer_that_is_no_status_counts_as_unreachable(answer, code):
    async with answering(answer, code) as url:
        with pytest.raises(asking.Unreachable, match="is this a Notarium node's API"):
            await asking.get_status(url)


def test_an_unreachable_node_has_its_own_exit_code(ready, notarium_node):
    code, out, err = notarium_node("status", "--config", ready, "--json")
    assert (code, json.loads(out)["exit_code"]) == (5, 5)
    assert "is the node running?" in err
    code, _, err = notarium_node("status", "--url", "not a url")
    assert code == 5
    code, _, err = notarium_node("status")
    assert (code, "--config or --url" in err) == (2, True)


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
async def test_a_certificate_that_does_not_load_is_named(content, tmp_path):
    path = tmp_path / "api.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"api\.tls_certificate .*api\.pem does not load"):
        await asking.get_status("https://127.0.0.1:1", path)


def test_check_verifies_the_store_and_says_so(ready, ceremony, notarium_node):
    from notarium_store.store import Store

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
    from notarium_store.store import Store

    root, path, _ = ceremony
    store = root / "n1" / "store"
    with Store.open(store, Genesis.decode_json(path.read_bytes())):
        pass
    (store / "CURRENT").write_text("damaged\n")
    code, _, err = notarium_node("check", "--config", ready)
    assert code == 1, err
    assert "restore" in err


def test_usage_errors_and_help(notarium_node):
    assert notarium_node("frobnicate")[0] == 2
    assert notarium_node("keygen")[0] == 2
    code, out, _ = notarium_node("--help")
    assert code == 0
    for command in ("keygen", "genesis", "init", "run", "status", "check"):
        assert command in out
