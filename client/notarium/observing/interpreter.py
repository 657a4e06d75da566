"""The Python that runs: which, which build of it, and how it was started."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

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


def is_this_python(command: Sequence[str]) -> bool:
    """Whether `command` starts in the environment of this Python, so that both have the same packages."""
    program = shutil.which(command[0]) if command else None
    return program is not None and Path(program).absolute().parent == Path(sys.executable).absolute().parent
