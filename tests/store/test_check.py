"""The check passes a sound store, and names the first block that does not hold what the chain makes."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import plyvel
import pytest
from tests.store.damaging import FOURTH_NODES, ONE_HEADER, TIP, check, edit, flipped, with_flipped_end
from tests.support.consortium import Consortium, digest

from notarium_ledger.types import Height
from notarium_store import Store, StoreCorruption, StoreError, keys
from notarium_store.check import CheckReport, check_chain
from notarium_store.layout import StoredHeader, StoredState


def test_a_sound_store_passes_and_progress_is_reported(copy: tuple[Path, Consortium]) -> None:
    path, consortium = copy
    reported: list[tuple[int, int]] = []
    report = check_chain(path, consortium.genesis, lambda done, total: reported.append((done, total)))
    with Store.open(path, consortium.genesis) as store:
        assert report == CheckReport(store.state.height, store.state.frontier.size, store.state.tip, Height(7), 7)
    assert reported == [(done, 7) for done in range(8)]


def test_an_empty_store_passes(store: Store, path: Path, consortium: Consortium) -> None:
    store.close()
    assert check(path, consortium) == CheckReport(Height(0), 0, consortium.genesis.hash, Height(0), 0)


@pytest.mark.parametrize("make", [False, True])
def test_no_store_to_check(tmp_path: Path, consortium: Consortium, make: bool) -> None:
    path = tmp_path / "nothing"
    if make:
        path.mkdir()
    with pytest.raises(StoreError, match="there is no store here"):
        check(path, consortium)
    assert not any(tmp_path.rglob("CURRENT")), "checking must not create a store"


def _move_id(db: plyvel.DB) -> None:
    key = next(key for key, value in db.iterator(prefix=keys.ID) if int.from_bytes(value[:8], "big") == 4)
    db.put(key, keys.u64(4) + keys.u64(1))


def _drop_id(db: plyvel.DB) -> None:
    key = next(key for key, value in db.iterator(prefix=keys.ID) if int.from_bytes(value[:8], "big") == 2)
    db.delete(key)


def _drop_digest(db: plyvel.DB) -> None:
    key = next(key for key in db.iterator(prefix=keys.DIGEST, include_value=False) if key.endswith(keys.u64(80)))
    db.delete(key)


def _certificate_below(db: plyvel.DB) -> None:
    stored = StoredHeader.decode(db.get(ONE_HEADER) or b"")
    tip = StoredHeader.decode(db.get(TIP) or b"")
    db.put(ONE_HEADER, replace(stored, certificate=tip.certificate).encode())


def _time_of_state(db: plyvel.DB) -> None:
    state = StoredState.decode(db.get(keys.STATE) or b"")
    db.put(keys.STATE, replace(state, time_ms=state.time_ms + 1).encode())


BELOW: dict[str, tuple[Callable[[plyvel.DB], None], int | None]] = {
    "a header": (with_flipped_end(ONE_HEADER), 3),
    "an entry": (with_flipped_end(keys.numbered(keys.ENTRIES, 66)), 2),
    "missing entries": (lambda db: db.delete(keys.numbered(keys.ENTRIES, 66)), 2),
    "the last entries of a block": (lambda db: db.delete(keys.numbered(keys.ENTRIES, 72)), 2),
    "a block end": (lambda db: db.delete(keys.numbered(keys.BLOCK_END, 73)), 3),
    "another block's certificate": (_certificate_below, 3),
    "the state": (_time_of_state, None),
    "a moved id": (_move_id, 4),
    "a missing id": (_drop_id, 2),
    "a missing digest": (_drop_digest, 4),
    "a tree node": (flipped(FOURTH_NODES), 4),
    "a missing tree node": (lambda db: db.delete(FOURTH_NODES), 4),
    "a stray id": (lambda db: db.put(keys.ID + digest("stray"), keys.u64(1) + keys.u64(0)), None),
    "a stray reference": (lambda db: db.put(keys.named(keys.REFERENCE, digest("stray"), 3), b""), None),
    "a stray digest": (lambda db: db.put(keys.named(keys.DIGEST, digest("stray"), 3), b""), None),
    "a stray handover": (lambda db: db.put(keys.numbered(keys.HANDOVER, 2), b""), None),
}


@pytest.mark.parametrize("name", BELOW)
def test_damage_below_the_tip_is_found_by_the_check_which_names_the_first_block(
    copy: tuple[Path, Consortium], name: str
) -> None:
    path, consortium = copy
    change, height = BELOW[name]
    edit(path, change)
    with pytest.raises(StoreCorruption) as caught:
        check(path, consortium)
    assert caught.value.height == height
    if height is not None:
        assert f"block {height}: " in str(caught.value)
