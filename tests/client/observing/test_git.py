"""Git is asked in bounded time, and says in words why it cannot answer."""

import os
import subprocess

import pytest
from tests.client.observing.repositories import git

from notarium.observing.git import Git, GitFailed, excluding


def test_an_answer_a_failure_and_names(tmp_path):
    assert Git(tmp_path).ask("rev-parse", "HEAD") is None
    git(tmp_path, "init")
    (tmp_path / "a b\nc").touch()
    (tmp_path / "x.tmp").touch()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "y.tmp").touch()
    names = Git(tmp_path / "sub").names("ls-files", "--others", "-z", "--full-name", *excluding(["*.tmp"]))
    assert names == ["a b\nc"]
    assert Git(tmp_path).text("rev-parse", "--is-inside-work-tree") == "true"


def test_without_git_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GitFailed, match="git is not installed"):
        Git(tmp_path)


def test_a_git_that_hangs_is_stopped(tmp_path, monkeypatch):
    program = tmp_path / "git"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr("notarium.observing.git.LIMIT_S", 0.1)
    with pytest.raises(GitFailed, match="git took longer than"):
        Git(tmp_path).ask("status")


def test_a_repository_of_another_user_is_named_as_such(tmp_path, monkeypatch):
    git(tmp_path, "init")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    if subprocess.run(["git", "-C", tmp_path, "status"], capture_output=True, check=False).returncode == 0:
        pytest.skip("this git does not check owners")
    with pytest.raises(GitFailed, match="belongs to another user"):
        Git(tmp_path).ask("status")
