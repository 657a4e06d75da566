"""A copy of what a command prints on standard output, kept beside the record of its run.

The command writes into a pipe, and each byte goes to our own standard output and into the file. Nothing else changes
for it: where our reader goes away, it gets SIGPIPE as without us, and where the file cannot be written it goes on.
"""

from __future__ import annotations

import array
import fcntl
import os
import select
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

from notarium.anchoring.run_places import MAX_RUNS_OF_ONE_NAME
from notarium.anchoring.track import Run
from notarium.errors import ProjectError, Unwritable
from notarium.naming import STDOUT_SUFFIX, run_stem

_STDOUT: Final = 1
_PIECE: Final = 64 * 1024


@contextmanager
def kept_output(run: Run, directory: Path, wanted: bool) -> Iterator[int | None]:
    """The standard output for the command of `run`, whose copy becomes a by-product; None where there is no copy.

    Raises Unwritable where the run is strict.
    """
    if not wanted:
        yield None
        return
    try:
        place, file = _new_file(directory, run_stem(run.name))
    except (ProjectError, Unwritable) as error:
        if run.strict:
            raise
        run.gap(f"standard output is not recorded: {error}")
        yield None
        return
    with OutputCopy(file) as copy:
        yield copy.to_command
    run.by_product(place, "stdout")
    for gap in copy.gaps:
        run.gap(gap)


class OutputCopy:
    """Copies until the command has ended. `to_command` is for the command's standard output."""

    def __init__(self, file: BinaryIO) -> None:
        self.gaps: list[str] = []
        """Afterwards: what the copy lacks."""
        self._file: BinaryIO | None = file
        self._from_command, self.to_command = os.pipe()
        self._ended, self._end = os.pipe()
        self._copying = threading.Thread(target=self._copy, name="notarium-stdout", daemon=True)

    def __enter__(self) -> Self:
        self._copying.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The command has ended: what it has written is copied, and nobody is waited for."""
        os.close(self.to_command)
        os.close(self._end)
        self._copying.join()
        os.close(self._ended)
        if self._file is not None:
            self._file.close()

    def _copy(self) -> None:
        try:
            while not self._has_ended():
                if not self._take(_PIECE):
                    return
            self._take_the_rest()
        finally:
            # Where our reader is gone, this is how the command notices.
            os.close(self._from_command)

    def _has_ended(self) -> bool:
        """Wait for output, or for the end of the command."""
        poll = select.poll()
        poll.register(self._from_command, select.POLLIN)
        poll.register(self._ended, select.POLLIN)
        return self._ended in dict(poll.poll())

    def _take(self, size: int) -> int:
        """How many bytes were copied; 0 at the end, and where nobody reads them any more."""
        piece = os.read(self._from_command, size)
        self._keep(piece)
        return len(piece) if self._pass_on(piece) else 0

    def _take_the_rest(self) -> None:
        """What is in the pipe now. It has no end where a process holds it that the command left behind."""
        left = self._waiting()
        while left:
            taken = self._take(min(left, _PIECE))
            if not taken:
                return
            left -= taken
        poll = select.poll()
        poll.register(self._from_command, select.POLLIN)
        if not poll.poll(0) or self._waiting():
            self.gaps.append("a process that the command left behind could go on writing to standard output")

    def _waiting(self) -> int:
        count = array.array("i", [0])
        fcntl.ioctl(self._from_command, termios.FIONREAD, count)
        return count[0]

    def _pass_on(self, piece: bytes) -> bool:
        """Whether our own reader is still there."""
        left = memoryview(piece)
        try:
            while left:
                left = left[_write(left) :]
        except OSError as error:
            self.gaps.append(f"standard output was closed before the command had ended: {error.strerror}")
            return False
        return True

    def _keep(self, piece: bytes) -> None:
        if self._file is None:
            return
        left = memoryview(piece)
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            self.gaps.append(f"the copy of standard output ends early: {error.strerror}")
            self._file.close()
            self._file = None


def _write(piece: memoryview) -> int:
    try:
        return os.write(_STDOUT, piece)
    except BlockingIOError:
        # Whoever started us has set it so for all that write to it.
        poll = select.poll()
        poll.register(_STDOUT, select.POLLOUT)
        poll.poll()
        return 0


def _new_file(directory: Path, stem: str) -> tuple[Path, BinaryIO]:
    base = stem.removesuffix(".run")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for number in range(1, MAX_RUNS_OF_ONE_NAME + 1):
            place = directory / f"{stem if number == 1 else f'{base}.{number}.run'}{STDOUT_SUFFIX}"
            try:
                return place, place.open("xb", buffering=0)
            except FileExistsError:
                continue
    except OSError as error:
        raise Unwritable("the copy of standard output cannot be written", directory, error) from error
    raise ProjectError(f"{directory} has {MAX_RUNS_OF_ONE_NAME} outputs of runs named {base!r}; choose another name")
