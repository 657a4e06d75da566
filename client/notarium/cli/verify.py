"""The command `verify`: what lies on the disk first, then the outbox, then (unless offline) the ledger.

Each path gets a row of its own, whatever befalls the others: a node that cannot be reached must not hide a mismatch.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from notarium import project
from notarium.anchoring.commit import outbox_of
from notarium.cli.output import Printer, describe_receipt
from notarium.errors import ExitCode, NotariumError, ProjectError
from notarium.evidence.contents import Manifest, hash_path
from notarium.ledger_access.blocking import BlockingClient
from notarium.naming import artifact_path, is_bundle, is_receipt, receipt_beside
from notarium.project import Homes, Project, find_project, find_root
from notarium.verifying.verification import Verification, VerificationStatus, Verifying
from notarium_ledger.state.genesis import Genesis

GRAVITY = (
    ExitCode.OK,
    ExitCode.INCOMPLETE_EVIDENCE,
    ExitCode.NOT_ANCHORED,
    ExitCode.USAGE,
    ExitCode.UNREACHABLE,
    ExitCode.MISMATCH,
)
"""The last is the gravest: a proven contradiction counts for more than not having been able to ask."""


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one path."""

    result: Verification
    status: str
    """The result's, or "pending", "refused" or "unreachable"."""
    exit_code: ExitCode
    reason: str = ""
    """Where the status is not the result's: why."""

    @classmethod
    def of(cls, result: Verification) -> Row:
        """The row of a result that stands by itself."""
        return cls(result, str(result.status), result.status.exit_code)

    def to_json(self) -> dict[str, Any]:
        """For --json."""
        said = {**self.result.to_json(), "status": self.status}
        return {**said, "reason": self.reason} if self.reason else said


def verify(
    printer: Printer,
    paths: Sequence[Path],
    offline: bool,
    genesis_file: Path | None,
    receipt_only: bool,
    deep: bool,
    timeout: float,
) -> int:
    """Verify each path; the exit code of the gravest row."""
    if receipt_only:
        _check_are_receipts(paths)
    # First of all, so that what is wrong with the configuration is told before and not instead of a result.
    geneses = [genesis_for(path, genesis_file) for path in paths]
    rows: list[Row] = []
    verifiers: dict[bytes, Verifying] = {}
    for path, genesis in zip(paths, geneses, strict=True):
        cache = Homes.of(os.environ).digest_cache()
        with printer.hashing() as on_progress:
            verifying = verifiers.setdefault(genesis.hash, Verifying(genesis, cache, deep, receipt_only))
            verifying.on_progress = on_progress
            found = [_look_further(each, verifying, offline, timeout) for each in verifying.verify(path)]
        for row in found:
            printer.verification(row.result, row.status, row.reason)
        rows += found
    gravest = max(rows, key=lambda row: GRAVITY.index(row.exit_code))
    printer.data({"status": gravest.status, "results": [row.to_json() for row in rows]})
    return gravest.exit_code


def _check_are_receipts(paths: Sequence[Path]) -> None:
    """Raise ProjectError for an artifact: a receipt alone says nothing about what a file holds today."""
    for path in map(artifact_path, paths):
        if not is_receipt(path) and not is_bundle(path) and (not path.is_dir() or receipt_beside(path).exists()):
            raise ProjectError(f"--receipt-only checks receipts and {path} is none: give {receipt_beside(path)}")


def genesis_for(path: Path, genesis_file: Path | None) -> Genesis:
    """The genesis to verify `path` against. Raises ProjectError."""
    if genesis_file is not None:
        return project.read_genesis(genesis_file)
    root = find_root(artifact_path(path).absolute().parent) or find_root(Path.cwd())
    return project.find_genesis(root)


def _look_further(result: Verification, verifying: Verifying, offline: bool, timeout: float) -> Row:
    """For what has no receipt on the disk: does its entry wait in the outbox, or does the ledger have one?"""
    if result.status is not VerificationStatus.NOT_ANCHORED:
        return Row.of(result)
    path = artifact_path(result.path)
    folder = path.absolute().parent
    try:
        here = find_project(folder)
    except ProjectError as error:
        if find_root(folder) is None:
            return Row.of(result)
        return Row(result, str(result.status), error.exit_code, f"neither outbox nor ledger was asked: {error}")
    if here.genesis.hash != verifying.genesis.hash:
        return Row.of(result)
    try:
        waiting = outbox_of(here).find(path if is_receipt(path) else receipt_beside(path))
        if waiting is not None:
            if waiting.refused:
                return Row(result, "refused", ExitCode.NOT_ANCHORED, waiting.reason)
            why = f"{waiting.id[:16]}… is signed and waits in the outbox; 'notarium status --flush' sends it"
            return Row(result, "pending", ExitCode.NOT_ANCHORED, why)
        return Row.of(result if offline else _ask_ledger(result, path, here, verifying, timeout))
    except NotariumError as error:
        status = "unreachable" if error.exit_code is ExitCode.UNREACHABLE else str(result.status)
        return Row(result, status, error.exit_code, str(error))


def _ask_ledger(result: Verification, path: Path, here: Project, verifying: Verifying, timeout: float) -> Verification:
    """For an artifact without a receipt: does the ledger name its plain digest? Raises NotariumError."""
    if is_receipt(path) or not path.exists() or not here.nodes:
        return result
    content = hash_path(path, cache=verifying.cache, deep=verifying.deep)
    files = len(content.items) if isinstance(content, Manifest) else 1
    if not files:
        # All empty folders have one digest: that somebody anchored one says nothing about this one.
        return result
    with BlockingClient(here.genesis, here.nodes, timeout=timeout) as client:
        found = client.find(content.sha256)
    if not found:
        return result
    return Verification(
        str(path),
        VerificationStatus.VERIFIED,
        about=describe_receipt(found[0]),
        checked="the ledger's entry, by the digest on it",
        files=files,
    )
