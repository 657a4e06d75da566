"""The table at the end."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass

NOTHING = "–"


@dataclass(slots=True)
class Row:
    """What one fault did."""

    fault: str
    fault_s: float | None = None
    acknowledged: int = 0
    during: int = 0
    """Acknowledged while the fault lasted."""
    lost: int = 0
    twice: int = 0
    went_on: bool | None = None
    pause_s: float | None = None
    again_s: float | None = None
    level_s: float | None = None
    blocks: int = 0
    rounds: int = 0
    """The highest in which a block was decided."""
    receipts: int = 0
    note: str = ""
    """Figures of this fault alone; "" where it has none."""
    problem: str = ""
    """What went wrong; "" where nothing did."""


HEAD = (
    "fault",
    "fault s",
    "acknowledged",
    "of these during",
    "lost",
    "twice",
    "decided during",
    "longest pause s",
    "deciding again s",
    "all level s",
    "blocks",
    "highest round",
    "receipts checked",
)


def markdown(rows: Sequence[Row], sky: str, seconds: float) -> str:
    """The report, as Markdown."""
    cells = [HEAD, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEAD))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in cells
    ]
    lines.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
    notes = [f"- {row.fault}: {row.note}" for row in rows if row.note]
    problems = [f"- **{row.fault}**: {row.problem}" for row in rows if row.problem]
    entries, lost = sum(row.acknowledged for row in rows), sum(row.lost for row in rows)
    text = [
        "# Real processes, real networks: what faults did",
        "",
        f"{len(rows)} faults in {seconds / 60:.1f} minutes; {entries} entries acknowledged, {lost} lost, "
        f"{sum(row.twice for row in rows)} twice. Four validators, each a process in its own network namespace; "
        f"Linux {platform.release()}, {os.cpu_count()} cores for nodes, clients and checks together; "
        f"weather by {sky}.",
        "",
        *lines,
        "",
        "Seconds are counted from the end of the fault: *deciding again* to the first block above the highest at that "
        "moment, *all level* until every node has passed it. A process that is started again starts within that time.",
    ]
    if notes:
        text += ["", *notes]
    if problems:
        text += ["", "## What went wrong", "", *problems]
    return "\n".join(text) + "\n"


def _cells(row: Row) -> tuple[str, ...]:
    def seconds(value: float | None) -> str:
        return NOTHING if value is None else f"{value:.1f}"

    went_on = {None: NOTHING, True: "yes", False: "no"}[row.went_on]
    return (
        row.fault + (" **FAILED**" if row.problem else ""),
        seconds(row.fault_s),
        str(row.acknowledged),
        str(row.during),
        str(row.lost),
        str(row.twice),
        went_on,
        seconds(row.pause_s),
        seconds(row.again_s),
        seconds(row.level_s),
        str(row.blocks),
        str(row.rounds),
        str(row.receipts),
    )
