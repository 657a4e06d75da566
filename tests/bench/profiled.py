"""Where a node's time went, from a profile that `profiling/sitecustomize.py` wrote."""

from __future__ import annotations

import pstats
import sys
from collections import defaultdict
from pathlib import Path, PurePath
from typing import Any, cast

TOP_FUNCTIONS, TOP_MODULES = 40, 25
STARTING = ("importlib", "{built-in method builtins.compile}", "marshal.loads")
"""Functions of the start-up, which no load has anything to do with."""


def show_profile(path: Path) -> None:
    """Print own time by module, then by function."""
    stats = pstats.Stats(str(path), stream=sys.stdout)
    by_module: defaultdict[str, float] = defaultdict(float)
    rows = cast(dict[tuple[str, int, str], tuple[Any, Any, float, Any, Any]], cast(Any, stats).stats)
    for (file, _, function), (_, _, own_s, _, _) in rows.items():
        if not any(each in file or each in function for each in STARTING):
            by_module["/".join(PurePath(file).parts[-2:]) if file != "~" else function] += own_s
    print(f"own time in seconds, of {sum(by_module.values()):.2f}")
    for module, own_s in sorted(by_module.items(), key=lambda row: -row[1])[:TOP_MODULES]:
        print(f"{own_s:8.3f}  {module}")
    stats.strip_dirs().sort_stats("tottime").print_stats(TOP_FUNCTIONS)
