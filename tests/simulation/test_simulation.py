"""Some seeds of the simulator in every test run; `make simulate` runs more. None is ever excluded because it fails."""

from __future__ import annotations

import pytest
from tests.simulation.scenario import SMALL, run_seed

# Processes that die leave coroutines behind that nobody will ever await.
pytestmark = [
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]


@pytest.mark.parametrize("size", [4, 5, 6, 7, 10])
@pytest.mark.parametrize("seed", range(1, 6))
def test_members_agree_through_faults_and_lies_and_go_on_after_them(seed, size):
    run_seed(seed, size, SMALL)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_small_trials(size):
    run_seed(1, size, SMALL)


def test_a_seed_gives_the_same_run_again():
    first: list[str] = []
    second: list[str] = []
    for transcript in (first, second):
        run_seed(9, 4, SMALL, transcript=transcript)
    assert first == second
