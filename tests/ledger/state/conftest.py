"""A consortium of four validators, an observer and five researchers' keys, and its first registry."""

import pytest
from tests.support.consortium import Consortium

from notarium_ledger.state.registry import Registry


@pytest.fixture
def consortium() -> Consortium:
    return Consortium(4, observers=1, researchers=5)


@pytest.fixture
def registry(consortium: Consortium) -> Registry:
    return consortium.genesis.registry
