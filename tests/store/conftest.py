"""A consortium and an open store for the tests of this folder."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.chains import change_validator, grow
from tests.support.consortium import Consortium
from tests.support.histories import History, make_history

from notarium_ledger.types import Height
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


SIZES = (3, 70, 1, 20)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Consortium]:
    """A store of seven blocks, closed. Tests copy it."""
    consortium = Consortium(4)
    path = tmp_path_factory.mktemp("sound") / "store"
    with Store.open(path, consortium.genesis) as store:
        grow(store, consortium, SIZES)
        change_validator(store, consortium, 1, "another")
        grow(store, consortium, [9, 2])
        store.put_owner(consortium.validator_keys[0].public, Height(8), [(b"0/prepare", b"digest")])
    return path, consortium


@pytest.fixture
def copy(sound: tuple[Path, Consortium], tmp_path: Path) -> tuple[Path, Consortium]:
    path = tmp_path / "copy"
    shutil.copytree(sound[0], path)
    return path, sound[1]
