"""The command `equivocation`: does this file prove that a validator signed two different things?

Offline, against the pinned genesis. The steps are those of `notarium_ledger.trust.equivocation_file`; a file
that fails one is a mismatch, and the result names the step.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from notarium.cli.options import GenesisFile, Json, given_path
from notarium.cli.output import Printer, shown
from notarium.errors import ExitCode
from notarium.files import read_regular
from notarium.project import trusted_genesis
from notarium.verdicts import gravest
from notarium_ledger.errors import InvalidEquivocationFile
from notarium_ledger.state.genesis import Genesis
from notarium_ledger.trust.equivocation_file import MAX_EQUIVOCATION_FILE_BYTES, EquivocationFile, describe

CAVEAT = (
    "This proves that the key of this validator signed two different things where an honest node signs one thing only. "
    "It does not prove who used the key, or why: a node restored from an old backup can do the same."
)


class FileStatus(StrEnum):
    """The outcome for one equivocation file."""

    VERIFIED = "verified"
    MISMATCH = "mismatch"
    UNREADABLE = "unreadable"

    @property
    def exit_code(self) -> ExitCode:
        """What the command line returns."""
        return _EXIT_CODES[self]


_EXIT_CODES = {
    FileStatus.VERIFIED: ExitCode.OK,
    FileStatus.MISMATCH: ExitCode.MISMATCH,
    FileStatus.UNREADABLE: ExitCode.USAGE,
}


@dataclass(frozen=True, slots=True)
class Judged:
    """The outcome for one file."""

    path: str
    status: FileStatus
    about: dict[str, Any] = field(default_factory=dict)
    """Of a verified equivocation: id, member, key, kind, height, round, first, second."""
    step: int = 0
    """The failed step; 0 where every step holds, or none was taken."""
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """For --json."""
        said: dict[str, Any] = {"path": self.path, "status": self.status.value, "about": self.about or None}
        return {**said, "step": self.step, "reason": self.reason} if self.reason else said


def equivocation(
    *,
    files: Annotated[
        list[Path],
        typer.Argument(parser=given_path, metavar="FILE...", help="Equivocation files, as a node exports them."),
    ],
    genesis: GenesisFile = None,
    as_json: Json = False,
) -> int:
    """Check the proof that a validator signed two different things. Asks no node."""
    printer = Printer(as_json)
    # First of all, so that an error in the configuration is reported before the results and not instead of one.
    pinned = trusted_genesis(genesis)
    results = [judge_file(path, pinned) for path in files]
    for each in results:
        _print(printer, each)
    if any(each.status is FileStatus.VERIFIED for each in results):
        printer.note(CAVEAT)
    code = gravest(each.status.exit_code for each in results)
    status = next(each.status for each in results if each.status.exit_code is code)
    printer.line(f"against the ledger {shown(pinned.name)} · genesis {pinned.hash.hex()}")
    ledger = {"ledger": pinned.name, "genesis_hash": pinned.hash.hex()}
    printer.data({"status": status.value, **ledger, "results": [each.to_json() for each in results]})
    return code


def judge_file(path: Path, genesis: Genesis) -> Judged:
    """Verify one equivocation file."""
    try:
        data = read_regular(path, MAX_EQUIVOCATION_FILE_BYTES)
    except OSError as error:
        return Judged(str(path), FileStatus.UNREADABLE, reason=error.strerror or str(error))
    try:
        held = EquivocationFile.decode_json(data)
        held.verify(genesis)
    except InvalidEquivocationFile as error:
        return Judged(str(path), FileStatus.MISMATCH, step=error.step, reason=str(error))
    about = describe(held.equivocation, held.validators.member_of(held.equivocation.key))
    return Judged(str(path), FileStatus.VERIFIED, about)


def _print(printer: Printer, judged: Judged) -> None:
    if judged.status is FileStatus.VERIFIED:
        said = judged.about
        printer.line(
            f"[green]verified[/] {shown(judged.path)}  {shown(said['member'])} signed two different "
            f"{said['kind']}s · height {said['height']} · round {said['round']} · key {said['key'][:16]}…"
        )
    else:
        where = f"step {judged.step}: " if judged.step else ""
        printer.line(f"[bold red]{judged.status}[/] {shown(judged.path)}  {where}{shown(judged.reason)}")
