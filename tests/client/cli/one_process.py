"""Runs many command lines of `notarium` in one real process, which is ended where one of them hangs.

The process says after each command how it ended, so a hang is put down to the right one. Starting Python for each would
take longer than all of the commands.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HANGS_S = 300
"""For all of the commands together; far more than they need on a slow machine."""


@dataclass(frozen=True, slots=True)
class Command:
    """What to run, and where."""

    folder: Path
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ended:
    """How one command ended."""

    code: int
    out: str
    err: str
    peak_kb: int
    """The most memory that the process has had so far."""


def run_all(commands: Sequence[Command]) -> list[Ended]:
    """Run them one after another. Fails where one hangs, or ends the process."""
    asked = json.dumps([[os.fspath(each.folder), *each.arguments] for each in commands])
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=said, stderr=sys.stderr)
        try:
            process.communicate(asked.encode(), HANGS_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        said.seek(0)
        ended = [Ended(*json.loads(line)) for line in said]
    assert len(ended) == len(commands), f"hangs, or ends the process: {commands[len(ended)]}"
    return ended


def _serve() -> None:
    from notarium.cli.app import run_command

    answers = os.fdopen(os.dup(1), "w")
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        for folder, *arguments in json.load(sys.stdin):
            os.chdir(folder)
            for number, file in ((1, out), (2, err)):
                file.seek(0)
                file.truncate()
                os.dup2(file.fileno(), number)

            code = run_command(arguments)
            said = []
            for stream, file in ((sys.stdout, out), (sys.stderr, err)):
                stream.flush()
                file.seek(0)
                said.append(file.read().decode())
            print(json.dumps([int(code), *said, _peak_kb()]), file=answers, flush=True)


def _peak_kb() -> int:
    # ru_maxrss would count what the process that runs the tests held when it started this one.
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


if __name__ == "__main__":
    _serve()
