"""What `diff` does and prints."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from notarium.cli.ids import id_digits, logged, receipt_logged
from notarium.cli.output import Printer, ledger_of, shown
from notarium.errors import ExitCode
from notarium.explaining.causes import causes_of_runs
from notarium.explaining.comparison import Comparison, compare, compare_with_here
from notarium.explaining.lines import Difference, Part
from notarium.explaining.opening import Opened, open_record, place_of
from notarium.explaining.why import Explanation
from notarium.naming import artifact_path, record_of
from notarium.project import Homes, find_project, find_root, trusted_genesis
from notarium_ledger.encoding.json_file import iso_time
from notarium_ledger.state.genesis import Genesis

_SHOWN = 40
"""Lines of one part; --json has all."""


def compare_records(first: Path, second: Path | None, genesis: Path | None, *, as_json: bool) -> int:
    """Compare two records, or one with what is here; the exit code."""
    printer = Printer(as_json)
    pinned = trusted_genesis(genesis)
    before = _open(first, pinned)
    after = None if second is None else _open(second, pinned)
    causes: list[Explanation] = []
    if after is None:
        found = compare_with_here(before.side, Homes.of(os.environ).digest_cache())
    else:
        found = compare(before.side, after.side)
        causes = causes_of_runs(before.side.record, after.side.record, found.differences)
    code = ExitCode.MISMATCH if found.differences else ExitCode.OK
    said: dict[str, Any] = {**ledger_of(pinned), "before": _described(first, before)}
    said["after"] = "here" if after is None or second is None else _described(second, after)
    printer.data({**said, **found.to_json(), "causes": [each.to_json() for each in causes]})
    _print(printer, found, causes)
    for path, each in ((first, before), (second, after)):
        if each is not None and each.receipt is None:
            printer.note(f"{shown(str(path))} has no receipt: its record is the word of its author only")
    return code


def _open(given: Path, pinned: Genesis) -> Opened:
    """The record of a path, or of the beginning of an id that `notarium log` lists."""
    path = artifact_path(given)
    digits, place = id_digits(str(given)), place_of(path)
    is_here = any(each.exists() for each in (path, place, record_of(place)))
    if digits and not is_here and find_root(Path.cwd()) is not None:
        here = find_project()
        line = logged(here, digits)
        path = path if line is None else receipt_logged(here, line)
    return open_record(path, pinned)


def _described(path: Path, opened: Opened) -> dict[str, Any]:
    receipt = opened.receipt
    anchored = (
        None if receipt is None else {"id": receipt.id.hex(), "index": receipt.index, "time": iso_time(receipt.time_ms)}
    )
    return {"path": str(path), "kind": opened.side.record.kind, "anchored": anchored}


def _print(printer: Printer, found: Comparison, causes: list[Explanation]) -> None:
    for part in Part:
        lines = [each for each in found.differences if each.part is part]
        if lines:
            printer.line(f"[bold]{part}[/]")
        for each in lines[:_SHOWN]:
            printer.line(f"  {_line(each)}")
        if len(lines) > _SHOWN:
            printer.line(f"  … and {len(lines) - _SHOWN} more (--json lists all)")
    for cause in causes:
        printer.line(f"[bold]likely[/] {shown(str(cause))}")
    for reason in found.not_compared:
        printer.line(f"not compared: {shown(reason)}")
    count = len(found.differences)
    same = f"{found.same} {'value' if found.same == 1 else 'values'} and files the same"
    printer.line(f"{count} {'difference' if count == 1 else 'differences'}, {same}")


def _line(each: Difference) -> str:
    before, after = ("[dim]absent[/]" if text is None else shown(text) for text in (each.before, each.after))
    note = f" [dim]({shown(each.note)})[/]" if each.note else ""
    return f"{shown(each.name)}: {before} → {after}{note}"
