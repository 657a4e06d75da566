"""The command `equivocation`: is this file proof that a validator signed two different things?

Offline, against the pinned genesis. The steps are those of `notarium_ledger.trust.equivocation_file`; a file
that fails one is a mismatch that names it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from notarium.cli.output import Printer, shown
from notarium.cli.verify import GRAVITY, genesis_for
from notarium.errors import ExitCode
from notarium_ledger.errors import InvalidEquivocationFile
from notarium_ledger.state.genesis import Genesis
from notarium_ledger.trust.equivocation_file import MAX_EQUIVOCATION_FILE_BYTES, EquivocationFile, describe

CAVEAT = (
    "What this proves: the key of this validator signed two different things where an honest node signs one. "
    "Not proven is who used the key, nor why; a node restored from an old backup does the same."
)


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of one file."""

    path: str
    status: str
    """"verified", "mismatch" or "unreadable"."""
    exit_code: ExitCode
    about: dict[str, Any] = field(default_factory=dict)
    """Of verified equivocation: id, member, key, kind, height, round, first, second."""
    step: int = 0
    """The failed step; 0 where it holds, or was not looked at."""
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """For --json."""
        said: dict[str, Any] = {"path": self.path, "status": self.status, "about": self.about or None}
        return {**said, "step": self.step, "reason": self.reason} if self.reason else said


def judge(path: Path, genesis: Genesis) -> Judged:
    """Verify one equivocation file."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_EQUIVOCATION_FILE_BYTES + 1)
    except OSError as error:
        return Judged(str(path), "unreadable", ExitCode.USAGE, reason=error.strerror or str(error))
    try:
        held = EquivocationFile.decode_json(data)
        held.verify(genesis)
    except InvalidEquivocationFile as error:
        return Judged(str(path), "mismatch", ExitCode.MISMATCH, step=error.step, reason=str(error))
    about = describe(held.equivocation, held.validators.member_of(held.equivocation.key))
    return Judged(str(path), "verified", ExitCode.OK, about)


def check(printer: Printer, paths: Sequence[Path], genesis_file: Path | None) -> int:
    """Verify each file, whatever becomes of the others; the exit code of the gravest result."""
    # First of all, so that what is wrong with the configuration is told before and not instead of a result.
    geneses = [genesis_for(path, genesis_file) for path in paths]
    results = [judge(path, genesis) for path, genesis in zip(paths, geneses, strict=True)]
    for each in results:
        if each.exit_code is ExitCode.OK:
            said = each.about
            printer.line(
                f"[green]verified[/] {shown(each.path)}  {shown(said['member'])} signed two different "
                f"{said['kind']}s · height {said['height']} · round {said['round']} · key {said['key'][:16]}…"
            )
        else:
            where = f"step {each.step}: " if each.step else ""
            printer.line(f"[bold red]{each.status}[/] {shown(each.path)}  {where}{shown(each.reason)}")
    if any(each.exit_code is ExitCode.OK for each in results):
        printer.note(CAVEAT)
    gravest = max(results, key=lambda each: GRAVITY.index(each.exit_code))
    printer.data({"status": gravest.status, "results": [each.to_json() for each in results]})
    return gravest.exit_code
