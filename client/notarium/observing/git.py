"""Questions to Git about one work tree, which change nothing in it and end in bounded time."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

LIMIT_S = 5.0


class GitFailed(Exception):
    """Git could not answer; the text is a gap's reason."""


class Git:
    """Git in one folder."""

    def __init__(self, folder: Path) -> None:
        """Raises GitFailed where Git is not installed."""
        program = shutil.which("git")
        if program is None:
            raise GitFailed("git is not installed")
        self._program = program
        self.folder = folder

    def ask(self, *arguments: str, data: bytes | None = None, environ: Mapping[str, str] | None = None) -> bytes | None:
        """The output, or None where the command fails (no repository, no commit). Raises GitFailed."""
        try:
            done = subprocess.run(
                [self._program, "-C", str(self.folder), *arguments],
                input=data,
                stdin=subprocess.DEVNULL if data is None else None,
                capture_output=True,
                timeout=LIMIT_S,
                check=False,
                # Without locks, this does not disturb a git command that the user runs at the same time.
                env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C", **(environ or {})},
            )
        except subprocess.TimeoutExpired as error:
            raise GitFailed(f"git took longer than {LIMIT_S:.0f} s") from error
        except OSError as error:
            raise GitFailed(f"git could not be run ({error.strerror})") from error
        if b"dubious ownership" in done.stderr:
            raise GitFailed(
                "the repository belongs to another user, so git does not read it (git config --global --add "
                "safe.directory FOLDER allows it)"
            )
        return done.stdout if done.returncode == 0 else None

    def text(self, *arguments: str) -> str | None:
        """As `ask`, as one text without the newlines around it."""
        answer = self.ask(*arguments)
        return None if answer is None else os.fsdecode(answer).strip("\n")

    def names(self, *arguments: str) -> list[str]:
        """The paths that a command with -z lists. Raises GitFailed, also where the command fails."""
        answer = self.ask(*arguments)
        if answer is None:
            raise GitFailed(f"git {arguments[0]} fails here")
        return [os.fsdecode(each) for each in answer.split(b"\0") if each]


def excluding(patterns: Sequence[str]) -> list[str]:
    """Path specifications: the whole work tree without what matches one of `patterns`, at any depth."""
    return ["--", ":(top)", *(f":(top,exclude,glob)**/{each}" for each in patterns)]
