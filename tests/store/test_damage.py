"""Another ledger, another process, and every kind of damage: told by name, never served."""

import contextlib
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import plyvel
import pytest
from tests.support.chains import change_validator, grow
from tests.support.consortium import Consortium, digest

from notarium_ledger.encoding import canonical
from notarium_ledger.log.hashes import leaf_hash
from notarium_ledger.trust.receipt import ReceiptVerifier
from notarium_ledger.types import Hash, Height
from notarium_store import ForeignStore, Store, StoreCorruption, StoreError, StoreLocked, keys
from notarium_store.check import CheckReport, check_chain
from notarium_store.database import Database
from notarium_store.layout import StoredHeader, StoredState

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
        store.put_record(Height(8), b"0/prepare", b"digest")
    return path, consortium


@pytest.fixture
def copy(sound: tuple[Path, Consortium], tmp_path: Path) -> tuple[Path, Consortium]:
    path = tmp_path / "copy"
    shutil.copytree(sound[0], path)
    return path, sound[1]


def check(path: Path, consortium: Consortium) -> CheckReport:
    return check_chain(path, consortium.genesis, lambda done, total: None)


def edit(path: Path, change: Callable[[plyvel.DB], None]) -> None:
    """Change a closed store behind its back: valid LevelDB, wrong content."""
    with contextlib.closing(plyvel.DB(str(path))) as database:
        change(database)


def test_a_sound_store_passes_and_progress_is_told(copy: tuple[Path, Consortium]) -> None:
    path, consortium = copy
    told: list[tuple[int, int]] = []
    report = check_chain(path, consortium.genesis, lambda done, total: told.append((done, total)))
    with Store.open(path, consortium.genesis) as store:
        assert report == CheckReport(store.state.height, store.state.frontier.size, store.state.tip, Height(7), 7)
    assert told == [(done, 7) for done in range(8)]


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


def test_a_store_of_another_ledger_is_refused(copy: tuple[Path, Consortium]) -> None:
    path, consortium = copy
    other = Consortium(4, name="other")
    for attempt in (lambda: Store.open(path, other.genesis), lambda: check(path, other)):
        with pytest.raises(ForeignStore) as caught:
            attempt()
        assert consortium.genesis.hash.hex() in str(caught.value)
        assert "genesis file" in str(caught.value)
    Store.open(path, consortium.genesis).close()


def test_a_newer_format_is_refused(copy: tuple[Path, Consortium]) -> None:
    path, consortium = copy
    edit(path, lambda db: db.put(keys.META, canonical.encode([3, bytes(consortium.genesis.hash)])))
    with pytest.raises(StoreCorruption, match="format version 3, this software reads up to 2"):
        Store.open(path, consortium.genesis)


def test_a_second_process_is_locked_out(copy: tuple[Path, Consortium], tmp_path: Path) -> None:
    path, consortium = copy
    genesis = tmp_path / "genesis.json"
    genesis.write_bytes(consortium.genesis.encode_json())
    program = (
        "import sys, pathlib\n"
        "from notarium_ledger.state.genesis import Genesis\n"
        "from notarium_store import Store, StoreLocked\n"
        "genesis = Genesis.decode_json(pathlib.Path(sys.argv[2]).read_bytes())\n"
        "try:\n    Store.open(pathlib.Path(sys.argv[1]), genesis)\n"
        "except StoreLocked as error:\n    print(error); sys.exit(7)\n"
    )
    command = [sys.executable, "-c", program, str(path), str(genesis)]
    with Store.open(path, consortium.genesis):
        locked = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert (locked.returncode, locked.stderr) == (7, "")
        assert "another process has it open" in locked.stdout
        with pytest.raises(StoreLocked):
            check(path, consortium)
    assert subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0


def test_opening_fails_where_the_directory_is_a_file(tmp_path: Path, consortium: Consortium) -> None:
    (tmp_path / "file").write_text("not a directory")
    with pytest.raises((StoreError, FileExistsError)):
        Store.open(tmp_path / "file", consortium.genesis)


TIP = keys.numbered(keys.HEADER, 7)
ONE_HEADER = keys.numbered(keys.HEADER, 3)
FOURTH_NODES = keys.numbered(keys.TREE, keys.nodes_before(94) - 1)
TIP_NODES = keys.numbered(keys.TREE, keys.nodes_before(108) - 1)


def _flip(key: bytes) -> Callable[[plyvel.DB], None]:
    def change(db: plyvel.DB) -> None:
        value = db.get(key)
        assert value
        db.put(key, bytes(byte ^ 1 for byte in value))

    return change


def _flip_last(key: bytes) -> Callable[[plyvel.DB], None]:
    def change(db: plyvel.DB) -> None:
        value = db.get(key)
        assert value
        db.put(key, value[:-1] + bytes((value[-1] ^ 1,)))

    return change


def _other_certificate(db: plyvel.DB) -> None:
    tip, other = StoredHeader.decode(db.get(TIP) or b""), StoredHeader.decode(db.get(ONE_HEADER) or b"")
    db.put(TIP, StoredHeader(tip.header, other.certificate, tip.before).encode())


def _state_one_back(db: plyvel.DB) -> None:
    state, tip = StoredState.decode(db.get(keys.STATE) or b""), StoredHeader.decode(db.get(TIP) or b"")
    back = StoredState(Height(6), tip.header.parent, state.time_ms, tip.before, state.registry_height)
    db.put(keys.STATE, back.encode())


def _another_tip(db: plyvel.DB) -> None:
    state = StoredState.decode(db.get(keys.STATE) or b"")
    db.put(keys.STATE, replace(state, tip=Hash(digest("another tip"))).encode())


def _another_registry(db: plyvel.DB) -> None:
    db.put(keys.numbered(keys.REGISTRY, 5), Consortium(2).genesis.registry.encode())


def _another_frontier(db: plyvel.DB) -> None:
    state = StoredState.decode(db.get(keys.STATE) or b"")
    db.put(keys.STATE, replace(state, frontier=StoredHeader.decode(db.get(TIP) or b"").before).encode())


AT_OPEN: dict[str, tuple[Callable[[plyvel.DB], None], str]] = {
    "no format": (lambda db: db.delete(keys.META), "format key 6d is missing"),
    "garbage format": (lambda db: db.put(keys.META, b"\xff"), "format key 6d"),
    "no state": (lambda db: db.delete(keys.STATE), "state key 73 is missing, but blocks are stored"),
    "garbage state": (lambda db: db.put(keys.STATE, b"\x93\x01\x02\x03"), "state key 73 cannot be read"),
    "short state": (lambda db: db.put(keys.STATE, b""), "state key 73 cannot be read"),
    "no tip": (lambda db: db.delete(TIP), "block 7: the header is missing"),
    "garbage tip": (lambda db: db.put(TIP, b"\x90"), "block 7: the header cannot be read"),
    "another block as tip": (lambda db: db.put(TIP, db.get(ONE_HEADER) or b""), "block 7: .* not the state's tip"),
    "another certificate": (_other_certificate, "block 7: the certificate is not valid"),
    "another tip": (_another_tip, "block 7: the stored header is not the state's tip"),
    "another registry": (_another_registry, "block 7: the stored registry does not hash to the state root"),
    "another frontier": (_another_frontier, "block 7: the state's frontier does not fold to the tree root"),
    "time of another block": (_state_one_back, "block 6: the stored header is not the state's tip"),
    "no registry": (lambda db: db.delete(keys.numbered(keys.REGISTRY, 5)), "registry key .* is missing"),
    "garbage registry": (lambda db: db.put(keys.numbered(keys.REGISTRY, 5), b"\x80"), "registry key .* cannot be read"),
    "no handover": (lambda db: db.delete(keys.numbered(keys.HANDOVER, 5)), "block 7: the stored handovers do not lead"),
    "garbage handover": (lambda db: db.put(keys.numbered(keys.HANDOVER, 5), b"\x90"), "handover key .* cannot be read"),
    "a missing tree node": (lambda db: db.delete(TIP_NODES), "the tree node at position \\d+ is missing"),
    "a wrong tree node": (lambda db: _flip(TIP_NODES)(db), "block 7: the stored tree nodes do not"),
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
    "a header": (_flip_last(ONE_HEADER), 3),
    "an entry": (_flip_last(keys.numbered(keys.ENTRIES, 66)), 2),
    "missing entries": (lambda db: db.delete(keys.numbered(keys.ENTRIES, 66)), 2),
    "the last entries of a block": (lambda db: db.delete(keys.numbered(keys.ENTRIES, 72)), 2),
    "a block end": (lambda db: db.delete(keys.numbered(keys.BLOCK_END, 73)), 3),
    "another block's certificate": (_certificate_below, 3),
    "the state": (_time_of_state, None),
    "a moved id": (_move_id, 4),
    "a missing id": (_drop_id, 2),
    "a missing digest": (_drop_digest, 4),
    "a tree node": (_flip(FOURTH_NODES), 4),
    "a missing tree node": (lambda db: db.delete(FOURTH_NODES), 4),
    "a stray id": (lambda db: db.put(keys.ID + digest("stray"), keys.u64(1) + keys.u64(0)), None),
    "a stray digest": (lambda db: db.put(keys.digest(digest("stray"), 3), b""), None),
    "a stray registry": (lambda db: db.put(keys.numbered(keys.REGISTRY, 2), b""), None),
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


def test_what_is_damaged_is_not_served(copy: tuple[Path, Consortium]) -> None:
    path, consortium = copy
    with Store.open(path, consortium.genesis) as store:
        ids = [leaf_hash(raw) for raw in store.entries(0, 73)]
    edit(path, _flip_last(keys.numbered(keys.ENTRIES, 66)))
    edit(path, _flip(keys.numbered(keys.TREE, 3)))
    edit(path, lambda db: db.delete(FOURTH_NODES))
    edit(path, lambda db: db.delete(keys.numbered(keys.ENTRIES, 72)))
    with Store.open(path, consortium.genesis) as store:
        with pytest.raises(StoreCorruption, match="block 2: entry 66 is not in its block's tree"):
            store.receipt(ids[66])
        with pytest.raises(StoreCorruption, match="block 1: entry 0 is not in its block's tree"):
            store.receipt(ids[0])
        with pytest.raises(StoreCorruption, match=r"entries key \w+ is missing"):
            store.receipt(ids[70])
        with pytest.raises(StoreCorruption, match="no stored group contains the entry at log index 70"):
            store.entry(70)
        with pytest.raises(StoreCorruption, match=r"the tree node at position \d+ is missing"):
            store.inclusion(90, 108)
        with pytest.raises(StoreCorruption, match="block 2: entries are missing before log index 73"):
            store.decision(Height(2))
        sound = store.receipt(ids[65])
        assert sound is not None
        ReceiptVerifier(consortium.genesis).verify(sound)


@pytest.mark.parametrize("read", ["receipt", "entry", "inclusion", "decision"])
def test_damage_that_a_read_meets_stays_told(copy: tuple[Path, Consortium], read: str) -> None:
    path, consortium = copy
    with Store.open(path, consortium.genesis) as store:
        last = leaf_hash(store.entry(70))
    for key in (FOURTH_NODES, keys.numbered(keys.ENTRIES, 72)):
        edit(path, lambda db, key=key: db.delete(key))  # type: ignore[misc]
    with Store.open(path, consortium.genesis) as store:
        store.decision(Height(1))
        assert store.damage == ""
        reads: dict[str, Callable[[], object]] = {
            "receipt": lambda: store.receipt(last),
            "entry": lambda: store.entry(70),
            "inclusion": lambda: store.inclusion(90, 108),
            "decision": lambda: store.decision(Height(2)),
        }
        with pytest.raises(StoreCorruption) as first:
            reads.pop(read)()
        for another in reads.values():
            with pytest.raises(StoreCorruption):
                another()
        store.recover()
        assert store.damage == str(first.value)
        assert store.damage.endswith(StoreCorruption.REMEDY)


@pytest.mark.parametrize("suffix", ["*.ldb", "*.log", "MANIFEST-*", "CURRENT"])
def test_a_flipped_byte_of_any_file_is_found_or_harmless(
    sound: tuple[Path, Consortium], tmp_path: Path, suffix: str
) -> None:
    """Damage on the disk is found at open or by the check, or else the store is exactly one of those that were.

    One thing cannot be told from a crash while writing: a log that seems cut short, for a flip in the length of one of
    its last records. Then these are gone as if they had never been, and the store is sound at an earlier height.
    """
    source, consortium = sound
    base = tmp_path / "base"
    shutil.copytree(source, base)
    if suffix == "*.ldb":
        edit(base, lambda db: db.compact_range())
    shutil.copytree(source, tmp_path / "read")
    tips = _tips(tmp_path / "read", consortium)
    found = 0
    files = sorted(base.glob(suffix))
    rng = random.Random(7)
    rounds = 40
    for number in range(rounds):
        path = tmp_path / f"copy{number}"
        shutil.copytree(base, path)
        target = path / rng.choice([file for file in files if file.stat().st_size]).name
        data = bytearray(target.read_bytes())
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        target.write_bytes(data)
        try:
            with Store.open(path, consortium.genesis) as store:
                assert store.state.tip in tips
            assert check(path, consortium).tip_hash in tips
        except StoreCorruption:
            found += 1
        shutil.rmtree(path)
    # Not all: a flip may fall into padding, into a log that a table made obsolete, or onto the last record.
    assert found >= rounds // 2


@pytest.mark.parametrize("at", [27, -1], ids=["first record", "last record"])
def test_a_damaged_record_of_the_log_is_not_skipped(copy: tuple[Path, Consortium], at: int) -> None:
    """LevelDB alone would drop it, and the decision in it, without a word."""
    path, consortium = copy
    (log,) = path.glob("*.log")
    data = bytearray(log.read_bytes())
    data[at] ^= 1
    log.write_bytes(data)
    with pytest.raises(StoreCorruption, match=r": LevelDB cannot open it: Corruption: checksum mismatch"):
        Store.open(path, consortium.genesis)


def _tips(path: Path, consortium: Consortium) -> set[Hash]:
    with Store.open(path, consortium.genesis) as store:
        headers = [store.decided_header(Height(height)) for height in range(1, store.state.height + 1)]
    return {consortium.genesis.hash} | {each.header.hash for each in headers if each is not None}


def test_tables_without_their_index_are_not_taken_for_an_empty_store(copy: tuple[Path, Consortium]) -> None:
    path, consortium = copy
    edit(path, lambda db: db.compact_range())
    (path / "CURRENT").unlink()
    with pytest.raises(StoreCorruption, match="CURRENT is missing"):
        Store.open(path, consortium.genesis)


def test_a_missing_table_is_corruption(copy: tuple[Path, Consortium]) -> None:
    path, consortium = copy
    edit(path, lambda db: db.compact_range())
    next(iter(path.glob("*.ldb"))).unlink()
    with pytest.raises(StoreCorruption):
        Store.open(path, consortium.genesis)


class _MergesDamage:
    """LevelDB that has met damage while it made new tables of old ones: from then on no batch is written."""

    def write_batch(self, sync: bool) -> "_MergesDamage":
        return self

    def put(self, key: bytes, value: bytes) -> None:
        pass

    def write(self) -> None:
        raise plyvel.CorruptionError(b"Corruption: block checksum mismatch")

    def close(self) -> None:
        pass


def test_damage_that_a_write_meets_stays_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database(tmp_path / "store", cache_bytes=1 << 20, write_buffer_bytes=64 << 10, min_free_bytes=0)
    database.close()
    monkeypatch.setattr(database, "_db", _MergesDamage())
    with pytest.raises(StoreError, match=r"cannot be written: .*checksum"):
        database.write([(b"key", b"value")])
    database.reopen()
    database.write([(b"key", b"value")])
    assert "writing: Corruption: block checksum mismatch; restore a backup" in database.damage
    database.close()
