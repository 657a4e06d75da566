"""The table at the end."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from typing import Any

from tests.cluster.siege.gauge import Figures

HEAD = (
    "attack",
    "memory before MiB",
    "most MiB",
    "at rest MiB",
    "honest entries",
    "p50 s",
    "p99 s",
    "failed",
    "blocks/s",
    "log kB/s",
    "attackers got",
)
MOST_ANSWERS = 4


def markdown(rows: Sequence[Figures], seconds: float) -> str:
    """The report."""
    cells = [HEAD, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEAD))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in cells
    ]
    lines.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
    notes = [f"- {row.attack}: {row.note}" for row in rows if row.note]
    failed = [f"- **{row.attack}**: {problem}" for row in rows for problem in row.problems]
    text = [
        "# Siege: what attacks cost real processes",
        "",
        f"{len(rows)} attacks in {seconds / 60:.1f} minutes. Four validators and an observer, each a process, share "
        f"{os.cpu_count()} cores with attackers and honest researchers; Linux {platform.release()}. Memory is the "
        "resident set of the node that has the most.",
        "",
        *lines,
    ]
    text += ["", *notes] if notes else []
    text += ["", "## What exceeded its limit", "", *failed] if failed else []
    return "\n".join(text) + "\n"


def document(rows: Sequence[Figures]) -> list[dict[str, Any]]:
    """The same for programs."""
    return [
        {
            "attack": row.attack,
            "before_mib": round(row.before_mib, 1),
            "most_mib": round(row.most_mib, 1),
            "rest_mib": round(row.rest_mib, 1),
            "honest_entries": len(row.waits_s),
            "p50_s": round(row.p50_s, 3),
            "p99_s": round(row.p99_s, 3),
            "failed": row.failed,
            "blocks_per_s": round(row.blocks_per_s, 1),
            "log_bytes_per_s": round(row.log_bytes_per_s),
            "answers": dict(row.answers),
            "note": row.note,
            "problems": row.problems,
        }
        for row in rows
    ]


def _cells(row: Figures) -> tuple[str, ...]:
    answers = ", ".join(f"{what}: {count}" for what, count in row.answers.most_common(MOST_ANSWERS))
    return (
        row.attack + (" **FAILED**" if row.problems else ""),
        f"{row.before_mib:.0f}",
        f"{row.most_mib:.0f}",
        f"{row.rest_mib:.0f}",
        str(len(row.waits_s)),
        f"{row.p50_s:.2f}",
        f"{row.p99_s:.2f}",
        str(row.failed),
        f"{row.blocks_per_s:.1f}",
        f"{row.log_bytes_per_s / 1000:.1f}",
        answers or "–",
    )
