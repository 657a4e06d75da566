"""`.gitattributes`: Git changes no line end of a receipt or a record."""

import shutil
import subprocess

import pytest

from notarium.cli.git_attributes import FILE, LINES, keep_from_git


def test_what_is_there_stays_and_nothing_is_added_twice(tmp_path):
    place = tmp_path / FILE
    place.write_text(f"*.csv text\n{LINES[0]}\n*.png binary")
    keep_from_git(tmp_path)
    once = place.read_text()
    assert once.startswith(f"*.csv text\n{LINES[0]}\n*.png binary\n#")
    assert all(once.splitlines().count(each) == 1 for each in LINES)
    keep_from_git(tmp_path)
    assert place.read_text() == once


def test_a_link_is_not_followed(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / FILE).symlink_to(secret)
    keep_from_git(tmp_path / "sub")
    assert secret.read_text() == "secret"
    assert (tmp_path / "sub" / FILE).is_symlink()


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_a_clone_that_converts_line_ends_leaves_receipts_and_records_alone(data, project, tmp_path):
    def git(*arguments):
        subprocess.run(
            ["git", "-c", "user.name=t", "-c", "user.email=t@t", *arguments], check=True, capture_output=True
        )

    keep_from_git(project.root)
    (project.root / "notes.txt").write_text("a\nb\n")
    git("init", "-q", ".")
    git("add", ".")
    git("commit", "-qm", "study")
    clone = tmp_path / "clone"
    git("clone", "-q", "-c", "core.autocrlf=true", ".", str(clone))
    assert b"\r\n" in (clone / "notes.txt").read_bytes(), "Git converts what it may"
    for name in ("data.receipt.json", "data.record.json", ".notarium/config.toml"):
        assert (clone / name).read_bytes() == (project.root / name).read_bytes()
