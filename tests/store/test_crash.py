"""A process killed at any moment loses nothing that it had acknowledged."""

import contextlib
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterable
from pathlib import Path

import plyvel
import pytest
from tests.store.joining import joined, pairs
from tests.support.consortium import Consortium, key
from tests.support.histories import History

from notarium_store import Store
from notarium_store.check import check_chain
from notarium_store.database import Database, Item

ROOT = Path(__file__).parents[2]

WRITER = textwrap.dedent(
    """
    import os, sys
    from pathlib import Path
    from notarium_store import Store
    from tests.support.consortium import Consortium

    consortium = Consortium(1)
    store = Store.open(Path(sys.argv[1]), consortium.genesis, write_buffer_bytes=64 << 10)
    stop = int(sys.argv[2])
    consortium._serial = 1000 * store.state.height
    while True:
        height = store.state.height + 1
        store.put_record(height, b"0/commit", height.to_bytes(8, "big"))
        print("record", height, flush=True)
        decision, transition = consortium.decide(store.state, consortium.entries(1 + 37 * height % 60))
        store.commit(decision, transition)
        print("commit", height, store.state.tip.hex(), flush=True)
        if stop and height % stop == 0:
            os._exit(9)
    """
)


def start(path: Path, stop: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", WRITER, str(path), str(stop)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def check_last(path: Path, lines: list[list[str]]) -> int:
    """What was printed last is in the store, and the store is sound. Returns its height."""
    consortium = Consortium(1)
    report = check_chain(path, consortium.genesis, lambda done, total: None)
    commits = [line for line in lines if line[0] == "commit" and len(line) == 3]
    acknowledged = int(commits[-1][1]) if commits else 0
    assert acknowledged <= report.height <= acknowledged + 1
    if commits and report.height == acknowledged:
        assert report.tip_hash.hex() == commits[-1][2]
    records = [int(line[1]) for line in lines if line[0] == "record" and len(line) == 2]
    with Store.open(path, consortium.genesis) as store:
        height, record = store.record()
        if records and records[-1] > report.height:
            assert (height, record) == (records[-1], {b"0/commit": records[-1].to_bytes(8, "big")})
    return report.height


def test_exit_without_closing_loses_nothing(path: Path) -> None:
    for stop in (7, 20, 33):
        with start(path, stop) as process:
            assert process.stdout is not None
            lines = [line.split() for line in process.stdout]
            assert process.wait(timeout=60) == 9
        height = check_last(path, lines)
        assert height % stop == 0


@pytest.mark.parametrize("lines_before", [1, 2, 9, 40, 75])
def test_killed_in_the_middle_loses_nothing_acknowledged(path: Path, lines_before: int) -> None:
    with start(path, 0) as process:
        assert process.stdout is not None
        lines = [next(process.stdout).split() for _ in range(lines_before)]
        process.send_signal(signal.SIGKILL)
        lines += [line.split() for line in process.stdout]
        assert process.wait(timeout=60) == -signal.SIGKILL
    check_last(path, lines)


JOINER = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from notarium_ledger.state.chain_state import apply_block
    from notarium_ledger.types import Height
    from notarium_store import Store
    from tests.support.consortium import Consortium, key

    consortium = Consortium(1)
    source = Store.open(Path(sys.argv[1]), consortium.genesis)
    store = Store.open(Path(sys.argv[2]), consortium.genesis, write_buffer_bytes=64 << 10)
    snapshot = source.snapshot()
    print("adopted", int(store.adopt(snapshot)), flush=True)
    while not store.is_complete:
        parts, state = [], store.history
        for height in range(state.height + 1, min(state.height + 7, snapshot.height) + 1):
            decision = source.decision(Height(height))
            parts.append((decision, apply_block(state, decision.block, store.is_in_history)))
            state = parts[-1][1].state
        store.backfill(parts)
        print("history", store.history.height, flush=True)
        consortium._serial = 100_000 + 1000 * store.state.height
        enrol = consortium.member_body("enrol", 0, key=bytes(key(f"above {store.state.height}").public))
        store.commit(*consortium.decide(store.state, [*consortium.entries(20), consortium.entry(enrol)]))
        print("commit", store.state.height, flush=True)
    """
)
JOINED_HEIGHT = 150


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("source") / "store"
    consortium = Consortium(1)
    with Store.open(path, consortium.genesis) as store:
        for height in range(1, JOINED_HEIGHT + 1):
            enrol = consortium.member_body("enrol", 0, key=bytes(key(f"below {height}").public))
            entries = [*consortium.entries(1 + 7 * height % 40), *[consortium.entry(enrol)][: height % 2]]
            store.commit(*consortium.decide(store.state, entries))
    return path


def _finish(store: Store, history: History) -> None:
    """Go on from whatever is there to the end of the history."""
    if store.base is not None:
        store.backfill(history.parts(store.history.height + 1, store.base))
    store.commit_many(history.parts(store.state.height + 1, history.tip))


def test_a_crash_between_any_two_batches_leaves_a_store_that_goes_on(
    path: Path, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also around two snapshots, one before the other's history is there, and where the gap is closed.

    Block 3 lies in the history, 6 above the first snapshot, 10 and 13 above the second: they change the registry.
    """
    genesis, batches = history.consortium.genesis, list[tuple[list[Item], list[bytes]]]()
    real = Database.write

    def recorded(self: Database, items: Iterable[Item], deleted: Iterable[bytes] = ()) -> None:
        batches.append(([*items], [*deleted]))
        real(self, *batches[-1])

    monkeypatch.setattr(Database, "write", recorded)
    with joined(path, history, 2, 5, 7) as store:
        store.adopt(history.snapshot(8))
        store.commit_many(history.parts(9, 11))
        store.backfill(history.parts(3, 6))
        store.commit_many(history.parts(12, 14))
        store.backfill(history.parts(7, 8))
        store.commit_many(history.parts(15, 16))
    monkeypatch.undo()
    assert len(batches) == 10
    for count in range(1, len(batches) + 1):
        crashed = path.with_name(f"after {count}")
        with contextlib.closing(plyvel.DB(str(crashed), create_if_missing=True)) as database:
            for puts, deleted in batches[:count]:
                with database.write_batch() as batch:
                    for name, value in puts:
                        batch.put(name, value)
                    for name in deleted:
                        batch.delete(name)
        check_chain(crashed, genesis, lambda done, total: None)
        with Store.open(crashed, genesis) as store:
            assert store.state == history.states[store.state.height]
            assert store.history == history.states[store.history.height]
            _finish(store, history)
            assert store.state == history.states[history.tip]
        assert pairs(crashed) == pairs(history.path)


def test_killed_again_and_again_while_joining_goes_on_where_it_was(source: Path, path: Path) -> None:
    consortium = Consortium(1)
    reached = {"history": 0, "commit": JOINED_HEIGHT}
    adopted = 0
    for lines_before in (1, 1, 4, 9, 2, 30, 1000):
        command = [sys.executable, "-c", JOINER, str(source), str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
            assert process.stdout is not None
            lines = [line.split() for line, _ in zip(process.stdout, range(lines_before), strict=False)]
            if len(lines) == lines_before:
                process.send_signal(signal.SIGKILL)
            lines += [line.split() for line in process.stdout]
            process.wait(timeout=60)
        for line in lines:
            if len(line) == 2 and line[0] == "adopted":
                adopted += int(line[1])
            elif len(line) == 2:
                assert int(line[1]) > reached[line[0]], "what was reached before the kill was lost"
                reached[line[0]] = int(line[1])
        report = check_chain(path, consortium.genesis, lambda done, total: None)
        assert report.history >= reached["history"]
        assert reached["commit"] <= report.height <= reached["commit"] + 1
        reached = {"history": report.history, "commit": report.height}
    assert adopted == 1
    assert process.returncode == 0, "the last run was not killed"
    with Store.open(path, consortium.genesis) as store:
        assert store.is_complete
        assert store.state.height > JOINED_HEIGHT
