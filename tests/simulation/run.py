"""`make simulate`: many seeds, the rate, what they reached, and for a failure the transcript that replays it."""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
import traceback
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.simulation.branches import counted
from tests.simulation.faults import FAULTS, counted_as
from tests.simulation.scenario import run_seed
from tests.simulation.schedules import SCHEDULES, Schedule
from tests.simulation.twins import TWINS

OUTPUT = Path(".bench/simulation")
CHUNK = 50
PASSES = "passes"
MAX_SIZE = 31
SHOWN = ("fault", "liar", "round", "event", "dropped for", "client", "branch", "validator set", "member", "content")
"""What the coverage counts, in this order."""
COLLECT_EVERY = 10
"""Seeds after which what they leave behind is freed; while one runs the collector rests."""


@dataclass(slots=True)
class Report:
    """Some seeds of one size."""

    seeds: int = 0
    cpu_s: float = 0.0
    simulated_s: float = 0.0
    steps: int = 0
    messages: int = 0
    blocks: int = 0
    acknowledged: int = 0
    highest_round: int = 0
    recovered_s: list[float] = field(default_factory=list)
    """Of each seed, how long after its last fault all was decided and level."""
    reached: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[int, str]] = field(default_factory=list)
    """(seed, what is wrong)"""

    def add(self, other: Report) -> None:
        """Take in another chunk."""
        self.seeds += other.seeds
        self.cpu_s += other.cpu_s
        self.simulated_s += other.simulated_s
        self.steps += other.steps
        self.messages += other.messages
        self.blocks += other.blocks
        self.acknowledged += other.acknowledged
        self.highest_round = max(self.highest_round, other.highest_round)
        self.recovered_s += other.recovered_s
        self.reached.update(other.reached)
        self.failures += other.failures


def chunk(first: int, last: int, size: int, schedule: str) -> Report:
    """The seeds from `first` to `last`."""
    report = Report()
    began = time.process_time()
    with counted() as branches:
        for seed in range(first, last + 1):
            report.seeds += 1
            if report.seeds % COLLECT_EVERY == 0:
                gc.collect(0)
            try:
                world = run_seed(seed, size, SCHEDULES[schedule])
            except Exception as error:
                report.failures.append((seed, f"{type(error).__name__}: {error} ({'; '.join(notes(error))})"))
                continue
            report.simulated_s += world.loop.now_s
            report.steps += world.loop.steps
            report.messages += world.watch.sends
            report.blocks += world.watch.height
            report.acknowledged += len(world.watch.acknowledged)
            report.highest_round = max(report.highest_round, world.watch.highest_round)
            report.recovered_s.append(world.recovered_s)
            report.reached.update(world.coverage)
    report.reached.update(dict.fromkeys(kinds(SCHEDULES[schedule]), 0))
    report.reached.update({f"branch: {name}": count for name, count in branches.items()})
    report.cpu_s = time.process_time() - began
    return report


def kinds(schedule: Schedule) -> list[str]:
    """The faults and lies that its seeds draw from, as the coverage names them: what is never met is to be seen."""
    faults = FAULTS if schedule.faults is None else schedule.faults
    lies = [each.__name__ for each in schedule.pool]
    return [*map(counted_as, faults), *(f"liar: {name}" for name in lies), *([] if schedule.schemers else [TWINS])]


def notes(error: BaseException) -> list[str]:
    """What was added to an error on its way."""
    return list(getattr(error, "__notes__", []))


def run(first: int, count: int, size: int, schedule: str, jobs: int, quiet: bool) -> Report:
    """All seeds, in `jobs` processes, with a line of progress now and then."""
    report, began, told = Report(), time.monotonic(), 0.0
    bounds = [(at, min(at + CHUNK, first + count) - 1) for at in range(first, first + count, CHUNK)]
    with ProcessPoolExecutor(jobs) as pool:
        for part in pool.map(chunk, *zip(*bounds, strict=True), [size] * len(bounds), [schedule] * len(bounds)):
            report.add(part)
            for seed, what in part.failures:
                path, _, _ = transcribe(seed, size, schedule)
                print(f"FAILED seed {seed}, n = {size}: {what}\n  transcript: {path}")
                print(f"  replay: {replay_command(seed, size, schedule)}")
            now = time.monotonic()
            if not quiet and now - told > 5:
                told = now
                rate = report.seeds / report.cpu_s
                print(
                    f"  n = {size}: {report.seeds:,} of {count:,} seeds, {rate:.0f} a second and core, "
                    f"{len(report.failures)} failed, {now - began:.0f} s",
                    flush=True,
                )
    return report


def replay_command(seed: int, size: int, schedule: str) -> str:
    """What shows the failure again."""
    return f"make simulate-replay SEED={seed} SIZE={size} SCHEDULE={schedule}"


def transcribe(seed: int, size: int, schedule: str) -> tuple[Path, list[str], str]:
    """Run one seed again and keep what happens in a file: its path, the lines and the outcome."""
    transcript: list[str] = []
    try:
        run_seed(seed, size, SCHEDULES[schedule], transcript=transcript)
        outcome = PASSES
    except Exception as error:
        outcome = "".join(traceback.format_exception_only(error)).strip()
    OUTPUT.mkdir(parents=True, exist_ok=True)
    path = OUTPUT / f"seed-{seed}-{size}-{schedule}.txt"
    path.write_text("\n".join([*transcript, outcome, ""]))
    return path, transcript, outcome


def replay(seed: int, size: int, schedule: str) -> int:
    """Show the end of one seed's transcript. The exit code."""
    path, transcript, outcome = transcribe(seed, size, schedule)
    print("\n".join(transcript[-60:]))
    print(f"\nseed {seed}, n = {size}: {outcome}\nthe whole transcript ({len(transcript):,} lines): {path}")
    return 0 if outcome == PASSES else 1


def show(size: int, report: Report) -> None:
    """A summary for people."""
    waits = sorted(report.recovered_s) or [0.0]
    hours = report.simulated_s / 3600
    rate, steps = report.seeds / report.cpu_s, 60 * report.steps / report.cpu_s / 1e6
    median, most = waits[len(waits) // 2], waits[len(waits) * 99 // 100]
    print(
        f"\nn = {size}: {report.seeds:,} seeds, {len(report.failures)} failed; "
        f"{rate:.1f} seeds a second and {steps:.1f} million steps a minute, per core\n"
        f"  {hours:,.1f} simulated hours, {report.steps:,} steps, {report.messages:,} messages, "
        f"{report.blocks:,} blocks, {report.acknowledged:,} entries acknowledged; "
        f"highest round {report.highest_round}\n"
        f"  decided and level again after the last fault: median {median:.1f} s, 99 % {most:.1f} s, "
        f"longest {waits[-1]:.1f} s (simulated)"
    )
    for kind in SHOWN:
        found = {name: count for name, count in report.reached.items() if name.startswith(kind)}
        if found:
            words = ", ".join(
                f"{name.removeprefix(kind).lstrip(': ')} {count:,}" for name, count in sorted(found.items())
            )
            print(f"  {kind}: {words}")
    missed = sorted(name for name, count in report.reached.items() if not count)
    print(f"  not reached: {', '.join(missed) or 'nothing'}")


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many (default 1000)")
    parser.add_argument("--first", type=int, default=1, help="the first seed (default 1)")
    parser.add_argument("--sizes", default="4", help="numbers of validators, with commas (default 4)")
    parser.add_argument("--schedule", choices=sorted(SCHEDULES), default="small")
    parser.add_argument("--jobs", type=int, default=1, help="processes (default 1)")
    parser.add_argument("--json", action="store_true", help="print figures only, as JSON")
    parser.add_argument("--replay", type=int, help="run this one seed and show its transcript")
    options = parser.parse_args(arguments)
    if options.seeds < 1 or options.jobs < 1:
        parser.error("SEEDS and JOBS: at least 1")
    if not all(size.isdigit() and 1 <= int(size) <= MAX_SIZE for size in options.sizes.split(",")):
        parser.error(f"SIZES: numbers of validators from 1 to {MAX_SIZE}, with commas, for example 4,7")
    sizes = [int(size) for size in options.sizes.split(",")]
    if options.replay is not None:
        return replay(options.replay, sizes[0], options.schedule)
    results: dict[str, Any] = {}
    failed = 0
    for size in sizes:
        report = run(options.first, options.seeds, size, options.schedule, options.jobs, options.json)
        failed += len(report.failures)
        results[str(size)] = figures(report)
        if not options.json:
            show(size, report)
    OUTPUT.mkdir(parents=True, exist_ok=True)
    (OUTPUT / "latest.json").write_text(json.dumps(results, indent=2))
    if options.json:
        print(json.dumps(results))
    return 1 if failed else 0


def figures(report: Report) -> dict[str, Any]:
    """For machines."""
    waits = sorted(report.recovered_s) or [0.0]
    return {
        "seeds": report.seeds,
        "failed": [seed for seed, _ in report.failures],
        "seeds_per_s": round(report.seeds / report.cpu_s, 1),
        "steps": report.steps,
        "simulated_s": round(report.simulated_s),
        "messages": report.messages,
        "blocks": report.blocks,
        "acknowledged": report.acknowledged,
        "highest_round": report.highest_round,
        "recovered_s": {"median": waits[len(waits) // 2], "p99": waits[len(waits) * 99 // 100], "max": waits[-1]},
        "reached": dict(sorted(report.reached.items())),
    }


if __name__ == "__main__":
    sys.exit(main())
