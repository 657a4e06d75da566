"""What ran, and on what: complete where it can be, with a gap where it cannot."""

import subprocess

from notarium.evidence.environment import command_line, describe_code, describe_environment


def git(folder, *arguments):
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def test_a_clean_work_tree_is_its_commit_and_a_changed_one_is_a_gap(tmp_path):
    git(tmp_path, "init")
    (tmp_path / "train.py").write_text("1")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    code = describe_code(tmp_path)
    assert (len(code.commit), code.dirty, code.gaps) == (40, False, ())
    assert code.to_json() == {"commit": code.commit, "dirty": False}
    (tmp_path / "train.py").write_text("2")
    (tmp_path / "new.py").write_text("")
    changed = describe_code(tmp_path)
    assert changed.dirty
    assert [gap.split()[1] for gap in changed.gaps] == ["tracked", "untracked"]


def test_without_a_repository_or_git_there_is_a_gap_and_no_commit(tmp_path, monkeypatch):
    assert describe_code(tmp_path).to_json() == {"commit": None, "dirty": None}
    monkeypatch.setenv("PATH", str(tmp_path))
    assert describe_code(tmp_path).gaps == ("git is not installed: the code that ran is not recorded",)


def test_a_git_that_hangs_is_a_gap(tmp_path, monkeypatch):
    def hang(*args, timeout, **kwargs):
        raise subprocess.TimeoutExpired("git", timeout)

    monkeypatch.setattr("notarium.evidence.environment.subprocess.run", hang)
    assert "git took longer than 5 s" in describe_code(tmp_path).gaps[0]


def test_the_environment_names_packages_and_no_person(monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    described = describe_environment()
    assert described["packages"]["msgpack"]
    assert "hunter2" not in str(described)


def test_the_command_line_has_no_absolute_path(monkeypatch):
    monkeypatch.setattr("sys.argv", ["/home/person/train.py", "--lr", "1"])
    assert command_line() == ["train.py", "--lr", "1"]
