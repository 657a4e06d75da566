"""Coverage-guided fuzzing of one target, with atheris: `python -m tests.fuzz.guided NAME SECONDS`.

Inputs that reach new code are kept in .fuzz/corpus/NAME/ and are the start of the next run. What breaks a law is kept
in .fuzz/crashes/NAME/, with the command that shows it again: `python -m tests.fuzz.replay NAME FILE`.

Without arguments, every target in turn, each in a process of its own, for FUZZ_SECONDS seconds (default 10).
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

PLACE = Path(".fuzz")
PACKAGES = ("notarium_ledger", "notarium_store", "notarium_consensus", "notarium_node", "notarium")
MEMORY_MB = 1024


def folder(kind: str, name: str) -> Path:
    """Where the corpus or the crashes of a target are; made if need be."""
    found = PLACE / kind / re.sub(r"[^a-z0-9.]+", "-", name.lower())
    found.mkdir(parents=True, exist_ok=True)
    return found


def run_one(name: str, seconds: int) -> None:
    """Fuzz until the time is over or a law is broken; ends the process."""
    import atheris

    # Everything but ours is left as it is: instrumented, the standard library takes minutes to import.
    with atheris.instrument_imports(include=list(PACKAGES), enable_loader_override=False):
        from tests.fuzz.mutations import spoil
        from tests.fuzz.target import Defect, check
        from tests.fuzz.targets import by_name

    target = by_name(name)
    corpus = folder("corpus", name)
    for seed in target.seeds:
        (corpus / sha256(seed).hexdigest()[:16]).write_bytes(seed)

    def one(data: bytes) -> None:
        try:
            check(target, data)
        except Defect as defect:
            path = folder("crashes", name) / sha256(data).hexdigest()[:16]
            path.write_bytes(data)
            print(f"\n{defect}\nAgain: {sys.executable} -m tests.fuzz.replay {name!r} {path}", file=sys.stderr)
            raise

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        """Half of the changes are libFuzzer's own, half know the format."""
        if seed & 1:
            mutated: bytes = atheris.Mutate(data, max_size)
            return mutated
        return spoil(random.Random(seed), [data, *target.seeds], target.dialect, max_size)

    arguments = [
        sys.argv[0],
        f"-max_total_time={seconds}",
        f"-max_len={min(target.max_bytes, 1 << 16)}",
        f"-rss_limit_mb={MEMORY_MB}",
        "-timeout=20",
        f"-artifact_prefix={folder('crashes', name)}{os.sep}",
        "-print_final_stats=1",
        str(corpus),
    ]
    atheris.Setup(arguments, one, custom_mutator=mutate)
    atheris.Fuzz()


def run_all(seconds: int) -> int:
    """Every target; the number of those that failed."""
    from tests.fuzz.targets import TARGETS

    failed = []
    for target in TARGETS:
        command = [sys.executable, "-m", "tests.fuzz.guided", target.name, str(seconds)]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        runs = re.findall(r"stat::number_of_executed_units:\s*(\d+)", done.stderr)
        edges = re.findall(r"cov: (\d+)", done.stderr)
        size = len(list(folder("corpus", target.name).iterdir()))
        said = "ok" if done.returncode == 0 else "FAILED"
        print(
            f"{said:<7}{target.name:<40}{(runs or ['?'])[-1]:>9} runs {(edges or ['?'])[-1]:>6} edges {size:>6} inputs",
            flush=True,
        )
        if done.returncode != 0:
            failed.append(target.name)
            print(done.stderr[-4000:], flush=True)
    print(f"{len(TARGETS)} targets, {seconds} s each, {len(failed)} failed")
    return len(failed)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        run_one(sys.argv[1], int(sys.argv[2]))
    sys.exit(min(run_all(int(os.environ.get("FUZZ_SECONDS", "10"))), 1))
