"""Start-up checks: each problem is found, all of them at once, and nothing is changed."""

import errno
import os
import socket
from pathlib import Path

import pytest

from notarium.key_files import Purpose, create_key
from notarium_ledger.state.genesis import Genesis
from notarium_node import startup
from notarium_node.config.reading import load_config
from notarium_node.startup import Check, Severity, StartupError


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def test_only_who_listens_owns_a_port():
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as connection,
    ):
        assert list(startup._listeners(listener.getsockname()[1])) != []
        assert list(startup._listeners(connection.getsockname()[1])) == []


def test_an_address_of_another_machine_is_refused():
    [found] = startup.check_port("peer", "192.0.2.1", free_port())
    assert found.check is Check.PORT
    assert "not an address of this machine" in found.message


def test_a_port_that_is_taken_on_one_of_all_addresses_is_found():
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as other:
        port = other.getsockname()[1]
        [found] = startup.check_port("peer", "", port)
        assert f"peer.port {port} is taken by pid {os.getpid()} (" in found.message
        assert "NOTARIUM_NODE_PEER__PORT" in found.remedy


def test_all_addresses_are_those_that_the_machine_has(monkeypatch):
    create = socket.create_server

    def without_ipv6(address, **options):
        if ":" in address[0]:
            raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")
        return create(address, **options)

    monkeypatch.setattr(socket, "create_server", without_ipv6)
    assert list(startup.check_port("peer", "", free_port())) == []
    [found] = startup.check_port("peer", "::1", free_port())
    assert "not an address of this machine" in found.message


def test_a_clock_long_before_the_ledger_stops_the_start(ceremony):
    genesis = Genesis.decode_json(ceremony[1].read_bytes())
    assert list(startup.check_clock(genesis)) == []
    [found] = startup.check_clock(genesis, now_ms=0)
    assert found.check is Check.CLOCK
    assert "NTP" in found.remedy


def test_a_node_with_a_store_may_have_other_keys_than_in_genesis(ready, ceremony):
    """Its record may have changed since; the registry in the store decides then, and the file modes still count."""
    root = ceremony[0]
    config = load_config(root / "n1" / "node.toml", {})
    (root / "n1" / "store" / "CURRENT").touch()
    (root / "n2" / "keys" / "transport.key").replace(root / "n1" / "keys" / "transport.key")
    assert list(startup.check_keys(config, startup.load_genesis(config))) == []
    (root / "n1" / "keys" / "transport.key").chmod(0o644)
    [found] = startup.check_keys(config, startup.load_genesis(config))
    assert found.check is Check.KEYS


def test_all_problems_are_found_at_once(ready, ceremony):
    root = ceremony[0]
    key, genesis = root / "n1" / "keys" / "transport.key", root / "n1" / "genesis.json"
    key.chmod(0o644)
    genesis.write_text(genesis.read_text().replace("Demo", "Dema"))
    (root / "n1" / "api.pem").write_text("not a certificate")
    taken = socket.create_server(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    environment = {
        "NOTARIUM_NODE_API__TLS_CERTIFICATE": "api.pem",
        "NOTARIUM_NODE_API__TLS_KEY": "api.pem",
        "NOTARIUM_NODE_API__PORT": str(port),
        "NOTARIUM_NODE_PEER__HOST": "192.0.2.1",
        "NOTARIUM_NODE_STORE__MIN_FREE_BYTES": str(2**62),
    }
    with taken:
        found = startup.check(load_config(root / "n1" / "node.toml", environment))
    assert [each.check for each in found] == [
        Check.DISK_SPACE,
        Check.GENESIS,
        Check.KEYS,
        Check.API_TLS,
        Check.PORT,
        Check.PORT,
    ]
    assert [each.severity for each in found] == [Severity.WARNING, *[Severity.ERROR] * 5]
    for each, named in zip(
        found, ["min_free_bytes", "genesis_hash", str(key), "api.pem", "peer.host", f"api.port {port}"], strict=True
    ):
        assert named in each.message
        assert each.remedy or "run 'chmod" in each.message


def test_a_missing_data_directory_is_one_finding_and_hides_no_other(ready, ceremony):
    environment = {"NOTARIUM_NODE_NODE__DATA_DIR": "/nonexistent/data", "NOTARIUM_NODE_PEER__HOST": "192.0.2.1"}
    found = startup.check(load_config(ceremony[0] / "n1" / "node.toml", environment))
    assert [each.check for each in found] == [Check.DATA_DIRECTORY, Check.PORT]


def test_a_missing_genesis_and_missing_keys_are_all_found(ready, ceremony):
    root = ceremony[0]
    for path in ("genesis.json", "keys/validator.key", "keys/transport.key"):
        (root / "n1" / path).unlink()
    found = startup.check(load_config(root / "n1" / "node.toml", {}))
    assert [each.check for each in found] == [Check.GENESIS, Check.KEYS, Check.KEYS]


def test_a_damaged_card_of_a_node_that_is_not_in_the_genesis_is_named(ready, ceremony):
    root = ceremony[0]
    config = load_config(root / "n1" / "node.toml", {})
    genesis = startup.load_genesis(config)
    (root / "n1" / "inst-1.card.json").write_text("{")
    assert list(startup.check_keys(config, genesis)) == []  # Its record is in the genesis, so no card is read.
    key = root / "n1" / "keys" / "validator.key"
    key.unlink()
    create_key(key, Purpose.VALIDATOR)
    [found] = startup.check_keys(config, genesis)
    assert found.check is Check.IDENTITY
    assert "inst-1.card.json: not a card" in found.message


@pytest.fixture
def closed(monkeypatch):
    """Folders that this user may not enter, also where the tests run as root: `closed(folder)`."""
    folders: list[Path] = []
    access, stat, listdir = os.access, os.stat, os.listdir

    def refuse(path, itself):
        for folder in folders:
            if folder in Path(path).parents or (itself and Path(path) == folder):
                raise PermissionError(13, "Permission denied", str(path))

    def checked(real, itself):
        def call(path, *args, **kwargs):
            refuse(path, itself)
            return real(path, *args, **kwargs)

        return call

    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) not in folders and access(path, mode))
    monkeypatch.setattr(os, "stat", checked(stat, itself=False))
    monkeypatch.setattr(os, "listdir", checked(listdir, itself=True))
    return folders.append


@pytest.mark.parametrize("name", [".", "store"])
def test_a_folder_of_another_user_is_one_finding_and_no_crash(ready, ceremony, closed, name):
    folder = ceremony[0] / "n1"
    config = load_config(folder / "node.toml", {})
    closed((folder / name).absolute())
    [found] = startup.check(config)
    assert found.check is Check.DATA_DIRECTORY
    assert f"{(folder / name).absolute()} is not writable" in found.message


def test_a_vote_from_of_an_earlier_loss_is_found_on_a_blank_store_only(ready, ceremony):
    node = ceremony[0] / "n1"

    def found(value, noted):
        (node / "VOTE-FROM").write_text(noted) if noted else (node / "VOTE-FROM").unlink(missing_ok=True)
        config = load_config(node / "node.toml", {"NOTARIUM_NODE_CONSENSUS__VOTE_FROM": str(value)} if value else {})
        return [each for each in startup.check(config) if each.check is Check.VOTE_FROM]

    assert [found(None, "7"), found(7, None), found(8, "7")] == [[], [], []]
    for value in (6, 7):
        [stale] = found(value, "7")
        assert stale.severity is Severity.WARNING
        assert f"consensus.vote_from = {value} is ignored" in stale.message
        assert "remove the setting" in stale.remedy
        assert str(node / "VOTE-FROM") in stale.remedy
    [damaged] = found(7, "seven")
    assert damaged.severity is Severity.ERROR
    (node / "store" / "CURRENT").touch()
    assert found(7, "7") == [], "a restart"


def test_the_vote_from_of_the_last_start_is_noted(tmp_path):
    note = tmp_path / "VOTE-FROM"
    assert startup.noted_vote_from(note) is None
    for value in (30, 30, 4):
        startup.note_vote_from(note, value)
        assert startup.noted_vote_from(note) == value
    assert [each.name for each in tmp_path.iterdir()] == ["VOTE-FROM"]
    with pytest.raises(StartupError, match="must be noted"):
        startup.note_vote_from(tmp_path / "missing" / "VOTE-FROM", 4)
