"""`python -m tests.cluster.faults [pytest's arguments]`: puts faults to networks of real processes. Needs root.

For example `-k partition`. `--slow` adds the rows that take many minutes each. The table is printed at the end and
written to .bench/cluster-faults.md.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from tests.cluster.faults.ground import ASKED, SLOW, clean_up, missing

UNUSABLE = 69
"""EX_UNAVAILABLE of sysexits(3)."""


def main() -> int:
    """pytest's exit code, or UNUSABLE."""
    os.environ["PATH"] += ":/usr/sbin:/sbin"  # A plain user's path, and sudo's here and there, does without them.
    if problems := missing():
        for problem in problems:
            print(f"cluster-faults: {problem}", file=sys.stderr)
        return UNUSABLE
    for tag in clean_up():
        print(f"removed what an earlier run left behind: {tag}*")
    arguments = [each for each in sys.argv[1:] if each != SLOW]
    os.environ[ASKED] = SLOW if len(arguments) < len(sys.argv) - 1 else "1"
    # As Ctrl-C does, so that fixtures end what they began.
    for each in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.default_int_handler)
    here = Path(__file__).parent
    named = any(Path(each.partition("::")[0]).absolute().is_relative_to(here) for each in arguments)
    where = [] if named else [str(here.relative_to(Path.cwd()))]
    return int(pytest.main(["-m", "cluster", "-q", "--no-header", "-p", "no:cacheprovider", *where, *arguments]))


if __name__ == "__main__":
    sys.exit(main())
