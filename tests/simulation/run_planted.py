"""`make simulate-planted`: plants each known mistake and counts the seeds until an oracle speaks.

Then it plants those that the tests find, and not the simulator (tests/planted).
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from tests.planted.run import hunt_all
from tests.simulation.planted import Planted
from tests.simulation.planted_all import PLANTED
from tests.simulation.scenario import run_seed
from tests.simulation.schedules import SCHEDULES


@dataclass(frozen=True, slots=True)
class Caught:
    """What became of one planted mistake."""

    name: str
    seed: int | None
    """The first that shows it; None if none did within the stated number."""
    message: str
    as_expected: bool
    """Whether the oracle that spoke is one of those that should."""
    seconds: float


def hunt(number: int) -> Caught:
    """Run seeds with mistake number `number` until one fails."""
    planted = PLANTED[number]
    began = time.monotonic()
    seed, message = None, f"not caught within {planted.within} seeds"
    with planted.active():
        for candidate in range(1, planted.within + 1):
            try:
                run_seed(candidate, planted.size, SCHEDULES[planted.schedule], behaviours=planted.liars)
            except Exception as error:
                seed, message = candidate, f"{error}" or type(error).__name__
                break
    fits = seed is not None and re.search(planted.caught, message) is not None
    return Caught(planted.name, seed, message, fits, time.monotonic() - began)


def row(planted: Planted, caught: Caught) -> str:
    """A line of the table."""
    verdict = f"seed {caught.seed:>4}" if caught.seed is not None else "MISSED   "
    return f"{planted.name:<42} {verdict} of {planted.within:>4}  {caught.seconds:6.1f} s  {caught.message[:110]}"


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="make simulate-planted", description=__doc__)
    parser.add_argument("--jobs", type=int, default=1, help="processes (default 1)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    missed, rows = 0, []
    with ProcessPoolExecutor(options.jobs) as pool:
        for planted, caught in zip(PLANTED, pool.map(hunt, range(len(PLANTED))), strict=True):
            missed += not caught.as_expected
            rows.append({"name": caught.name, "seed": caught.seed, "within": planted.within, "said": caught.message})
            if not options.json:
                print(row(planted, caught) + ("" if caught.as_expected else "   <- NOT AS EXPECTED"), flush=True)
    if options.json:
        print(json.dumps(rows))
    else:
        print(f"{len(PLANTED) - missed} of {len(PLANTED)} planted mistakes caught as expected")
        missed += hunt_all(options.jobs)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
