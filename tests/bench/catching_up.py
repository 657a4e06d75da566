"""How fast a validator without its store catches up, against the rate at which the network decided what it lacks.

.venv/bin/python -m tests.bench.catching_up [--seconds 20]

One run: a real network of four validators and an observer under 64 clients; then one validator's store is taken away
and it is started again. Once by snapshot and history (the default above sync.snapshot_lag_blocks), once block by block.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.bench.parts import Bench, consortium

from notarium_node.demo.local_network import LocalNode, NetworkError

ANSWER_S, LEVEL_S = 30.0, 300.0
POLL_S = 0.01


def main() -> None:
    """Print what was measured as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="of load [20]")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="notarium-bench-") as scratch, consortium(Path(scratch)) as bench:
        print(json.dumps(measure(bench, options.seconds), indent=2))


def measure(bench: Bench, seconds: float) -> dict[str, Any]:
    """Rates in entries and blocks a second, and their ratios."""
    part = bench.single(seconds)
    decided = part.measurement.entries / part.measurement.seconds
    blocks = decided / part.entries_per_block
    status = bench.network.validators[0].status()
    found: dict[str, Any] = {
        "entries": status["tree_size"],
        "blocks": status["height"],
        "decided_entries_per_s": round(decided),
        "decided_blocks_per_s": round(blocks, 1),
    }
    node = bench.network.validators[-1]
    for name, lag in (("snapshot", 10), ("blocks", 1_000_000)):
        at_tip_s, whole_s = _catch_up(node, lag, status["height"])
        found[name] = {
            "at_the_tip_s": round(at_tip_s, 2),
            "whole_s": round(whole_s, 2),
            "entries_per_s": round(status["tree_size"] / whole_s),
            "blocks_per_s": round(status["height"] / whole_s),
            "times_the_rate_of_deciding": round(status["tree_size"] / whole_s / decided, 1),
        }
    return found


def _catch_up(node: LocalNode, lag: int, height: int) -> tuple[float, float]:
    """Seconds from its first answer until the wiped node is at the tip, and until it has everything."""
    node.stop()
    shutil.rmtree(node.directory / "store")
    config = node.directory / "node.toml"
    text = config.read_text().partition("\n[sync]\n")[0]
    config.write_text(f"{text}\n[sync]\nsnapshot_lag_blocks = {lag}\n")
    node.start()
    began = _until(node, lambda status: True, ANSWER_S)
    at_tip = _until(node, lambda status: status["height"] >= height, LEVEL_S)
    whole = _until(node, lambda status: status["height"] >= height and status["complete"], LEVEL_S)
    return at_tip - began, whole - began


def _until(node: LocalNode, done: Any, limit_s: float) -> float:
    """When `done(status)` was first seen. Raises TimeoutError."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        try:
            if done(node.status()):
                return time.monotonic()
        except NetworkError:
            pass  # not listening yet
        time.sleep(POLL_S)
    raise TimeoutError(f"{node.name}: not within {limit_s} s\n{node.last_words()}")


if __name__ == "__main__":
    main()
