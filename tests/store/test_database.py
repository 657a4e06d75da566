"""One process at a time, and damage in any file of LevelDB is found or harmless."""

import random
import shutil
import subprocess
import sys
from pathlib import Path

import plyvel
import pytest
from tests.store.damaging import check, edit
from tests.support.consortium import Consortium

from notarium_ledger.types import Hash, Height
from notarium_store import Store, StoreCorruption, StoreError, StoreLocked
from notarium_store.database import Database


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


@pytest.mark.parametrize("suffix", ["*.ldb", "*.log", "MANIFEST-*", "CURRENT"])
def test_a_flipped_byte_of_any_file_is_found_or_harmless(
    sound: tuple[Path, Consortium], tmp_path: Path, suffix: str
) -> None:
    """Opening or the check finds damage on the disk; otherwise the store is exactly one of its earlier states.

    One kind of damage looks like a crash during a write: a flip in the length of one of the last records makes the log
    seem cut short. These records are then lost as if never written, and the store is sound at an earlier height.
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
    """LevelDB alone would silently drop it, and the decision in it."""
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


def test_damage_that_a_write_finds_stays_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database(tmp_path / "store", cache_bytes=1 << 20, write_buffer_bytes=64 << 10, min_free_bytes=0)
    database.close()
    monkeypatch.setattr(database, "_db", _MergesDamage())
    with pytest.raises(StoreError, match=r"cannot be written: .*checksum"):
        database.write([(b"key", b"value")])
    database.reopen()
    database.write([(b"key", b"value")])
    assert "writing: Corruption: block checksum mismatch; restore a backup" in database.damage
    database.close()
