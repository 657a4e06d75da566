"""A consortium and an open store for the tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.consortium import Consortium
from tests.support.histories import History, make_history

from notarium_store import Store


@pytest.fixture
def consortium() -> Consortium:
    return Consortium(4)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def store(path: Path, consortium: Consortium) -> Iterator[Store]:
    with Store.open(path, consortium.genesis) as opened:
        yield opened


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    return make_history(tmp_path_factory.mktemp("history") / "store")
