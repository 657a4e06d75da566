"""`make bench`: measures this machine, prints a table, writes .bench/latest.json.

make bench BENCH_ARGS="--quick"      20 seconds, for a first look
make bench BENCH_ARGS="--million"    also the memory of a node with a million entries
make bench BENCH_ARGS="--profile"    where the first validator's time goes (the figures suffer)
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from tests.bench.material import verification_us
from tests.bench.parts import ROOT, BenchError, Part, consortium, growth
from tests.bench.profiled import show_profile
from tests.bench.table import Figure, figures, show

from notarium_node.demo.local_network import NetworkError

PARTS = ("idle", "single", "batch", "batch-signed")
GROWTH_ENTRIES = 20_000
GROWTH_ROUNDS, GROWTH_SAMPLES, GROWTH_REQUESTS = 4, 150, 1_500
WIDTH = 100


def main() -> int:
    """Entry point: 0 measured, 1 something could not be measured, 130 interrupted; nothing is left running."""
    options = _options()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    console = Console(stderr=True)
    out = ROOT / ".bench"
    out.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="notarium-bench-") as scratch, _profiling(options.profile, out, console):
        try:
            found = _measure(options, Path(scratch), console)
        except (BenchError, NetworkError) as error:
            console.print(str(error), style="red", markup=False)
            return 1
        except KeyboardInterrupt:
            console.print("interrupted", style="yellow")
            return 130
    (out / "latest.json").write_text(json.dumps(found, indent=2) + "\n")
    console.print(f"written to {(out / 'latest.json').relative_to(ROOT)}")
    return 0


def _measure(options: argparse.Namespace, scratch: Path, console: Console) -> dict[str, Figure]:
    with console.status("timing one verification"):
        microseconds = verification_us()
    with consortium(scratch / "first") as bench:
        parts: list[Part] = []
        seconds = 2.0 if options.quick else options.seconds
        for name in options.parts:
            with console.status(f"measuring {name}"):
                match name:
                    case "idle":
                        parts.append(bench.idle(100 if options.quick else 400))
                    case "single":
                        parts.append(bench.single(seconds))
                    case "batch":
                        parts.append(bench.batch(seconds))
                    case "batch-signed":
                        parts.append(bench.batch_signed(seconds))
        found = figures(parts, len(bench.network.validators), microseconds)
        found["rss_mb"] = round(bench.memory_mb(), 1)
        validators = len(bench.network.validators)
    if not options.quick and not options.no_growth:
        found |= _grow(scratch, console)
    if options.million:
        with console.status("filling a ledger with a million entries"), consortium(scratch / "million") as bench:
            bench.fill(1_000_000)
            found |= {"rss_million_mb": round(bench.memory_mb(), 1), "rss_million_entries": bench.entries}
    found |= {name: None for name in ("growth_idle", "growth_64", "rss_million_mb") if name not in found}
    # As wide as the table needs, also where nobody looks on (a file, a pipe, CI).
    show(Console(width=max(WIDTH, console.width)), parts, validators, found)
    return found


def _grow(scratch: Path, console: Console) -> dict[str, Figure]:
    with consortium(scratch / "small") as small, consortium(scratch / "large") as large:
        with console.status(f"filling two ledgers with {GROWTH_ENTRIES:,} and ten times as many entries"):
            small.fill(GROWTH_ENTRIES)
            large.fill(10 * GROWTH_ENTRIES)
        with console.status("comparing them"):
            ratios = growth(small, large, GROWTH_ROUNDS, GROWTH_SAMPLES, GROWTH_REQUESTS)
        return {name: round(value, 3) for name, value in ratios.items()}


@contextmanager
def _profiling(wanted: bool, out: Path, console: Console) -> Iterator[None]:
    """Nodes started within run under cProfile; at the end the first to have ended is shown."""
    if not wanted:
        yield
        return
    directory = out / "profile"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    os.environ["BENCH_PROFILE_DIR"] = str(directory)
    os.environ["PYTHONPATH"] = str(Path(__file__).parent / "profiling")
    yield
    found = sorted(directory.glob("*.pstats"))
    if found:
        console.print(f"profiles are in {directory.relative_to(ROOT)}; {found[0].name}:")
        show_profile(found[0])


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description="Measure a consortium on this machine.")
    parser.add_argument("--quick", action="store_true", help="20 seconds in all, without growth")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each part under load [10]")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="only these")
    parser.add_argument("--no-growth", action="store_true", help="leave out the comparison with ten times the entries")
    parser.add_argument("--million", action="store_true", help="also memory with a million entries; takes minutes")
    parser.add_argument("--profile", action="store_true", help="run the nodes under cProfile")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
