"""`notarium-node enrol` and `revoke`, against a real node: a researcher may write, then no longer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from notarium.errors import Rejected
from notarium.ledger_access.blocking import BlockingClient
from notarium_ledger.signing import SigningKey
from notarium_node.demo.local_network import Institution, LocalNetwork
from notarium_node.operator.enrolment import EnrolmentError, _is_revoked


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalNetwork]:
    net = LocalNetwork.create(tmp_path_factory.mktemp("net"), [Institution("clinic", "A clinic")])
    net.start()
    try:
        net.wait_ready()
        yield net
    finally:
        net.stop()


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "notarium_node", *map(str, arguments), "--json"]
    return subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)


def commitment() -> dict[str, object]:
    return {
        "v": 1,
        "kind": "dataset",
        "issuer": "clinic",
        "project": "study",
        "disclosure": "consortium",
        "record": os.urandom(32),
    }


def test_a_researcher_is_enrolled_writes_is_revoked_and_writes_no_more(network: LocalNetwork) -> None:
    node = network.validators[0]
    admin_key = network.directory / "clinic" / "keys" / "admin.key"
    researcher = SigningKey(os.urandom(32))
    with BlockingClient(network.genesis, [node.api], researcher) as client:
        with pytest.raises(Rejected, match="not enrolled"):
            client.submit(commitment())
        where = ("--config", node.directory / "node.toml", "--admin-key", admin_key, "--key", researcher.public.hex())
        done = command("enrol", *where)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["status"] == "enrolled"
        assert client.submit(commitment()).height > json.loads(done.stdout)["height"]
        assert command("enrol", *where).returncode == 0, "the same word again is the same entry"
        assert command("revoke", *where).returncode == 0
        with pytest.raises(Rejected, match="revoked"):
            client.submit(commitment())
        for digits in (researcher.public.hex(), researcher.public.hex().upper()):
            again = command("enrol", *where[:-1], digits)
            assert again.returncode == 2
            assert "a revoked key cannot be enrolled again" in json.loads(again.stdout)["error"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--key", "zz"), "64 hex digits"),
        (("--key", "00" * 32), "64 hex digits"),
        (("--key", SigningKey(b"r" * 32).public.hex(), "--admin-key", "missing.key"), "missing.key"),
    ],
)
def test_what_cannot_be_enrolled_is_explained(network: LocalNetwork, arguments: tuple[str, ...], said: str) -> None:
    done = command("enrol", "--genesis", network.genesis_file, *arguments)
    assert done.returncode == 2
    assert said in json.loads(done.stdout)["error"]


@pytest.mark.parametrize("said", [{}, {"researchers": None}, {"researchers": [1]}, {"researchers": [{"key": "ab"}]}])
def test_a_node_that_does_not_list_the_researchers_is_named_not_believed(said: dict[str, Any]) -> None:
    client: Any = SimpleNamespace(members=lambda: said)
    with pytest.raises(EnrolmentError, match="does not list"):
        _is_revoked(client, "ab")
