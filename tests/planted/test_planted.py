"""Each planted mistake is found by the test that it names, and for the reason that it names."""

from __future__ import annotations

import pytest
from tests.planted.mistakes import MISTAKES
from tests.planted.run import hunt


@pytest.mark.parametrize("mistake", MISTAKES, ids=[each.name for each in MISTAKES])
def test_a_planted_mistake_is_found(mistake):
    assert hunt(mistake) == ""
