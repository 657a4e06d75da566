"""What ran, and on what: Python, platform, packages, and the state of the Git work tree.

Each part lists what it cannot vouch for. Environment variables and absolute paths are never recorded: they contain
secrets and names of people.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_GIT_S = 5.0


def describe_environment() -> dict[str, Any]:
    """{python, implementation, platform, machine, cpus, packages: {name: version}}."""
    packages: dict[str, str] = {}
    for each in importlib.metadata.distributions():
        # A damaged installation may have no name; it cannot be recorded, and must not stop the run.
        name = each.metadata["Name"] if each.metadata else None
        if name:
            packages[str(name).lower()] = str(each.version)
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpus": os.cpu_count() or 0,
        "packages": packages,
    }


@dataclass(frozen=True, slots=True)
class Code:
    """The code that ran, as far as Git knows it."""

    commit: str
    """Hex; "" where there is no commit."""
    dirty: bool
    gaps: tuple[str, ...]
    """What this does not vouch for."""

    def to_json(self) -> dict[str, Any]:
        """{commit?, dirty}."""
        return {"commit": self.commit, "dirty": self.dirty} if self.commit else {"commit": None, "dirty": None}


def describe_code(folder: Path) -> Code:
    """The state of the Git work tree that holds `folder`."""
    git = shutil.which("git")
    if git is None:
        return Code("", False, ("git is not installed: the code that ran is not recorded",))
    try:
        commit = _git(git, folder, "rev-parse", "--verify", "HEAD")
        changes = _git(git, folder, "status", "--porcelain", "--untracked-files=normal")
    except subprocess.TimeoutExpired:
        return Code("", False, (f"git took longer than {_GIT_S:.0f} s: the code that ran is not recorded",))
    except OSError as error:
        return Code("", False, (f"git could not be run ({error.strerror}): the code that ran is not recorded",))
    if commit is None or changes is None:
        return Code("", False, ("not in a Git repository with a commit: the code that ran is not recorded",))
    lines = changes.splitlines()
    changed = sum(not line.startswith("??") for line in lines)
    gaps: list[str] = []
    if changed:
        gaps.append(f"{changed} tracked file(s) differ from commit {commit[:12]}: this commit is not the code that ran")
    if len(lines) > changed:
        gaps.append(f"{len(lines) - changed} untracked file(s) or folder(s): code among them is not in the commit")
    return Code(commit, bool(changed), tuple(gaps))


def _git(git: str, folder: Path, *arguments: str) -> str | None:
    """Output of a git command, None where it fails (no repository, no commit)."""
    done = subprocess.run(
        [git, "-C", str(folder), *arguments],
        capture_output=True,
        timeout=_GIT_S,
        check=False,
        # Without locks, this does not disturb a git command that the user runs at the same time.
        env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
    )
    return done.stdout.decode(errors="replace").strip("\n") if done.returncode == 0 else None


def command_line() -> list[str]:
    """The arguments this process was started with, without the absolute path of the script."""
    arguments = list(sys.argv)
    if arguments and os.path.isabs(arguments[0]):
        arguments[0] = os.path.basename(arguments[0])
    return arguments
