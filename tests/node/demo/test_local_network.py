"""A consortium on this machine: its files before any node runs, and what it says where a node does not run."""

import json
import signal
import socket
import subprocess
import sys

import pytest

from notarium_ledger.signing import SigningKey
from notarium_node import startup
from notarium_node.config.reading import load_config
from notarium_node.demo.local_network import Institution, LocalNetwork, NetworkError, free_ports

RESEARCHER = SigningKey(b"r" * 32).public


@pytest.fixture
def network(tmp_path):
    return LocalNetwork.create(
        tmp_path / "net",
        [Institution(f"m{number}", f"Member {number}") for number in (2, 1)],
        observers=["m1"],
        researchers=[("m2", RESEARCHER)],
        name="Two",
        parameters={"max_block_entries": 9},
        extra_config='[log]\nlevel = "error"\n',
    )


def test_every_node_could_start_as_it_is(network):
    assert [(node.name, node.role) for node in network.nodes] == [
        ("m2", "validator"), ("m1", "validator"), ("m1-observer", "observer"),
    ]  # fmt: skip
    for node in network.nodes:
        config = load_config(node.directory / "node.toml", {})
        assert startup.check(config) == ()
        assert config.log.level == "error"
        assert (config.peer.port, config.api.port) == (node.peer_port, node.api_port)
        assert (node.directory / "store" / "FIRST-START").exists()


def test_the_genesis_has_all_that_was_asked_for(network):
    registry = network.genesis.registry
    assert network.genesis.name == "Two"
    assert sorted(registry.members) == ["m1", "m2"]
    assert {key.hex() for key in registry.nodes} == {node.key for node in network.nodes}
    assert len(registry.validators) == 2
    assert registry.parameters.max_block_entries == 9
    owner = registry.owner(registry.researchers[RESEARCHER])
    assert owner is not None
    assert owner.id == "m2"


def test_a_network_is_opened_as_it_was_created(network):
    opened = LocalNetwork.open(network.directory)
    assert opened.genesis.hash == network.genesis.hash
    assert opened.nodes == network.nodes


def test_a_network_may_listen_on_given_addresses(tmp_path):
    made = LocalNetwork.create(tmp_path, [Institution("m0", "M")], observers=["m0"], hosts=["127.0.0.2", "127.0.0.3"])
    assert [node.api.rpartition(":")[0] for node in made.nodes] == ["http://127.0.0.2", "http://127.0.0.3"]
    assert [json.loads((tmp_path / "network.json").read_text())[number][-1] for number in (0, 1)] == [
        "127.0.0.2", "127.0.0.3",
    ]  # fmt: skip


def test_a_node_that_does_not_run_is_named(network):
    node = network.nodes[0]
    assert not node.is_running()
    node.stop()  # Does nothing.
    with pytest.raises(NetworkError, match="m2 does not answer"):
        node.status()
    node.log.write_text("the last line\n")
    with pytest.raises(NetworkError, match=r"for m2 to be ready.*(?s:.*)the last line"):
        network.wait_ready([node])


def test_a_pid_that_belongs_to_another_process_is_left_alone(network):
    node = network.nodes[0]
    node.pid_file.write_text("1")
    assert not node.is_running()
    node.pid_file.write_text("no number")
    assert not node.is_running()


def test_a_node_that_was_started_by_hand_is_found_by_its_store_and_stopped(network):
    """The pid file, if there is one, has the pid of the last start by the demo, and not of this process."""
    node = LocalNetwork.open(network.directory).nodes[0]
    store = str(node.directory / "store")
    for noted in (None, "1"):
        if noted:
            node.pid_file.write_text(noted)
        holder = "import plyvel, sys; db = plyvel.DB(sys.argv[1], create_if_missing=True); print(flush=True); input()"
        with subprocess.Popen(
            [sys.executable, "-c", holder, store], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as started:
            assert started.stdout is not None
            started.stdout.readline()
            assert (node.is_running(), node.pid) == (True, started.pid)
            node.stop()
            assert started.wait(10) == -signal.SIGTERM
        assert not node.is_running()
        assert not node.pid_file.exists()


def test_free_ports_are_free_and_differ():
    ports = free_ports(20)
    assert len(set(ports)) == 20
    for port in ports[:3]:
        socket.create_server(("127.0.0.1", port)).close()
