"""What a million points of one metric cost a run: `python -m tests.bench.metrics`.

The points are random, so that nothing helps the compression, and each has a step. Processor time, the best of several
processes: in the calls, which the training makes, and at the end, until the signed record is there.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass

POINTS, PROCESSES = 1_000_000, 3
MAX_MS, MAX_MB = 2_000, 20
_MEASURED = """
import json, random, sys, time
from notarium.anchoring.track import Run
from notarium.evidence.author import Author
from notarium.evidence.record import Record
from notarium_ledger.signing import SigningKey
drawn = random.Random(1)
values = [drawn.random() for _ in range(int(sys.argv[1]))]
run = Run("fit")
a = time.process_time()
for step, value in enumerate(values):
    run.metric("loss", value, step)
b = time.process_time()
key = SigningKey(bytes(32))
record = Record.new("run", [], run._values.facts()).by(Author(key.public, "m0", "study"))
digest, data = record.digest, record.encode(key)
c = time.process_time()
print(json.dumps([1000 * (b - a), 1000 * (c - b), len(data) / 1e6]))
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One figure."""

    name: str
    value: float
    unit: str
    limit: float | None = None
    """At most, by the promise of the record."""

    def __str__(self) -> str:
        limit = "" if self.limit is None else f" (at most {self.limit:g})"
        return f"{self.name:52} {self.value:8.1f} {self.unit}{limit}"


def rows() -> list[Row]:
    """Calls, end, both, and the size of the record."""
    command = [sys.executable, "-c", _MEASURED, str(POINTS)]
    printed = [json.loads(subprocess.run(command, check=True, capture_output=True).stdout) for _ in range(PROCESSES)]
    # The best: the others show what else the machine did.
    calls, end, size = (min(each) for each in zip(*printed, strict=True))
    return [
        Row("metrics: a million calls of run.metric", calls, "ms"),
        Row("metrics: the end of that run, until it is signed", end, "ms"),
        Row("metrics: a million points, all together", calls + end, "ms", MAX_MS),
        Row("metrics: the record of a million points", size, "MB", MAX_MB),
    ]


if __name__ == "__main__":
    for row in rows():
        print(row)
