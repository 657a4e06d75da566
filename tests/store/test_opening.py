"""Opening refuses another ledger, a later format, and a tip that is damaged in any way."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import plyvel
import pytest
from tests.store.damaging import ONE_HEADER, TIP, TIP_NODES, check, edit, flipped
from tests.support.consortium import Consortium, digest

from notarium_ledger.encoding import canonical
from notarium_ledger.types import Hash, Height
from notarium_store import ForeignStore, OtherFormat, Store, StoreCorruption, StoreError, keys
from notarium_store.layout import StoredHeader, StoredState


def test_a_store_of_another_ledger_is_refused(copy: tuple[Path, Consortium]) -> None:
    path, consortium = copy
    other = Consortium(4, name="other")
    for attempt in (lambda: Store.open(path, other.genesis), lambda: check(path, other)):
        with pytest.raises(ForeignStore) as caught:
            attempt()
        assert consortium.genesis.hash.hex() in str(caught.value)
        assert "genesis file" in str(caught.value)
    Store.open(path, consortium.genesis).close()


@pytest.mark.parametrize("version", [3, 5, 9])
def test_an_older_or_newer_format_is_refused_with_the_remedy(copy: tuple[Path, Consortium], version: int) -> None:
    """Rows of the search index have changed after 4, and 5 had no index of references, so it would be misread."""
    path, consortium = copy
    edit(path, lambda db: db.put(keys.META, canonical.encode([version, bytes(consortium.genesis.hash)])))
    for attempt in (lambda: Store.open(path, consortium.genesis), lambda: check(path, consortium)):
        with pytest.raises(OtherFormat, match=f"format version {version}, this software reads 7 and 8; start the"):
            attempt()


def test_opening_fails_where_the_directory_is_a_file(tmp_path: Path, consortium: Consortium) -> None:
    (tmp_path / "file").write_text("not a directory")
    with pytest.raises((StoreError, FileExistsError)):
        Store.open(tmp_path / "file", consortium.genesis)


def _other_certificate(db: plyvel.DB) -> None:
    tip, other = StoredHeader.decode(db.get(TIP) or b""), StoredHeader.decode(db.get(ONE_HEADER) or b"")
    db.put(TIP, StoredHeader(tip.header, other.certificate, tip.before).encode())


def _state_one_back(db: plyvel.DB) -> None:
    state, tip = StoredState.decode(db.get(keys.STATE) or b""), StoredHeader.decode(db.get(TIP) or b"")
    back = StoredState(Height(6), tip.header.parent, state.time_ms, tip.before)
    db.put(keys.STATE, back.encode())


def _another_tip(db: plyvel.DB) -> None:
    state = StoredState.decode(db.get(keys.STATE) or b"")
    db.put(keys.STATE, replace(state, tip=Hash(digest("another tip"))).encode())


def _another_frontier(db: plyvel.DB) -> None:
    state = StoredState.decode(db.get(keys.STATE) or b"")
    db.put(keys.STATE, replace(state, frontier=StoredHeader.decode(db.get(TIP) or b"").before).encode())


AT_OPEN: dict[str, tuple[Callable[[plyvel.DB], None], str]] = {
    "no format": (lambda db: db.delete(keys.META), "format key 6d is missing"),
    "garbage format": (lambda db: db.put(keys.META, b"\xff"), "format key 6d"),
    "no state": (lambda db: db.delete(keys.STATE), "state key 73 is missing, but blocks are stored"),
    "garbage state": (lambda db: db.put(keys.STATE, b"\x93\x01\x02\x03"), "state key 73 cannot be read"),
    "short state": (lambda db: db.put(keys.STATE, b""), "state key 73 cannot be read"),
    "garbage owner": (lambda db: db.put(keys.OWNER, b"short"), "owner key 6f has 5 bytes, not 32"),
    "no tip": (lambda db: db.delete(TIP), "block 7: the header is missing"),
    "garbage tip": (lambda db: db.put(TIP, b"\x90"), "block 7: the header cannot be read"),
    "another block as tip": (lambda db: db.put(TIP, db.get(ONE_HEADER) or b""), "block 7: .* not the state's tip"),
    "another certificate": (_other_certificate, "block 7: the certificate is not valid"),
    "another tip": (_another_tip, "block 7: the stored header is not the state's tip"),
    "another frontier": (_another_frontier, "block 7: the state's frontier does not fold to the tree root"),
    "time of another block": (_state_one_back, "block 6: the stored header is not the state's tip"),
    "no handover": (lambda db: db.delete(keys.numbered(keys.HANDOVER, 5)), "block 7: the stored handovers do not lead"),
    "garbage handover": (lambda db: db.put(keys.numbered(keys.HANDOVER, 5), b"\x90"), "handover key .* cannot be read"),
    "a missing tree node": (lambda db: db.delete(TIP_NODES), "the tree node at position \\d+ is missing"),
    "a wrong tree node": (lambda db: flipped(TIP_NODES)(db), "block 7: the stored tree nodes do not"),
}


@pytest.mark.parametrize("name", AT_OPEN)
def test_damage_at_the_tip_is_found_at_open(copy: tuple[Path, Consortium], name: str) -> None:
    path, consortium = copy
    change, expected = AT_OPEN[name]
    edit(path, change)
    with pytest.raises(StoreCorruption, match=expected) as caught:
        Store.open(path, consortium.genesis)
    assert str(path) in str(caught.value)
    assert "restore a backup" in str(caught.value)
    # The failed open let go of the directory.
    edit(path, lambda db: None)
