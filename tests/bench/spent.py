"""What a part cost: CPU seconds and memory of the nodes, read from /proc."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """CPU seconds, user and system, of all threads of a process so far."""
    # The second field is the command's name in parentheses and may hold spaces.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def rss_mb(pid: int) -> float:
    """Resident memory in MB (10^6 bytes)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise ProcessLookupError(f"process {pid} has ended")


def machine_s() -> tuple[float, float]:
    """(busy, all) CPU seconds of the machine so far. Busy includes what a hypervisor took (steal)."""
    first = Path("/proc/stat").read_text().splitlines()[0]
    user, nice, system, idle, io_wait, irq, soft_irq, steal = map(int, first.split()[1:9])
    busy = user + nice + system + irq + soft_irq + steal
    return busy / _TICKS_PER_S, (busy + idle + io_wait) / _TICKS_PER_S


class Meter:
    """Counts from its making."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._pids = pids
        self._before = [cpu_s(pid) for pid in pids]
        self._own_before = cpu_s(os.getpid())
        self._machine_before = machine_s()

    def nodes_s(self) -> list[float]:
        """CPU seconds of each node since then."""
        return [cpu_s(pid) - before for pid, before in zip(self._pids, self._before, strict=True)]

    def own_s(self) -> float:
        """CPU seconds of this process since then."""
        return cpu_s(os.getpid()) - self._own_before

    def others_share(self) -> float:
        """The share of the machine, 0 to 1, that other processes took since then."""
        (busy, whole), (busy_before, whole_before) = machine_s(), self._machine_before
        others = busy - busy_before - sum(self.nodes_s()) - self.own_s()
        return max(0.0, others / (whole - whole_before)) if whole > whole_before else 0.0
