"""Patterns mean what they mean to Git, and none of them costs more than its length."""

import subprocess
import time

import pytest

from notarium.errors import InvalidRecordFile, ProjectError
from notarium.evidence.ignore import (
    DEFAULTS,
    MAX_PATTERN_BYTES,
    MAX_PATTERNS,
    Ignored,
    Pattern,
    Rules,
    check_exclude,
    escaped,
    read_patterns,
)

PATHS = [
    "a.tmp",
    "b.csv",
    "keep.tmp",
    "logs/x.log",
    "logs/keep/x.log",
    "deep/er/logs/x.log",
    "deep/a.tmp",
    "deep/er/b.csv",
    "build",
    "sub/build/x",
    "sub/x/y/z",
    "x[1].csv",
    "x1.csv",
    "star*.csv",
    "starry.csv",
    "#hash",
    "!bang",
    "trailing ",
    "data/2024/part-1.csv",
    "data/2024/part-12.csv",
    "data/2025/raw/part-1.csv",
]


@pytest.mark.parametrize(
    "text",
    [
        "*.tmp",
        "*.tmp\n!keep.tmp",
        "!keep.tmp\n*.tmp",
        "logs/",
        "logs/*\n!logs/keep/",
        "/logs",
        "build",
        "build/",
        "**/logs",
        "**/logs/*.log",
        "sub/**",
        "sub/**/z",
        "deep/**/b.csv",
        "x\\[1\\].csv",
        "x[0-9].csv",
        "x[!0-9].csv",
        "star\\*.csv",
        "star*.csv",
        "\\#hash",
        "\\!bang",
        "# a comment\n\n*.log",
        "trailing\\ ",
        "trailing ",
        "data/*/part-?.csv",
        "data/**/part-*1*.csv",
        "*/*/*/*.csv",
        "*\n!*/\n!*.csv",
        "a*b*c*.csv",
        "**",
        "/**",
        "deep/",
        "[",
        "x[z-a].csv",
        "??????",
    ],
)
def test_they_leave_out_what_git_ignores(tmp_path, text):
    for path in PATHS:
        place = tmp_path / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / ".gitignore").write_text(text + "\n")
    said = subprocess.run(
        ["git", "-C", tmp_path, "ls-files", "-z", "--others", "--exclude-standard"], capture_output=True, check=True
    )
    kept = set(said.stdout.decode().split("\0")) & set(PATHS)
    rules = Rules([each.text for each in read_patterns(text)])
    assert {path for path in PATHS if not rules.leave_out_within(path, False)} == kept


@pytest.mark.parametrize("pattern", ["*.tmp", "x/y", "/x", "x/", "!x/y/", "a*", "**/z"])
def test_the_patterns_of_a_folder_inside_are_written_for_the_artifact(tmp_path, pattern):
    for path in ("sub[1]/x/y/a.tmp", "sub[1]/a.tmp", "sub[1]/q/x/y/f", "a.tmp", "sub[1]/z/f", "x/y/f"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("")
    inner = Rules([pattern])
    outer = Rules([each.below("sub[1]") for each in read_patterns(pattern)])
    for place in tmp_path.rglob("*"):
        path = place.relative_to(tmp_path).as_posix()
        inside = path.startswith("sub[1]/") and inner.leave_out_within(path.removeprefix("sub[1]/"), place.is_dir())
        assert outer.leave_out_within(path, place.is_dir()) == inside, path


@pytest.mark.parametrize(
    ("pattern", "inside"),
    [
        ("*.tmp", "*.tmp"),
        ("/data/*.tmp", "/*.tmp"),
        ("d*/raw/", "/raw/"),
        ("!data/x", "!/x"),
        ("other/x", None),
        ("**/x", "**/x"),
        ("data", "data"),
        ("/data/", None),
        ("data/**", "**"),
    ],
)
def test_the_patterns_of_the_project_are_written_for_the_artifact_in_it(pattern, inside):
    [read] = read_patterns(pattern)
    assert read.inside(["data"]) == inside


def test_a_name_is_escaped_so_that_it_matches_itself_alone():
    name = "a*[b]?\\c"
    rules = Rules([escaped(name)])
    assert rules.leave_out(name, False)
    assert not rules.leave_out("aX[b]?\\c", False)


@pytest.mark.parametrize("pattern", ["*a" * 200 + "b", "/".join(["**", "a"] * 100) + "/b", "[a" * 300])
def test_no_pattern_of_a_stranger_takes_long(pattern):
    began = time.process_time()
    assert not Rules([pattern]).leave_out("/".join(["a" * 200] * 10), False)
    assert not Rules([pattern]).leave_out("/".join(["a"] * 1000), False)
    # Where patterns are tried again and again, this takes longer than the universe has been there.
    assert time.process_time() - began < 10


def test_what_is_too_much_is_refused_with_the_limit():
    with pytest.raises(ProjectError, match=str(MAX_PATTERNS)):
        check_exclude(["x"] * (MAX_PATTERNS + 1))
    with pytest.raises(ProjectError, match=str(MAX_PATTERN_BYTES)):
        check_exclude(["x" * (MAX_PATTERN_BYTES + 1)])
    with pytest.raises(InvalidRecordFile):
        Ignored.from_json({"patterns": ["x\0"], "count": 0, "first": []})
    with pytest.raises(InvalidRecordFile):
        Ignored.from_json({"patterns": [1], "count": 0, "first": []})


def test_what_was_ignored_reads_back():
    said = Ignored(("*.tmp",), ("x.tmp",), 1)
    assert Ignored.from_json(said.to_json()).to_json() == said.to_json()
    assert said == Ignored(("*.tmp",)), "what happens to lie there makes no other artifact"


@pytest.mark.parametrize(
    "path",
    [".DS_Store", "x/.git/config", "a/__pycache__/b.pyc", ".ipynb_checkpoints/n.ipynb", ".notarium/config.toml",
     "fit.run.receipt.json", "x/data.record.json", "fit.run.draft.json"],
)  # fmt: skip
def test_the_defaults_leave_out_what_tools_keep(path):
    assert Rules().leave_out_within(path, False)
    assert Rules([*DEFAULTS, "!*"]).leave_out(path, False) is False


def test_a_comment_is_no_pattern():
    assert Pattern.read("# x") is None
    assert Pattern.read("   ") is None
    assert Pattern.read("/") is None
