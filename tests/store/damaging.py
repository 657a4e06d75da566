"""Changes what a closed store holds: valid LevelDB, wrong content."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import plyvel
from tests.support.consortium import Consortium

from notarium_store import keys
from notarium_store.check import CheckReport, check_chain


def check(path: Path, consortium: Consortium) -> CheckReport:
    return check_chain(path, consortium.genesis, lambda done, total: None)


def edit(path: Path, change: Callable[[plyvel.DB], object]) -> None:
    """Change a closed store behind its back: valid LevelDB, wrong content."""
    with contextlib.closing(plyvel.DB(str(path))) as database:
        change(database)


# Of the store that the fixture `sound` makes.
TIP = keys.numbered(keys.HEADER, 7)
ONE_HEADER = keys.numbered(keys.HEADER, 3)
FOURTH_NODES = keys.numbered(keys.TREE, keys.nodes_before(94) - 1)
TIP_NODES = keys.numbered(keys.TREE, keys.nodes_before(108) - 1)


def flipped(key: bytes) -> Callable[[plyvel.DB], None]:
    """A change that flips a bit in each byte of the value."""

    def change(db: plyvel.DB) -> None:
        value = db.get(key)
        assert value
        db.put(key, bytes(byte ^ 1 for byte in value))

    return change


def with_flipped_end(key: bytes) -> Callable[[plyvel.DB], None]:
    """A change that flips the last bit of the value."""

    def change(db: plyvel.DB) -> None:
        value = db.get(key)
        assert value
        db.put(key, value[:-1] + bytes((value[-1] ^ 1,)))

    return change
