"""A process killed at any moment loses nothing that it had acknowledged."""

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from tests.support.consortium import Consortium

from notarium_store import Store
from notarium_store.check import check_chain

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
