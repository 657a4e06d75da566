"""What a siege may cost, and whether it cost more."""

from __future__ import annotations

from dataclasses import dataclass

from tests.cluster.siege.gauge import Figures


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that an attack may do. The systemd unit allows a node 1 GB."""

    most_mib: float = 400.0
    rest_mib: float = 250.0
    p99_s: float = 2.0
    log_bytes_per_s: float = 20_000.0
    least_entries: int = 20
    """Honest entries, so that the percentile says something."""


def problems(figures: Figures, limits: Limits) -> list[str]:
    """What exceeds the limits, one sentence each."""
    found = []
    if figures.most_mib > limits.most_mib:
        found.append(f"a node had {figures.most_mib:.0f} MiB, at most {limits.most_mib:.0f} allowed")
    if figures.rest_mib > limits.rest_mib:
        found.append(f"a node kept {figures.rest_mib:.0f} MiB at rest, at most {limits.rest_mib:.0f} allowed")
    if figures.p99_s > limits.p99_s:
        found.append(f"honest p99 was {figures.p99_s:.1f} s, at most {limits.p99_s:.1f} allowed")
    if figures.failed:
        found.append(f"{figures.failed} honest entries got no receipt")
    if len(figures.waits_s) < limits.least_entries:
        found.append(f"only {len(figures.waits_s)} honest entries were sent, at least {limits.least_entries} needed")
    if figures.log_bytes_per_s > limits.log_bytes_per_s:
        found.append(
            f"a node logged {figures.log_bytes_per_s:.0f} bytes/s, at most {limits.log_bytes_per_s:.0f} allowed"
        )
    if figures.no_retry_after:
        found.append(f"{figures.no_retry_after} answers 429 or 503 had no Retry-After")
    return found
