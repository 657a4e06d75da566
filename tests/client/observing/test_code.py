"""The code that ran: a commit, and what separates the work tree from it."""

import hashlib
import json
import os
import subprocess

import pytest
from tests.client.helpers import present
from tests.client.observing.repositories import git, repository

from notarium.observing.code import MAX_SOURCE_BYTES, observe_code
from notarium.observing.script import SAVED, Script


@pytest.fixture
def work(tmp_path):
    repository(tmp_path / "work", train__py="first\n", conf__toml="x = 1\n")
    return tmp_path / "work"


def state(folder):
    """Everything that a question may not change: index and objects."""
    objects = sorted(each.relative_to(folder) for each in (folder / ".git" / "objects").rglob("*") if each.is_file())
    return (folder / ".git" / "index").read_bytes(), objects, git(folder, "status", "--porcelain")


def test_a_clean_work_tree_is_its_commit(work):
    code = observe_code(work)
    assert code.gaps == ()
    assert code.to_json() == {
        "commit": git(work, "rev-parse", "HEAD"),
        "dirty": False,
        "tree": git(work, "rev-parse", "HEAD^{tree}"),
        "branch": "main",
    }
    git(work, "checkout", "--detach")
    assert "branch" not in observe_code(work).facts


def test_what_differs_is_a_patch_that_gives_back_the_code_that_ran(work, tmp_path):
    (work / "train.py").write_text("second\n")
    (work / "new.py").write_text("new, and no newline at the end")
    (work / "empty.py").touch()
    (work / "name with ä.py").write_text("1\n")
    (work / "conf.toml").unlink()
    before = state(work)
    code = observe_code(work, keep_diff=True)
    assert state(work) == before
    assert code.dirty
    patch = present(code.patch)
    assert code.facts["diff"] == {"sha256": hashlib.sha256(patch).hexdigest(), "size": len(patch)}
    assert code.facts["untracked"] == [
        {"path": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name in ("empty.py", "name with ä.py", "new.py")
        for data in [(work / name).read_bytes()]
    ]
    assert [gap.split()[1] for gap in code.gaps] == ["tracked", "untracked"]
    clone = tmp_path / "clone"
    git(tmp_path, "clone", str(work), str(clone))
    (tmp_path / "patch").write_bytes(patch)
    git(clone, "apply", str(tmp_path / "patch"))
    assert (clone / "train.py").read_text() == "second\n"
    assert (clone / "new.py").read_text() == "new, and no newline at the end"
    assert (clone / "empty.py").exists()
    assert (clone / "name with ä.py").exists()
    assert not (clone / "conf.toml").exists()


def test_the_digest_depends_on_the_change_and_not_on_the_configuration(work):
    lines = [f"line {number}\n" if number % 4 else "\n" for number in range(60)]
    (work / "train.py").write_text("".join(lines))
    git(work, "commit", "-a", "-m", "long")
    lines[18] = lines[38] = "changed\n"
    (work / "train.py").write_text("".join(lines))
    first = observe_code(work)
    assert first.patch is None
    for name, value in (
        ("diff.noprefix", "true"),
        ("diff.context", "9"),
        ("diff.interHunkContext", "20"),
        ("diff.suppressBlankEmpty", "true"),
        ("diff.algorithm", "patience"),
        ("diff.external", "false"),
        ("core.abbrev", "4"),
        ("color.ui", "always"),
        ("diff.mnemonicPrefix", "true"),
    ):
        git(work, "config", name, value)
    assert observe_code(work).facts["diff"] == first.facts["diff"]
    (work / "train.py").write_text("third!\n")
    assert observe_code(work).facts["diff"] != first.facts["diff"]


def test_binary_files_are_in_the_patch_with_their_bytes(work, tmp_path):
    (work / "train.py").write_bytes(bytes(range(256)))
    patch = observe_code(work, keep_diff=True).patch
    git(work, "stash")
    subprocess.run(["git", "apply", "-"], cwd=work, input=patch, check=True)
    assert (work / "train.py").read_bytes() == bytes(range(256))


def test_files_of_notarium_never_count(work):
    for name in ("data.receipt.json", "fit.run.record.json", "fit.run.draft.json", "fit.run.0.code.patch"):
        (work / name).write_text("{}")
    (work / "sub" / ".notarium").mkdir(parents=True)
    (work / "sub" / ".notarium" / "project.toml").touch()
    (work / "sub" / "out.run.receipt.json").write_text("{}")
    for name in (".ipynb_checkpoints/fit.ipynb", ".gitattributes", ".notariumignore"):
        (work / "sub" / name).parent.mkdir(exist_ok=True)
        (work / "sub" / name).write_text("{}")
    code = observe_code(work)
    assert code.gaps == ()
    assert not {"untracked", "untracked_others", "diff"} & code.facts.keys()
    git(work, "add", "-f", ".")
    git(work, "commit", "-m", "receipts")
    (work / "data.receipt.json").write_text("{ }")
    assert not observe_code(work).dirty


def test_untracked_files_that_are_not_code_are_counted(work):
    (work / "data.csv").write_text("1")
    (work / "long.py").write_bytes(b"#" * (MAX_SOURCE_BYTES + 1))
    (work / "link.py").symlink_to("train.py")
    (work / ".gitignore").write_text("ignored.py\n.gitignore\n")
    (work / "ignored.py").touch()
    code = observe_code(work)
    assert "untracked" not in code.facts
    assert code.facts["untracked_others"] == 1
    assert not code.dirty
    [gap] = code.gaps
    assert gap.startswith("2 untracked source(s) are not recorded")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:secret@host/lab/x.git", "https://host/lab/x.git"),
        ("git@host:lab/x.git", "host:lab/x.git"),
        ("/home/person/x.git", None),
    ],
)
def test_the_remote_has_no_credentials(work, url, shown):
    git(work, "remote", "add", "origin", url)
    assert observe_code(work).facts.get("remote") == shown


def test_the_remote_is_the_one_that_the_branch_follows(work):
    git(work, "remote", "add", "origin", "https://host/fork.git")
    git(work, "remote", "add", "upstream", "https://host/original.git")
    git(work, "config", "branch.main.remote", "upstream")
    assert observe_code(work).facts["remote"] == "https://host/original.git"


def test_where_git_cannot_compare_the_commit_is_known_and_the_state_is_not(work):
    # A clean filter that fails, as that of a missing git-lfs.
    git(work, "config", "filter.x.clean", "false")
    git(work, "config", "filter.x.required", "true")
    (work / ".git" / "info").mkdir(exist_ok=True)
    (work / ".git" / "info" / "attributes").write_text("*.py filter=x\n")
    (work / "train.py").write_text("other\n")
    code = observe_code(work)
    assert code.commit == git(work, "rev-parse", "HEAD")
    assert code.dirty is None
    assert code.exact_commit == ""
    assert code.to_json()["dirty"] is None
    assert "whether the code that ran is commit" in code.gaps[-1]


def test_a_name_that_is_not_utf8_is_a_gap(work):
    (work / os.fsdecode(b"\xff.py")).touch()
    (work / "fine.py").touch()
    code = observe_code(work)
    assert [each["path"] for each in code.facts["untracked"]] == ["fine.py"]
    assert any(gap.startswith("1 untracked source(s) are not recorded") for gap in code.gaps)
    json.dumps(code.to_json(), ensure_ascii=False).encode()


def test_submodules_are_recorded_with_their_commits(work, tmp_path):
    commit = repository(tmp_path / "library", lib__py="1\n")
    git(work, "submodule", "add", str(tmp_path / "library"), "vendor/lib (new)")
    git(work, "commit", "-m", "library")
    code = observe_code(work)
    assert code.facts["submodules"] == [{"path": "vendor/lib (new)", "commit": commit, "state": "as committed"}]
    assert code.gaps == ()
    inside = work / "vendor" / "lib (new)"
    git(inside, "commit", "--allow-empty", "-m", "other")
    code = observe_code(work)
    assert code.facts["submodules"][0]["state"] == "other commit"
    assert code.facts["submodules"][0]["commit"] == git(inside, "rev-parse", "HEAD")
    assert code.dirty
    assert any(gap.startswith("submodule(s) that are not at the recorded commit") for gap in code.gaps)
    git(inside, "checkout", commit)
    (inside / "lib.py").write_text("2\n")
    code = observe_code(work)
    assert code.dirty
    assert code.facts["submodules"][0]["state"] == "changed"
    assert "submodule vendor/lib (new) has changes of its own, which are not in the diff" in code.gaps


def test_without_a_repository_a_commit_or_git_there_is_a_gap(tmp_path, monkeypatch):
    nothing = {"commit": None, "dirty": None}
    assert observe_code(tmp_path).to_json() == nothing
    git(tmp_path, "init")
    assert observe_code(tmp_path).to_json() == nothing
    monkeypatch.setenv("PATH", str(tmp_path))
    assert observe_code(tmp_path).gaps == ("git is not installed: the code that ran is not recorded",)


def test_the_script_has_a_digest_also_outside_of_a_repository(tmp_path, work):
    script = tmp_path / "alone.py"
    script.write_text("1")
    code = observe_code(tmp_path, Script(script))
    assert code.to_json()["script"]["sha256"] == hashlib.sha256(b"1").hexdigest()
    assert code.commit == ""
    inside = observe_code(work, Script(script))
    assert "alone.py is outside of the work tree" in inside.gaps[-1]
    gone = observe_code(work, Script(work / "gone.py"))
    assert "gone.py could not be read" in gone.gaps[-1]


def test_a_run_that_changed_its_folder_still_finds_the_script_s_repository(tmp_path, work):
    code = observe_code(tmp_path, Script(work / "train.py"))
    assert code.facts["script"]["name"] == "train.py"
    assert code.commit == git(work, "rev-parse", "HEAD")


def test_of_a_notebook_only_the_saved_form_is_known(work):
    (work / "fit.ipynb").write_text("{}")
    assert SAVED in observe_code(work, Script(work / "fit.ipynb", is_notebook=True)).gaps
