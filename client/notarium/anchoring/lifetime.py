"""The life of a run: the process it belongs to, the folder it began in, its start on record, and what ends it."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from notarium.anchoring.ledger_seed import LedgerSeed, draw_seed
from notarium.anchoring.other_processes import Said
from notarium.anchoring.outbox import now_ms
from notarium.anchoring.run_facts import RunStatus, status_by_code
from notarium.anchoring.signals import ENDING_SIGNALS, EndedBySignal
from notarium.anchoring.start import Start, begin
from notarium.errors import ProjectError
from notarium.project import Project
from notarium_ledger.trust.seed import SEED_BITS

LAST_TRY_S = 0.1
"""How long the end is sent where the start has used up the time."""


class Lifetime:
    """What a run knows of its life. A copy in another process knows only where to pass on what is logged."""

    def __init__(self, said: Said | None = None, *, is_copy: bool = False) -> None:
        """`said`, `is_copy`: of a run in another process."""
        self.begun_in = Path()
        """The working directory at the start; the run may change it."""
        self.start: Start | None = None
        self.signals: list[str] = []
        """Names of those that the command of the run got."""
        self._said = said
        self._is_copy = is_copy
        self._pid = 0
        self._is_watched = False
        self._was_handed_out = False
        self._repeated_ms: int | None = None
        self._seeds: list[LedgerSeed] = []

    # Processes.

    def is_elsewhere(self) -> bool:
        """Whether this is not the process of the run: forked from it, or with a copy of it."""
        return self._is_copy or self._pid not in (0, os.getpid())

    def hand_out(self) -> Path | None:
        """The run is about to be copied for another process; the file that this one writes to."""
        self._was_handed_out = True
        return self._said.path if self._said is not None else None

    def pass_on(self, method: str, args: Sequence[Any], kwargs: Mapping[str, Any], time_ms: int) -> None:
        """A call in another process is for the process of the run. Raises ProjectError where it cannot get there."""
        if self._said is None:
            raise ProjectError(f"{method}() in process {os.getpid()} is not recorded: the run has no recorded start")
        self._said.add(method, args, kwargs, time_ms)

    def repeat(self, run: object) -> list[str]:
        """Call on `run` what other processes have called; returns the gaps. What comes later is refused."""
        calls, gaps = self._said.take() if self._said is not None else ([], [])
        for each in calls:
            self._repeated_ms = each.time_ms
            getattr(run, each.method)(*each.args, **each.kwargs)
        self._repeated_ms = None
        if self._was_handed_out and not calls:
            gaps.append("other processes got this run, and nothing that they may have logged has arrived")
        return gaps

    def now_ms(self) -> int:
        """The time of what is recorded now, or of the call of another process that is repeated now."""
        return now_ms() if self._repeated_ms is None else self._repeated_ms

    # Beginning and end.

    def enter(self) -> None:
        """The run begins in this process and in this folder."""
        self._pid = os.getpid()
        self._is_watched = ENDING_SIGNALS.enter()
        # A working directory that is gone already is no reason to fail.
        with suppress(OSError):
            self.begun_in = Path.cwd()

    def leave(self) -> None:
        """The run is recorded; a signal that came meanwhile ends the process now."""
        if self._is_watched:
            self._is_watched = False
            ENDING_SIGNALS.leave()

    def begin(
        self, project: Project | None, facts: Mapping[str, Any], *, started_ms: int, directory: Path, disclosure: str
    ) -> None:
        """Put the start on record. Raises NotariumError."""
        if project is None:
            raise ProjectError("there is no project")
        directory = self.begun_in / directory
        self.start = begin(project, facts, started_ms=started_ms, directory=directory, disclosure=disclosure)
        self._said = self.start.said

    @contextmanager
    def hashing(self, gaps: list[str]) -> Iterator[None]:
        """While the end is hashed; what a signal leaves no time for becomes a gap."""
        try:
            with ENDING_SIGNALS.hashing():
                yield
        except EndedBySignal:
            gaps.append(f"{ENDING_SIGNALS.names[0]} left no time to hash all inputs and outputs: some are not recorded")

    def folder(self, directory: Path) -> Path:
        """`directory` as it was meant at the start."""
        try:
            is_same = os.path.samefile(self.begun_in, ".")
        except OSError:
            # The working directory is gone.
            is_same = False
        return directory if is_same else self.begun_in / directory

    def signed(self) -> None:
        """The end is signed and in the outbox. Raises OSError."""
        if self.start is not None:
            self.start.ended()

    def drafted(self, draft: Path) -> None:
        """The end is kept as a draft. Raises OSError."""
        if self.start is not None:
            self.start.drafted(draft)

    def wait_for_start(self, timeout: float) -> float:
        """Wait until the start is sent, for at most `timeout` seconds; what is left of them, or a last try."""
        deadline = time.monotonic() + timeout
        if self.start is not None:
            self.start.wait(timeout)
        return max(deadline - time.monotonic(), LAST_TRY_S)

    # What the record says of it.

    def seed(self, project: Project | None, name: str, timeout: float, *, strict: bool) -> tuple[int, str]:
        """A seed from the block that decided the start; or one of this machine, and why, which `strict` raises."""
        try:
            return self._seed(project, name, timeout), ""
        except Exception as error:
            if strict:
                raise
            why = f"the seed {name or 'seed'!r} is not from the ledger, it was drawn by this machine: {error}"
            return secrets.randbits(SEED_BITS), why

    def _seed(self, project: Project | None, name: str, timeout: float) -> int:
        if self.start is None or project is None or self.is_elsewhere():
            raise ProjectError("only the process of a run whose start is recorded can derive it")
        drawn = draw_seed(project, self.start, name, timeout)
        self._seeds.append(drawn)
        return drawn.seed

    def refs(self) -> list[tuple[str, bytes | str | Path]]:
        """The end refers to the start."""
        return [("ends", self.start.place)] if self.start is not None else []

    def facts(self) -> dict[str, Any]:
        """run_id?, signals?, ledger_seeds?"""
        said: dict[str, Any] = {}
        if self.start is not None:
            said["run_id"] = self.start.run_id
        if signals := [*self.signals, *ENDING_SIGNALS.names]:
            said["signals"] = signals
        if self._seeds:
            said["ledger_seeds"] = [each.to_json() for each in self._seeds]
        return said


def status_by_error(error: BaseException | None) -> RunStatus:
    """How a run ended that was left with this exception."""
    if error is None:
        return RunStatus.COMPLETED
    if isinstance(error, SystemExit):
        # A text, or any other object, is printed and means 1.
        return status_by_code(error.code or 0 if isinstance(error.code, int | None) else 1)
    return RunStatus.FAILED if isinstance(error, Exception) else RunStatus.INTERRUPTED
