"""Seeds of the simulator in every test run, some the same each time and some new; `make simulate` runs more.

A failing seed is a defect and is fixed, never left out; those that once failed stay in REGRESSIONS.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from tests.simulation.run import CHUNK, chunk, replay_command
from tests.simulation.scenario import run_seed
from tests.simulation.schedules import SMALL

FRESH_S = float(os.environ.get("NOTARIUM_SIMULATION_SECONDS", "45"))
"""How long new seeds are tried."""
FIXED = [(4, 1500), (5, 200), (6, 200), (7, 200), (10, 100)]
"""(validators, seeds)"""
MORE = [
    (4, 100, "scheming"),
    (7, 25, "scheming"),
    (4, 50, "blackouts"),
    (4, 10, "changing"),
    (5, 10, "changing"),
    (4, 60, "wipes"),
    (4, 60, "backups"),
    (7, 10, "wipes"),
    (4, 15, "governing"),
    (5, 5, "governing"),
    (4, 15, "crowded"),
    (4, 8, "recalls"),
    (4, 8, "joining"),
    (4, 6, "busy"),
    (4, 8, "thin"),
    (4, 15, "quotas"),
    (7, 2, "quotas"),
    (4, 10, "idle"),
    (7, 2, "idle"),
]
"""(validators, seeds, schedule)"""
REGRESSIONS: list[tuple[int, int, str]] = [
    (6, 6, "small"),
    (536, 7, "small"),
    (11, 4, "apart"),
    *((seed, 4, "small") for seed in (248, 5376, 21317, 36308, 45739, 55302, 76627, 81424, 88774, 99275, 100986)),
    *((seed, 4, "small") for seed in (1795364947397, 1795370026544, 1795370050647)),
    (103, 5, "changing"),
    (393, 6, "small"),
    (248, 7, "scheming"),
    *((seed, 4, "small") for seed in (36403, 57861, 61048, 64814, 73239, 85547)),
    *((seed, 4, "wipes") for seed in (7, 14, 19, 20, 24, 28, 39, 46, 55, 56, 57, 428)),
    *((seed, 4, "governing") for seed in (4, 6, 8, 11)),
    *((seed, 4, "busy") for seed in (3, 12)),
    *((seed, 4, "thin") for seed in (5, 8, 10)),
]
"""(seed, validators, schedule)"""

# Processes that die leave coroutines behind that nobody will ever await.
pytestmark = [
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]


def passes(first: int, last: int, size: int, schedule: str = "small") -> None:
    report = chunk(first, last, size, schedule)
    told = [f"{what}\n  {replay_command(seed, size, schedule)}" for seed, what in report.failures]
    assert not told, "\n".join(told)


@pytest.mark.parametrize(
    ("size", "first"), [(size, first) for size, count in FIXED for first in range(1, count, CHUNK)]
)
def test_members_agree_through_faults_and_lies_and_go_on_after_them(size, first):
    passes(first, first + CHUNK - 1, size)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_small_trials(size):
    passes(1, 10, size)


@pytest.mark.parametrize("size", [4, 7])
def test_two_minutes_of_trouble(size):
    passes(1, 2, size, "long")


@pytest.mark.parametrize(("size", "seeds", "schedule"), MORE)
def test_lies_and_losses_votes_and_volume_thin_lines_and_slow_machines(size, seeds, schedule):
    passes(1, seeds, size, schedule)


@pytest.mark.parametrize(("seed", "size", "schedule"), REGRESSIONS)
def test_what_once_failed(seed, size, schedule):
    passes(seed, seed, size, schedule)


def test_new_seeds():
    first = seed = time.time_ns() // 1_000_000
    until = time.monotonic() + FRESH_S
    while time.monotonic() < until:
        passes(seed, seed + 9, 4)
        passes(seed, seed, 5 + seed % 6)
        seed += 10
    print(f"seeds {first} to {seed - 1}")


def test_a_seed_gives_the_same_run_again():
    first: list[str] = []
    second: list[str] = []
    for transcript in (first, second):
        run_seed(9, 4, SMALL, transcript=transcript)
    assert first == second


def test_a_seed_gives_the_same_run_whatever_the_order_of_python_s_sets():
    program = (
        "from tests.simulation.digest import digest; from tests.simulation.schedules import GOVERNING;"
        "print(digest(range(1, 16), 4), digest(range(1, 4), 7), digest((5,), 4, GOVERNING))"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program],
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for hash_seed in ("0", "1", "2")
    }
    assert len(runs) == 1
