"""The Python that runs: which, which build of it, and how it was started."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from notarium.observing.reading import text_of

_SETTING = re.compile(r"^(version(?:_info)?)\s*=\s*(\S+)\s*$", re.MULTILINE | re.IGNORECASE)

Json = dict[str, Any]


def observe_interpreter() -> Json:
    """{implementation, version, build, compiler, optimize}; `optimize` above 0: assertions did not run."""
    return {
        "implementation": platform.python_implementation(),
        "version": platform.python_version(),
        "build": " ".join(platform.python_build()),
        "compiler": platform.python_compiler(),
        "optimize": sys.flags.optimize,
    }


def command_line() -> list[str]:
    """The arguments this process was started with, without the absolute path of the script."""
    arguments = list(sys.argv)
    if arguments and os.path.isabs(arguments[0]):
        arguments[0] = os.path.basename(arguments[0])
    return arguments


@dataclass(frozen=True, slots=True)
class OtherPython:
    """The environment of another Python, which a command starts: what its files say."""

    prefix: Path

    @classmethod
    def of(cls, command: Sequence[str]) -> OtherPython | None:
        """The virtual or conda environment that the command's program lies in."""
        program = shutil.which(command[0]) if command else None
        prefix = Path(program).absolute().parent.parent if program else None
        known = ("pyvenv.cfg", "conda-meta")
        return cls(prefix) if prefix is not None and any((prefix / each).exists() for each in known) else None

    @property
    def search(self) -> list[str]:
        """The folders with its packages."""
        return [str(each) for each in sorted(self.prefix.glob("lib/python3*/site-packages"))]

    def describe(self) -> Json:
        """{version?}."""
        said = _SETTING.findall(text_of(self.prefix / "pyvenv.cfg") or "")
        version = {name.lower(): value for name, value in said}
        found = version.get("version") or version.get("version_info")
        return {"version": found} if found else {}


def is_this_python(command: Sequence[str]) -> bool:
    """Whether `command` starts in the environment of this Python, so that both have the same packages."""
    program = shutil.which(command[0]) if command else None
    return program is not None and Path(program).absolute().parent == Path(sys.executable).absolute().parent
