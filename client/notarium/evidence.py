"""The command `evidence`: is this file proof that a validator signed two different things?

Offline, against the pinned genesis. The steps are those of `notarium_ledger.evidence_file`; a file that fails one is a
mismatch that names it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from notarium.checking import genesis_for
from notarium.console import Printer, shown
from notarium.errors import ExitCode
from notarium.verification import Status
from notarium_ledger.errors import InvalidEvidenceFile
from notarium_ledger.evidence_file import MAX_EVIDENCE_FILE_BYTES, EvidenceFile, describe
from notarium_ledger.genesis import Genesis

CAVEAT = (
    "What this proves: the key of this validator signed two different things where an honest node signs one. "
    "Not proven is who used the key, nor why; a node restored from an old backup does the same."
)


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of one file."""

    path: str
    status: Status
    """VERIFIED or MISMATCH."""
    about: dict[str, Any] = field(default_factory=dict)
    """Of verified evidence: id, member, key, kind, height, round, first, second."""
    step: int = 0
    """The failed step; 0 where it holds."""
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """For --json."""
        said: dict[str, Any] = {"path": self.path, "status": str(self.status), "about": self.about or None}
        return said if self.status is Status.VERIFIED else {**said, "step": self.step, "reason": self.reason}


def judge(path: Path, genesis: Genesis) -> Judged:
    """Verify one evidence file. Raises OSError where it cannot be read."""
    with path.open("rb") as file:
        data = file.read(MAX_EVIDENCE_FILE_BYTES + 1)
    try:
        held = EvidenceFile.decode_json(data)
        held.verify(genesis)
    except InvalidEvidenceFile as error:
        return Judged(str(path), Status.MISMATCH, step=error.step, reason=str(error))
    return Judged(str(path), Status.VERIFIED, describe(held.evidence, held.validators.member_of(held.evidence.key)))


def check(printer: Printer, paths: Sequence[Path], genesis_file: Path | None) -> int:
    """Verify each file; 1 where one of them proves nothing."""
    results = [judge(path, genesis_for(path, genesis_file)) for path in paths]
    for each in results:
        if each.status is Status.VERIFIED:
            said = each.about
            printer.line(
                f"[green]verified[/] {shown(each.path)}  {shown(said['member'])} signed two different "
                f"{said['kind']}s · height {said['height']} · round {said['round']} · key {said['key'][:16]}…"
            )
        else:
            printer.line(f"[bold red]mismatch[/] {shown(each.path)}  step {each.step}: {shown(each.reason)}")
    failed = [each for each in results if each.status is not Status.VERIFIED]
    if len(failed) < len(results):
        printer.note(CAVEAT)
    status = Status.MISMATCH if failed else Status.VERIFIED
    printer.data({"status": str(status), "results": [each.to_json() for each in results]})
    return ExitCode(status.exit_code)
