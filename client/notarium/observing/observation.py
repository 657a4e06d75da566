"""What surrounds one run: begun in the background when the run begins, and completed when it ends.

The start takes a few milliseconds of the run: Git, the packages and a container's image are read by a thread. What the
run loads and seeds later (libraries, GPUs, generators) is read at the end.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from notarium.observing.accelerators import machine_gpus, observe_accelerators
from notarium.observing.code import Code, observe_code
from notarium.observing.container import observe_container
from notarium.observing.determinism import Determinism
from notarium.observing.distributions import observe_conda, observe_packages
from notarium.observing.interpreter import OtherPython, is_this_python, observe_interpreter
from notarium.observing.loaded import LoadedLibraries
from notarium.observing.machine import observe_cpu, observe_memory, observe_platform, observe_threads
from notarium.observing.scheduler import observe_scheduler
from notarium.observing.script import running_script, script_of
from notarium.observing.variables import observe_variables

WAIT_S: Final = 15.0
"""How long the end of a run waits for what the background still reads. Git alone may take three times 5 s."""
ANOTHER_PROCESS: Final = (
    "the command ran in another process: its seeds, switches and loaded libraries are not observed; use "
    "notarium.track inside it for them"
)
OTHER_PACKAGES: Final = "the command is not in a Python environment that is known: its packages are not recorded"

Json = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Observed:
    """What surrounded a run."""

    environment: Json
    determinism: Json
    code: Code
    gaps: tuple[str, ...]

    @classmethod
    def nothing(cls) -> Observed:
        """Of a run that never began."""
        return cls({}, {}, Code("", None), ("what surrounded the run was not recorded",))


class Observation:
    """What surrounds a run, from its start on. Made at the start.

    Nothing here raises: what could not be read is a gap.
    """

    def __init__(
        self,
        sha256: Callable[[Path], str],
        *,
        command: Sequence[str] | None = None,
        keep_diff: bool = False,
        folder: Path | None = None,
    ) -> None:
        """`sha256`: reads a file. `command`: what runs in another process; None where the run is this process.

        `folder`: whose code is described, without a script, instead of that of the working directory.
        """
        self._sha256 = sha256
        self._command = command
        self._keep_diff = keep_diff
        self._folder = Path.cwd() if folder is None else folder
        self._script = None
        if folder is None:
            self._script = running_script(os.environ) if command is None else script_of(command)
        self._code = Code("", None, ("the code that ran was not read in time and is not recorded",))
        self._code_is_read = threading.Event()
        self._packages: Json = {}
        self._gaps: list[str] = []
        # The generators are those of this process, and a command has its own.
        self._determinism = Determinism(os.environ) if command is None else None
        self.seeded()
        # A daemon: a program whose run never ends must not wait for it.
        self._reader = threading.Thread(target=self._read, name="notarium-observing", daemon=True)
        self._reader.start()

    def seeded(self) -> None:
        """The run named a seed: compare it with the generators as they are now."""
        if self._determinism is not None:
            _part("random generators", self._determinism.observe, self._gaps)

    def code(self, wait_s: float | None = None) -> Code:
        """The code that ran, as it was at the start. What is not known after `wait_s` (WAIT_S) is a gap."""
        # In a forked process there is no such thread, and nothing to wait for.
        if self._reader.is_alive():
            self._code_is_read.wait(WAIT_S if wait_s is None else wait_s)
        return self._code

    def end(self, seeds: Iterable[Any]) -> Observed:
        """Everything. `seeds`: those that the run named."""
        self._reader.join(WAIT_S)
        code = self._code
        gaps = [*code.gaps, *self._gaps]
        if self._reader.is_alive():
            gaps.append("packages and container were not read in time and are not recorded")
        environment: Json = {**self._packages}
        for name, read in self._parts(LoadedLibraries.now(), gaps).items():
            if (found := _part(name, read, gaps)) is not None:
                environment |= found if name == "memory" else {name: found}
        determinism = self._determinism
        if determinism is None:
            return Observed(environment, {}, code, (*gaps, ANOTHER_PROCESS))
        ended = _part("determinism", lambda: determinism.end(seeds, gaps), gaps)
        return Observed(environment, ended or {}, code, tuple(gaps))

    def _parts(self, loaded: LoadedLibraries, gaps: list[str]) -> dict[str, Callable[[], Any]]:
        # Variables count as they are now: scripts set some before they import what reads them.
        environ: Mapping[str, str] = os.environ
        gpus = machine_gpus if self._command is not None else lambda: observe_accelerators(loaded, gaps)
        return {
            "platform": observe_platform,
            "cpu": observe_cpu,
            "memory": observe_memory,
            "threads": lambda: observe_threads(environ, loaded),
            "variables": lambda: observe_variables(environ),
            "scheduler": lambda: observe_scheduler(environ),
            "gpus": lambda: gpus() or None,
        }

    def _read(self) -> None:
        """In the background."""
        unread = Code("", None)
        read_code = functools.partial(observe_code, self._folder, self._script, keep_diff=self._keep_diff)
        self._code = _part("code", read_code, self._gaps) or unread
        self._code_is_read.set()
        parts: dict[str, Callable[[], Any]] = {
            "container": lambda: observe_container(os.environ, self._gaps, self._sha256)
        }
        if self._command is None or is_this_python(self._command):
            parts["python"] = observe_interpreter
            parts["packages"] = lambda: observe_packages(self._gaps, self._code.top)
            parts["conda"] = observe_conda
        elif (other := OtherPython.of(self._command)) is not None:
            parts["python"] = other.describe
            parts["packages"] = lambda: observe_packages(self._gaps, self._code.top, other.search)
            parts["conda"] = lambda: observe_conda(other.prefix)
        else:
            self._gaps.append(OTHER_PACKAGES)
        found = {name: _part(name, read, self._gaps) for name, read in parts.items()}
        self._packages = {name: value for name, value in found.items() if value is not None}


def observe_here(folder: Path, sha256: Callable[[Path], str]) -> Observed:
    """This process and the code in `folder`, as they are now: what a record is compared with."""
    return Observation(sha256, folder=folder).end(())


def _part(name: str, read: Callable[[], T], gaps: list[str]) -> T | None:
    """What `read` returns, or a gap that names what went wrong: whatever it is, the run must go on."""
    try:
        return read()
    except Exception as error:
        gaps.append(f"{name}: could not be read and is not recorded ({type(error).__name__}: {error})")
        return None
