"""Names of artifacts."""

import json

import pytest

from notarium.evidence.artifact import Artifact, relative_name
from notarium.evidence.contents import Contents, Item
from notarium.evidence.ignore import Ignored


def test_names_are_relative_and_posix(tmp_path):
    assert relative_name(tmp_path / "a" / "b", tmp_path) == "a/b"
    assert relative_name(tmp_path / "a", tmp_path / "c") == "../a"


BEFORE = Contents.of_folder([Item("a", 1, "aa" * 32), Item("b", 1, "bb" * 32), Item("c", 1, "cc" * 32)])
AFTER = Contents.of_folder([Item("a", 1, "aa" * 32), Item("b", 2, "dd" * 32), Item("d", 1, "dd" * 32)])


@pytest.mark.parametrize(
    "artifact",
    [
        Artifact.of("data.csv", "input", Contents.of_file(1, "aa" * 32), Contents.of_file(2, "bb" * 32)),
        Artifact.of("data", "input", BEFORE, AFTER),
        Artifact.of("data", "input", BEFORE),
        Artifact("x", "input", Contents.of_file(1, "aa" * 32)),
        Artifact.of("x", "output", Contents.of_folder((), ignored=Ignored(("*.tmp",), ("x.tmp",), 1))),
    ],
)
def test_an_artifact_reads_back(artifact):
    read = Artifact.from_json(json.loads(json.dumps(artifact.to_json())))
    assert (read, read.to_json()) == (artifact, artifact.to_json())


def test_only_what_changed_is_repeated():
    said = Artifact.of("data", "input", BEFORE, AFTER).to_json()["after"]
    assert [each["path"] for each in said["changed"]] == ["b", "d"]
    assert said["gone"] == ["c"]
    assert Artifact.of("data", "input", BEFORE, AFTER).last is AFTER
    assert Artifact.of("data", "input", BEFORE).last is BEFORE


def test_a_folder_has_no_media_type():
    assert Artifact.of("data.csv", "input", BEFORE).media_type == ""
    assert Artifact.of("data.csv", "input", Contents.of_file(1, "aa" * 32)).to_json()["media_type"] == "text/csv"
