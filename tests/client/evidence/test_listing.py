"""What is in a folder, and what is left out of it."""

import os

import pytest

from notarium.errors import UnreadableArtifact
from notarium.evidence.ignore import DEFAULTS, Rules
from notarium.evidence.inventory import Selection, hash_path
from notarium.evidence.links import Boundary
from notarium.evidence.listing import MAX_IGNORE_BYTES, Listing, rules_for


def write(root, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path)


def paths_of(root, *exclude):
    return [item.path for item in hash_path(root, Selection(exclude=exclude)).items]


def test_the_defaults_are_left_out_and_said(tmp_path):
    write(
        tmp_path,
        "a.csv",
        ".DS_Store",
        "__pycache__/x.pyc",
        ".git/config",
        "fit.run.receipt.json",
        "fit.run.record.json",
    )
    content = hash_path(tmp_path)
    assert [item.path for item in content.items] == ["a.csv"]
    assert content.ignored is not None
    assert content.ignored.to_json() == {
        "patterns": list(DEFAULTS),
        "count": 5,
        "first": [".DS_Store", ".git/", "__pycache__/", "fit.run.receipt.json", "fit.run.record.json"],
    }


def test_the_ignore_files_of_project_artifact_and_folder_count_in_this_order(tmp_path):
    (tmp_path / ".notarium").mkdir()
    root = tmp_path / "data"
    write(root, "a.csv", "a.tmp", "keep.tmp", "raw/x.csv", "raw/y.csv", "sub/z.log", "sub/keep.tmp", "z.log")
    (tmp_path / ".notariumignore").write_text("*.tmp\n/data/raw/y.csv\n/other\n")
    (root / ".notariumignore").write_text("!keep.tmp\n")
    (root / "sub" / ".notariumignore").write_text("*.log\nkeep.tmp\n")
    own = [".notariumignore", "sub/.notariumignore"]
    assert paths_of(root) == sorted([*own, "a.csv", "keep.tmp", "raw/x.csv", "z.log"])
    assert paths_of(root, "!a.tmp", "raw") == sorted([*own, "a.csv", "a.tmp", "keep.tmp", "z.log"])
    ignored = hash_path(root).ignored
    assert ignored is not None
    kept = Rules(ignored.patterns)
    assert not any(kept.leave_out_within(path, False) for path in paths_of(root))
    assert kept.leave_out_within("sub/z.log", False)


def test_an_ignore_file_that_cannot_be_used_is_named(tmp_path):
    write(tmp_path, "a/x")
    place = tmp_path / "a" / ".notariumignore"
    for data in (b"\xff", b"x" * (MAX_IGNORE_BYTES + 1), b"x" * 2000 + b"\n"):
        place.write_bytes(data)
        with pytest.raises(UnreadableArtifact, match=r"a/\.notariumignore: not usable"):
            hash_path(tmp_path)
    place.unlink()
    os.mkfifo(place)
    with pytest.raises(UnreadableArtifact, match=r"a/\.notariumignore: not usable"):
        hash_path(tmp_path)


def test_a_folder_without_anything_recorded_is_recorded_as_empty(tmp_path):
    write(tmp_path, "a", "only-tools/.DS_Store")
    (tmp_path / "x" / "y").mkdir(parents=True)
    found = hash_path(tmp_path).items
    assert [(item.path, item.is_folder) for item in found] == [("a", False), ("only-tools", True), ("x/y", True)]


def test_a_folder_that_cannot_be_listed_is_reported_and_the_others_are_listed(tmp_path, monkeypatch):
    write(tmp_path, "a/x", "b/x")
    real = os.scandir

    def refuse(path):
        if str(path).endswith("a"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", refuse)
    listing = Listing(tmp_path, rules_for(tmp_path, ()), Boundary.around(tmp_path))
    listing.begin()
    failed = []
    found = [each.item.path for each in listing.steps(lambda folder, _: failed.append(folder)) if each.item]
    assert (found, failed) == (["b/x"], ["a"])


def test_one_path_can_be_looked_at_alone(tmp_path):
    write(tmp_path, "a/x", "a/y", "b")
    listing = Listing(tmp_path, Rules(), Boundary.around(tmp_path), -1)
    seen = listing.look("b")
    assert seen is not None
    assert seen.item is not None
    assert seen.item.path == "b"
    assert list(listing.steps(lambda *_: None)) == []
    listing.look("a")
    assert sorted(each.item.path for each in listing.steps(lambda *_: None) if each.item) == ["a/x", "a/y"]
