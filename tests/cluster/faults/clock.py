"""A clock that is off: libfaketime between a node and the machine's real-time clock, set from outside while it runs.

Only the time of day is off; monotonic time goes on as it does on a machine whose clock is set wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from notarium_node.demo.local_network import LocalNode

LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
"""Of the Debian package `faketime`; the variant for programs with threads."""
SEEN_WITHIN_S = 1


@dataclass(frozen=True, slots=True)
class Clock:
    """One node's clock. Make it before the node starts."""

    file: Path

    @classmethod
    def of(cls, node: LocalNode) -> Clock:
        """From its next start on, `node` lives by this clock."""
        clock = cls(node.directory / "clock")
        clock.set(0)
        node.environment |= {
            "LD_PRELOAD": str(LIBRARIES[0]),
            "FAKETIME_TIMESTAMP_FILE": str(clock.file),
            "FAKETIME_CACHE_DURATION": str(SEEN_WITHIN_S),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",  # Its name before version 0.9.9.
        }
        return clock

    def set(self, off_s: float) -> None:
        """Seconds ahead of the true time."""
        self.file.write_text(f"{off_s:+f}\n")
