"""One small network of real processes for all tests of the HTTP API."""

import pytest
from tests.node.http_api import running_world


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    with running_world(tmp_path_factory.mktemp("api") / "network") as running:
        yield running
