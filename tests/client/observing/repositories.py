"""Real Git repositories for tests."""

from __future__ import annotations

import subprocess
from pathlib import Path


def git(folder: Path, *arguments: str) -> str:
    """Run Git in `folder` and return what it prints."""
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "protocol.file.allow=always")
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def repository(folder: Path, **files: str) -> str:
    """A repository with one commit of `files` (name with "__" for a dot -> text); returns the commit."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-b", "main")
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    git(folder, "add", ".")
    git(folder, "commit", "--allow-empty", "-m", "first")
    return git(folder, "rev-parse", "HEAD")
