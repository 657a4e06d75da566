"""One small network of real processes for all tests of the HTTP API, and the operator's commands with their files."""

import json
import logging

import pytest
import structlog
from tests.node.http_api import running_world

from notarium_node.demo.local_network import free_ports
from notarium_node.operator.cli import app


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    with running_world(tmp_path_factory.mktemp("api") / "network") as running:
        yield running


@pytest.fixture
def own_logging():
    """`run` sets up the process's logging; this restores it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def notarium_node(capfd, own_logging):
    """Run a command in this process: (exit code, stdout, stderr)."""

    def run(*arguments):
        capfd.readouterr()
        with pytest.raises(SystemExit) as caught:
            app.main([str(each) for each in arguments])
        captured = capfd.readouterr()
        return caught.value.code or 0, captured.out, captured.err

    return run


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
