"""The second half of `make simulate-planted`: plants each mistake and runs the test that must fail."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from tests.planted.mistakes import MISTAKES, Mistake
from tests.planted.plugin import NAMED

LIMIT_S = 120
_TESTS_FAILED = 1
"""The exit code of pytest; others say that no test ran."""


def hunt(mistake: Mistake) -> str:
    """What is wrong with the hunt for this mistake; "" if its test fails as it should."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "tests.planted.plugin", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, mistake.test],
        capture_output=True,
        text=True,
        env={**os.environ, NAMED: mistake.name},
        timeout=LIMIT_S,
        check=False,
    )
    if done.returncode != _TESTS_FAILED:
        return f"pytest ended with {done.returncode}: {done.stdout[-300:]}{done.stderr[-300:]}"
    said = [line for line in done.stdout.splitlines() if line.startswith("E ")]
    if not any(re.search(mistake.caught, line) for line in said):
        return f"no error says {mistake.caught!r}: {said[:5]}"
    return ""


def hunt_all(jobs: int) -> int:
    """Hunt each and print a line for it; the number of those that are not found."""
    missed = 0
    with ThreadPoolExecutor(jobs) as pool:
        for mistake, wrong in zip(MISTAKES, pool.map(hunt, MISTAKES), strict=True):
            missed += bool(wrong)
            print(f"{mistake.name:<42} {'found by ' + mistake.test if not wrong else 'MISSED: ' + wrong}", flush=True)
    print(f"{len(MISTAKES) - missed} of {len(MISTAKES)} planted mistakes found by their tests")
    return missed
