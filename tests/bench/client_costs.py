"""`make bench-client`: what Notarium costs a researcher, as ratios; writes .bench/client.json.

Each figure stands beside a baseline of the same run: Python's own start, the hashing of the same bytes, sha256sum over
the same files, a list of the same numbers. Every measurement is a process of its own, as a researcher's is.

make bench-client BENCH_ARGS="--files 10000 --points 100000"     for a first look
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from tests.bench.parts import ROOT, BenchError
from tests.client.conftest import write_key
from tests.client.fake_node import FakeLedger, FakeNode
from tests.support.consortium import digest

from notarium.project import create_project

REPEATS = 7
"""Processes for each figure; the median counts."""
NOTARIUM = str(Path(sys.executable).parent / "notarium")
INPUT_BYTES = 64 * 1024 * 1024
FILE_BYTES = 1024
FILES_IN_FOLDER = 1000

RUN = """
import hashlib, json, time, notarium
notarium.track  # Its import is a figure of its own.
began = time.perf_counter()
run = notarium.track("fit", wait=0)
run.__enter__()
started = time.perf_counter()
run.input("data.bin")
run.param("lr", 0.1)
run.metric("auc", 0.9)
time.sleep(0.5)  # The training, during which the input is hashed and the start is sent.
ending = time.perf_counter()
run.__exit__(None, None, None)
ended = time.perf_counter()
with open("data.bin", "rb") as file:
    hashlib.file_digest(file, "sha256")
hashed = time.perf_counter()
print(json.dumps({"start": started - began, "end": ended - ending, "hashing": hashed - ended}))
"""

POINTS = """
import json, math, sys, time, notarium
values = [math.sin(each) for each in range(int(sys.argv[1]))]
with notarium.track("curve", wait=0) as run:
    began = time.perf_counter()
    kept = [(step, value, time.time()) for step, value in enumerate(values)]
    listed = time.perf_counter()
    for step, value in enumerate(values):
        run.metric("loss", value, step=step)
    logged = time.perf_counter()
ended = time.perf_counter()
size = run.record_path.stat().st_size
print(json.dumps({"listing": listed - began, "logging": logged - listed, "end": ended - logged, "bytes": size}))
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """One figure beside its baseline."""

    name: str
    value: float
    unit: str
    baseline: str
    of_baseline: float
    wanted: str = ""

    @property
    def ratio(self) -> float:
        """How many times the baseline."""
        return self.value / self.of_baseline


def main() -> int:
    """Entry point: 0 measured."""
    parser = argparse.ArgumentParser(prog="make bench-client", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--points", type=int, default=1_000_000)
    options = parser.parse_args()
    console = Console(stderr=True)
    ledger = FakeLedger()
    with tempfile.TemporaryDirectory(prefix="notarium-bench-") as scratch, FakeNode(ledger) as node:
        folder = Path(scratch)
        home = folder / "home"
        os.environ["NOTARIUM_HOME"] = str(home)
        write_key(home / "keys" / "test.key", digest("key test researcher 0"))
        study = folder / "study"
        study.mkdir()
        create_project(study, ledger.consortium.genesis, [node.url], "m0", "study-12")
        with console.status("starting processes"):
            found = starts(study)
        with console.status("tracking a run"):
            found += run_costs(study)
        with console.status(f"logging {options.points} points"):
            found += point_costs(study, options.points)
        with console.status(f"anchoring {options.files} files"):
            found += file_costs(study, options.files)
    show(found)
    out = ROOT / ".bench"
    out.mkdir(exist_ok=True)
    rows = {each.name: {"value": each.value, "unit": each.unit, "ratio": each.ratio} for each in found}
    (out / "client.json").write_text(json.dumps(rows, indent=2) + "\n")
    console.print("written to .bench/client.json")
    return 0


def starts(study: Path) -> list[Cost]:
    """CPU time of processes that do next to nothing."""
    bare = cpu_ms(study, [sys.executable, "-c", "pass"])
    commands = {
        "import notarium": ([sys.executable, "-c", "import notarium"], ""),
        "first use of track": ([sys.executable, "-c", "import notarium; notarium.track"], "<= 100 ms"),
        "notarium --version": ([NOTARIUM, "--version"], "<= 150 ms"),
        "notarium log": ([NOTARIUM, "log"], ""),
    }
    return [
        Cost(name, cpu_ms(study, command), "ms CPU", "python -c pass", bare, wanted)
        for name, (command, wanted) in commands.items()
    ]


def run_costs(study: Path) -> list[Cost]:
    """What the start and the end of a run cost besides the hashing of its input."""
    (study / "data.bin").write_bytes(os.urandom(INPUT_BYTES))
    rows = [script(study, RUN) for _ in range(REPEATS)]
    start, end, hashing = (1000 * statistics.median(row[name] for row in rows) for name in ("start", "end", "hashing"))
    (study / "data.bin").unlink()
    baseline = f"SHA-256 of {INPUT_BYTES >> 20} MiB"
    return [
        Cost("start of a run", start, "ms", baseline, hashing, "<= 50 ms"),
        Cost("end of a run", end, "ms", baseline, hashing, "<= 100 ms"),
    ]


def point_costs(study: Path, points: int) -> list[Cost]:
    """A long series of one metric."""
    row = script(study, POINTS, str(points))
    return [
        Cost(f"{points} points: logging", row["logging"], "s", "a list of tuples", row["listing"]),
        Cost(f"{points} points: end of the run", row["end"], "s", "a list of tuples", row["listing"], "<= 2 s"),
        Cost(f"{points} points: record", row["bytes"] / 1e6, "MB", "8 bytes a value", points * 8 / 1e6, "<= 20 MB"),
    ]


def file_costs(study: Path, count: int) -> list[Cost]:
    """Anchoring and verifying many small files, against sha256sum over the same."""
    data = study / "data"
    for number in range(count):
        if number % FILES_IN_FOLDER == 0:
            folder = data / str(number // FILES_IN_FOLDER)
            folder.mkdir(parents=True)
        (folder / str(number)).write_bytes(number.to_bytes(8, "big") * (FILE_BYTES // 8))
    sums = wall_s(study, ["sh", "-c", "find data -type f -print0 | sort -z | xargs -0 sha256sum > sums"])
    anchored = wall_s(study, [NOTARIUM, "anchor", "data"])
    deep = wall_s(study, [NOTARIUM, "verify", "--offline", "--deep", "data"])
    again = wall_s(study, [NOTARIUM, "verify", "--offline", "data"])
    baseline = f"sha256sum of {count} files"
    return [
        Cost(f"anchor {count} files", anchored, "s", baseline, sums),
        Cost(f"verify {count} files, all bytes", deep, "s", baseline, sums),
        Cost(f"verify {count} files, unchanged", again, "s", baseline, sums),
    ]


def cpu_ms(study: Path, command: Sequence[str]) -> float:
    """Milliseconds of CPU time, median of several processes."""

    def once() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, cwd=study, stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)

    return statistics.median(once() for _ in range(REPEATS))


def wall_s(study: Path, command: Sequence[str]) -> float:
    """Seconds."""
    began = time.perf_counter()
    subprocess.run(command, cwd=study, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def script(study: Path, code: str, *arguments: str) -> dict[str, float]:
    """What a Python program prints as JSON at its end."""
    ran = subprocess.run([sys.executable, "-c", code, *arguments], cwd=study, capture_output=True, text=True)
    if ran.returncode:
        raise BenchError(ran.stderr)
    found: dict[str, float] = json.loads(ran.stdout.splitlines()[-1])
    return found


def show(found: Sequence[Cost]) -> None:
    """A table on stdout."""
    table = Table("", "", "", "ratio", "of", "wanted")
    for each in found:
        table.add_row(each.name, f"{each.value:.4g}", each.unit, f"{each.ratio:.3g}", each.baseline, each.wanted or "-")
    Console(width=110).print(table)


if __name__ == "__main__":
    sys.exit(main())
