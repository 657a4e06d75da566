"""Data sets in Croissant's terms."""

import json

import pytest

from notarium.evidence.artifact import Artifact
from notarium.evidence.croissant import CONFORMS_TO, croissant, describe_data_sets
from notarium.evidence.inventory import hash_path


@pytest.fixture
def data(tmp_path):
    root = tmp_path / "data"
    (root / "sub").mkdir(parents=True)
    (root / "a.csv").write_text("a")
    (root / "sub" / "b.unheard").write_text("b")
    return root


def artifact_of(data):
    return Artifact.of("data", "subject", hash_path(data))


def describe(data):
    return describe_data_sets([artifact_of(data)], data.parent)


def test_an_artifact_as_a_croissant_data_set(data):
    said = croissant(artifact_of(data), {"license": "https://spdx.org/licenses/CC-BY-4.0"})
    assert (said["conformsTo"], said["@type"], said["name"]) == (CONFORMS_TO, "sc:Dataset", "data")
    assert said["license"].endswith("CC-BY-4.0")
    first, second = said["distribution"]
    assert (first["contentUrl"], first["encodingFormat"], first["contentSize"]) == ("a.csv", "text/csv", "1 B")
    assert (second["contentUrl"], second["encodingFormat"]) == ("sub/b.unheard", "application/octet-stream")
    file = Artifact.of("x.csv", "subject", hash_path(data / "a.csv"))
    assert croissant(file, {})["distribution"][0]["contentUrl"] == "x.csv"


def test_what_the_croissant_file_in_it_says_is_recorded_and_compared(data):
    said = croissant(artifact_of(data), {"license": ["CC-BY-4.0"], "version": "1.2.0", "citeAs": "x"})
    for each in said["distribution"]:
        each["contentUrl"] = f"./{each['contentUrl']}"
    said["distribution"].append({"@type": "cr:FileSet", "includes": "*.csv"})
    said["distribution"].append({"contentUrl": "https://example.org/x", "sha256": "ab" * 32})
    (data / "croissant.json").write_text(json.dumps(said))
    [about], gaps = describe(data)
    assert (about["artifact"], about["file"], about["files_compared"], gaps) == ("data", "croissant.json", 2, [])
    assert about["terms"] == {
        "name": "data",
        "version": "1.2.0",
        "license": ["CC-BY-4.0"],
        "citeAs": "x",
        "conformsTo": CONFORMS_TO,
    }
    (data / "a.csv").write_text("A")
    (data / "sub" / "b.unheard").unlink()
    [about], gaps = describe(data)
    assert about["files_compared"] == 0
    assert gaps == [
        "data set data: croissant.json says another SHA-256 of ./a.csv",
        "data set data: croissant.json names ./sub/b.unheard, which is not here",
    ]


@pytest.mark.parametrize("text", ["", "[]", '{"name": "x"}', '{"conformsTo": 1}', "[" * 100_000])
def test_another_file_of_that_name_is_a_file_like_others(data, text):
    (data / "metadata.json").write_text(text)
    assert describe(data) == ([], [])


def test_odd_fields_do_no_harm(data):
    said = {"conformsTo": [CONFORMS_TO], "name": {"@value": "x"}, "distribution": [1, {"contentUrl": 1}, {}]}
    (data / "croissant.json").write_text(json.dumps(said))
    [about], gaps = describe(data)
    assert (about["terms"]["name"], gaps) == ('{"@value": "x"}', [])
