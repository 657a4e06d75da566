"""The script or notebook that runs, by the digest of its file."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from notarium.files import read_regular

NOTEBOOK_VARIABLE = "JPY_SESSION_NAME"
"""Jupyter's server: the notebook's path."""
_NOTEBOOK_NAME = "__vsc_ipynb_file__"
"""Visual Studio Code: a name in the notebook's own module."""
MAX_BYTES = 64 * 1024 * 1024
SAVED = "the notebook's file is as it was last saved; cells that ran may differ from it"


@dataclass(frozen=True, slots=True)
class Script:
    """A file of code."""

    path: Path
    is_notebook: bool = False

    @property
    def is_installed(self) -> bool:
        """Whether it is a program of this Python's environment, and not the researcher's."""
        return self.path.is_relative_to(sys.prefix)

    def describe(self, top: Path | None) -> dict[str, Any]:
        """{name, sha256, size}; the name relative to `top`, the work tree, where it is inside. Raises OSError."""
        data = read_regular(self.path, MAX_BYTES)
        if len(data) > MAX_BYTES:
            raise OSError(0, f"larger than {MAX_BYTES // 1024**2} MiB")
        inside = top is not None and self.path.is_relative_to(top)
        name = self.path.relative_to(top).as_posix() if top is not None and inside else self.path.name
        return {"name": name, "sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}


def running_script(environ: Mapping[str, str]) -> Script | None:
    """Of this process; None in an interactive session."""
    main = sys.modules.get("__main__")
    notebook = environ.get(NOTEBOOK_VARIABLE) or getattr(main, _NOTEBOOK_NAME, None)
    if notebook and "ipykernel" in sys.modules:
        return _file(str(notebook), is_notebook=True)
    return _file(str(path)) if (path := getattr(main, "__file__", None)) else None


def script_of(command: Sequence[str]) -> Script | None:
    """The file of code that a command line names: the first argument that is a file and no option."""
    for each in command:
        if not each.startswith("-") and (found := _file(each)) is not None and _is_code(found.path):
            return found
    return None


def _file(name: str, is_notebook: bool = False) -> Script | None:
    path = Path(os.path.realpath(name))
    return Script(path, is_notebook or path.suffix == ".ipynb") if path.is_file() else None


def _is_code(path: Path) -> bool:
    """Data are arguments, too. A file of code has a suffix of code, or begins as a script does."""
    if is_source(path.name):
        return True
    try:
        return read_regular(path, 2).startswith(b"#!")
    except OSError:
        return False


_SUFFIXES = (
    *(".bash", ".c", ".cc", ".cfg", ".cmake", ".cpp", ".cu", ".cuh", ".cxx", ".f90", ".go", ".h", ".hpp", ".ini"),
    *(".ipynb", ".java", ".jl", ".js", ".lua", ".m", ".nf", ".pl", ".pxd", ".py", ".pyi", ".pyx", ".qmd", ".r"),
    *(".rmd", ".rs", ".scala", ".sh", ".slurm", ".smk", ".sql", ".stan", ".toml", ".ts", ".yaml", ".yml", ".zsh"),
)
_NAMES = frozenset({"dockerfile", "makefile", "snakefile", "requirements.txt", "environment.yml", "cmakelists.txt"})


def is_source(name: str) -> bool:
    """Whether a file of this name is code or configures it."""
    lower = name.rpartition("/")[2].lower()
    return lower in _NAMES or os.path.splitext(lower)[1] in _SUFFIXES
