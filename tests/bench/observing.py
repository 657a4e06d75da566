"""What it costs a run that its surroundings are observed: `python -m tests.bench.observing`.

In a repository of 5,000 files, one of them changed, with 500 more packages than there are. Each figure is the median of
several processes, because a process imports once.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

FILES, PACKAGES, PROCESSES = 5_000, 500, 7
_RECORD_LINES = 400
_MEASURED = """
import json, sys, time
import notarium.anchoring.track
def clock(): return time.perf_counter(), time.process_time()
from notarium.observing.observation import Observation
sys.path.append(sys.argv[1])
a = clock()
seen = Observation(lambda path: "")
b = clock()
seen._reader.join()
c = clock()
found = seen.end([])
d = clock()
assert found.code.dirty and len(found.environment["packages"]) > int(sys.argv[2]), found.gaps
print(json.dumps([1000 * each for each in (b[0] - a[0], c[0] - a[0], c[1] - a[1], d[0] - c[0])]))
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One figure."""

    name: str
    value_ms: float
    limit_ms: float | None
    """At most, by the promise of the record; None where nothing waits for it."""

    def __str__(self) -> str:
        limit = "" if self.limit_ms is None else f" (at most {self.limit_ms:g})"
        return f"{self.name:52} {self.value_ms:8.1f} ms{limit}"


def rows() -> list[Row]:
    """Start, background and end of a run."""
    with tempfile.TemporaryDirectory(prefix="notarium-bench-") as folder:
        work, packages = Path(folder, "work"), Path(folder, "packages")
        _repository(work)
        _packages(packages)
        command = [sys.executable, "-c", _MEASURED, str(packages), str(PACKAGES)]
        printed = [
            json.loads(subprocess.run(command, cwd=work, check=True, capture_output=True).stdout)
            for _ in range(PROCESSES)
        ]
    start, background, cpu, end = (statistics.median(each) for each in zip(*printed, strict=True))
    return [
        Row("observing: start of a run", start, 50),
        Row("observing: in the background, until all is read", background, None),
        Row("observing: in the background, CPU of this process", cpu, None),
        Row("observing: end of a run", end, 100),
    ]


def _repository(work: Path) -> None:
    for number in range(FILES):
        place = work / f"part-{number % 50}" / f"module_{number}.py"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"value = {number}\n" * 20)
    identity = ("-c", "user.name=bench", "-c", "user.email=bench@example.org")
    for arguments in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "all")):
        subprocess.run(["git", *identity, *arguments], cwd=work, check=True)
    (work / "part-0" / "module_0.py").write_text("changed\n")


def _packages(folder: Path) -> None:
    for number in range(PACKAGES):
        info = folder / f"package_{number}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Name: package-{number}\nVersion: 1.0\n\n" + "text\n" * 1000)
        (info / "RECORD").write_text(f"package_{number}/module.py,sha256={'x' * 43},1000\n" * _RECORD_LINES)


if __name__ == "__main__":
    for row in rows():
        print(row)
