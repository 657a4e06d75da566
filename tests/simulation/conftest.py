"""The recorded run, made once, and played again for each test."""

from __future__ import annotations

import pytest
from tests.simulation.oracle_recording import Recording
from tests.simulation.oracle_replay import Replay


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    return Recording(tmp_path_factory.mktemp("recording"))


@pytest.fixture
def replay(recording: Recording) -> Replay:
    return Replay(recording)
