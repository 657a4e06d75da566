"""One small network of real processes for all tests of the HTTP API."""

import os

import pytest
from tests.node.http_api import Api, World

from notarium_ledger.signing import SigningKey
from notarium_node.keys import Purpose, load_key
from notarium_node.localnet import Institution, LocalNetwork


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    researcher, to_be_revoked = SigningKey(os.urandom(32)), SigningKey(os.urandom(32))
    network = LocalNetwork.create(
        tmp_path_factory.mktemp("api") / "network",
        [Institution("m0", "Member 0")],
        observers=["m0"],
        researchers=[("m0", researcher.public), ("m0", to_be_revoked.public)],
    )
    admin = load_key(network.directory / "m0" / "keys" / "admin.key", Purpose.ADMIN)
    validator, observer = network.nodes
    try:
        network.start()
        network.wait_ready()
        yield World(network, researcher, to_be_revoked, admin, Api(validator.api_port), Api(observer.api_port))
    finally:
        network.stop()
