"""The simulator is itself tested: each known mistake, planted into the product, is found within its number of seeds."""

from __future__ import annotations

import pytest
from tests.simulation.planted_all import PLANTED
from tests.simulation.run_planted import hunt

pytestmark = [
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]


@pytest.mark.parametrize("number", range(len(PLANTED)), ids=[planted.name for planted in PLANTED])
def test_a_planted_mistake_is_found(number):
    caught = hunt(number)
    assert caught.as_expected, f"{PLANTED[number].name}: {caught.message}"
