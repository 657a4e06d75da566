"""`python -m tests.cluster.siege [pytest's arguments]`: lays siege to real processes on the loopback interface.

For example `-k streams`. The table is printed at the end and written to .bench/siege.md and .bench/siege.json.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from tests.cluster.siege.gauge import ASKED


def main() -> int:
    """pytest's exit code."""
    os.environ[ASKED] = "1"
    # As Ctrl-C does, so that fixtures end what they began.
    for each in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.default_int_handler)
    # What pytest collects where no argument names tests: options with values, such as --deselect, name none.
    where = f"testpaths={Path(__file__).parent.relative_to(Path.cwd())}"
    return int(
        pytest.main(["-m", "cluster", "-q", "--no-header", "-p", "no:cacheprovider", "-o", where, *sys.argv[1:]])
    )


if __name__ == "__main__":
    sys.exit(main())
