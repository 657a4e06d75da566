"""One validator with its observer, as real processes, for the fuzzing of the HTTP API."""

import pytest
from tests.node.http_api import running_world


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    with running_world(tmp_path_factory.mktemp("fuzz") / "network") as running:
        yield running
