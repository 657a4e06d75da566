"""The figures, for people and for programs."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from typing import cast

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from tests.bench.parts import Part

Figure = float | int | str | list[float] | None

COST = ("node\nµs", "client\nµs")
"""CPU time for one entry: of a validator (mean) and of the load generator."""

WANTED: Mapping[str, tuple[str, float]] = {
    "idle_p50_ms": ("at most", 10.0),
    "ratio_single_64": ("at least", 0.22),
    "batch_signed_per_s": ("at least", 12_000),
    "growth_idle": ("below", 1.10),
    "growth_64": ("below", 1.10),
    "rss_million_mb": ("below", 250.0),
}
FOOTNOTE = (
    "Latency is from submission over HTTP to a verified receipt. With one idle client, signing is part of it and the "
    "receipt is checked in full. Elsewhere entries are signed before the clock runs (signing happens on researchers' "
    "machines); of each receipt the form, the inclusion proof and the equality with the entry sent are checked, header "
    "and certificate once per block. The nodes and the load generator share this machine. "
    "µs: CPU time for one entry, of a validator (mean) and of the load generator. others: what other processes took of "
    "the machine meanwhile; the figures are only worth something where that is little."
)


def figures(parts: Sequence[Part], validators: int, verification_us: float) -> dict[str, Figure]:
    """Flat and named, for .bench/latest.json."""
    cores = len(os.sched_getaffinity(0))
    ceiling = cores / (validators * verification_us * 1e-6)
    result: dict[str, Figure] = {
        "cores": cores,
        "python": platform.python_version(),
        "verification_us": round(verification_us, 2),
        "ceiling_per_s": round(ceiling),
    }
    for part in parts:
        measured = part.measurement
        result |= {
            f"{part.name}_per_s": round(measured.per_s, 1),
            f"{part.name}_p50_ms": round(measured.quantile_ms(0.5), 3),
            f"{part.name}_p99_ms": round(measured.quantile_ms(0.99), 3),
            f"{part.name}_entries": measured.entries,
            f"{part.name}_entries_per_block": round(part.entries_per_block, 1),
            f"{part.name}_others_share": round(measured.others_share, 3),
            f"{part.name}_seconds": round(measured.seconds, 2),
            f"{part.name}_cpu_s": [round(each, 2) for each in (*measured.nodes_cpu_s, measured.load_cpu_s)],
        }
        if part.name == "single_64":
            result["ratio_single_64"] = round(measured.per_s / ceiling, 4)
    return result


def missed(found: Mapping[str, Figure]) -> list[str]:
    """One line for each wanted figure that was measured and not reached."""
    lines = []
    for name, (relation, limit) in WANTED.items():
        value = found.get(name)
        if not isinstance(value, int | float):
            continue
        reached = {"at most": value <= limit, "at least": value >= limit, "below": value < limit}[relation]
        if not reached:
            lines.append(f"{name} is {value:g}, wanted {relation} {limit:g}")
    return lines


def _cost_us(part: Part, validators: int) -> tuple[float, float]:
    """By COST's columns."""
    measured = part.measurement
    node_s = sum(measured.nodes_cpu_s[:validators]) / validators
    return node_s / measured.entries * 1e6, measured.load_cpu_s / measured.entries * 1e6


def show(console: Console, parts: Sequence[Part], validators: int, found: Mapping[str, Figure]) -> None:
    """Print the table."""
    table = Table(
        title="Four validators and one observer on this machine",
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table.add_column("", no_wrap=True)
    for column in ("entries\n/s", "p50\nms", "p99\nms", "of\nceiling", "entries\n/block", *COST, "others"):
        table.add_column(column, justify="right", no_wrap=True)
    ceiling = cast(float, found["ceiling_per_s"])
    for part in parts:
        measured = part.measurement
        # One signature for many entries: the ceiling of one verification each does not apply.
        share = "-" if part.name in ("idle", "batch_signed") else f"{measured.per_s / ceiling:.1%}"
        table.add_row(
            part.what,
            f"{measured.per_s:,.0f}",
            f"{measured.quantile_ms(0.5):.1f}",
            f"{measured.quantile_ms(0.99):.1f}",
            share,
            f"{part.entries_per_block:,.1f}",
            *(f"{each:,.0f}" for each in _cost_us(part, validators)),
            f"{measured.others_share:.0%}",
        )
    console.print(table)
    console.print(
        f"ceiling {ceiling:,.0f} entries/s = {found['cores']} cores / ({validators} validators × "
        f"{found['verification_us']} µs, one Ed25519 verification of a typical entry)"
    )
    for name, text in (
        ("growth_idle", "one idle client with ten times the entries: p50 ×{:.2f}"),
        ("growth_64", "64 clients with ten times the entries: p50 ×{:.2f}"),
        ("rss_mb", "largest validator after the parts above: {:.0f} MB"),
        ("rss_million_mb", "largest validator with a million entries: {:.0f} MB"),
    ):
        if found.get(name) is not None:
            console.print(text.format(found[name]))
    console.print(FOOTNOTE, style="dim")
    for line in missed(found):
        console.print(f"MISSED  {line}", style="bold red")
