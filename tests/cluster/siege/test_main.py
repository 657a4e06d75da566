"""`make siege` lays siege, and collects no other cluster tests, whatever the arguments."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
HERE = "tests/cluster/siege"


@pytest.mark.parametrize(
    ("arguments", "files"),
    [
        (["-k", "streams"], ["strangers"]),
        (["--deselect", f"{HERE}/test_siege_readiness.py"], ["members", "requests", "strangers"]),
        ([f"{HERE}/test_siege_members.py"], ["members"]),
    ],
    ids=["-k", "--deselect", "file"],
)
def test_only_sieges_are_collected(arguments: list[str], files: list[str]) -> None:
    command = [sys.executable, "-m", "tests.cluster.siege", "--collect-only", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    found = {line.partition("::")[0] for line in done.stdout.splitlines() if "::" in line}
    assert sorted(found) == [f"{HERE}/test_siege_{each}.py" for each in files]
