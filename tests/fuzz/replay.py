"""Show again what a fuzzer found: `python -m tests.fuzz.replay NAME FILE`."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.fuzz.target import check
from tests.fuzz.targets import by_name

if __name__ == "__main__":
    accepted = check(by_name(sys.argv[1]), Path(sys.argv[2]).read_bytes())
    print("accepted" if accepted else "refused with a documented error")
