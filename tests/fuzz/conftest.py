"""One validator with its observer, as real processes, for the fuzzing of the HTTP API."""

import os

import pytest
from tests.node.http_api import Api, World

from notarium_ledger.signing import SigningKey
from notarium_node.keys import Purpose, load_key
from notarium_node.localnet import Institution, LocalNetwork


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """With some entries on the ledger, so that there is something to read."""
    researcher = SigningKey(os.urandom(32))
    network = LocalNetwork.create(
        tmp_path_factory.mktemp("fuzz") / "network",
        [Institution("m0", "Member 0")],
        observers=["m0"],
        researchers=[("m0", researcher.public)],
    )
    admin = load_key(network.directory / "m0" / "keys" / "admin.key", Purpose.ADMIN)
    validator, observer = network.nodes
    try:
        network.start()
        network.wait_ready()
        yield World(network, researcher, researcher, admin, Api(validator.api_port), Api(observer.api_port))
    finally:
        network.stop()
