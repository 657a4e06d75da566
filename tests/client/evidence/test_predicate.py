"""Where each fact stands in the statement."""

import pytest

from notarium.errors import InvalidRecordFile
from notarium.evidence.artifact import BY_PRODUCTS, Artifact
from notarium.evidence.author import Author
from notarium.evidence.contents import Contents, Item
from notarium.evidence.predicate import kind_of, predicate, predicate_type, read_predicate, subjects

AUTHOR = Author(bytes(32), "m0", "study-12")
FILE = Contents.of_file(3, "ab" * 32)
FOLDER = Contents.of_folder([Item("a", 1, "cd" * 32)])
ARTIFACTS = (Artifact("model", "output", FILE), Artifact("data", "input", FOLDER))
FACTS = {
    "name": "fit",
    "command": ["python", "fit.py"],
    "params": {"lr": 0.5},
    "param_types": {"lr": "float"},
    "seeds": {"seed": 7},
    "environment": {"python": "3.11"},
    "started": "2026-11-28T10:00:00.000Z",
    "ended": "2026-11-28T11:00:00.000Z",
    "status": "completed",
    "code": {"commit": "12" * 20, "dirty": False},
    "salt": "00" * 32,
}


def test_a_run_is_a_slsa_provenance_of_its_outputs():
    said = predicate("run", ARTIFACTS, FACTS, AUTHOR)
    assert predicate_type("run") == "https://slsa.dev/provenance/v1"
    assert said["buildDefinition"] == {
        "buildType": "urn:notarium:build:run:v1",
        "externalParameters": {each: FACTS[each] for each in ("name", "command", "params", "param_types", "seeds")},
        "internalParameters": {"environment": {"python": "3.11"}},
        "resolvedDependencies": [
            {"name": "code", "digest": {"gitCommit": "12" * 20}},
            {"name": "data", "digest": {"notarium-folder-v1": FOLDER.sha256}, "annotations": {"role": "input"}},
        ],
    }
    assert said["runDetails"]["builder"] == {"id": "urn:notarium:client"}
    assert said["runDetails"]["metadata"] == {"startedOn": FACTS["started"], "finishedOn": FACTS["ended"]}
    assert said["notarium_record"]["status"] == "completed"
    assert subjects("run", ARTIFACTS, FACTS) == [
        {"name": "model", "digest": {"sha256": "ab" * 32}, "annotations": {"role": "output"}}
    ]


@pytest.mark.parametrize("role", BY_PRODUCTS)
def test_a_by_product_is_no_output_and_nothing_that_the_run_was_made_from(role):
    artifacts = (*ARTIFACTS, Artifact("run.log", role, FILE))
    said = predicate("run", artifacts, FACTS, AUTHOR)
    before = predicate("run", ARTIFACTS, FACTS, AUTHOR)
    assert said["buildDefinition"] == before["buildDefinition"]
    assert said["runDetails"] == before["runDetails"] | {
        "byproducts": [{"name": "run.log", "digest": {"sha256": FILE.sha256}, "annotations": {"role": role}}]
    }
    assert subjects("run", artifacts, FACTS) == subjects("run", ARTIFACTS, FACTS)


def test_a_run_without_outputs_is_about_itself():
    [first] = subjects("run", ARTIFACTS[1:], FACTS)
    [other] = subjects("run", ARTIFACTS[1:], {**FACTS, "salt": "11" * 32})
    assert first["name"] == "fit"
    assert first["digest"] != other["digest"]


def test_other_kinds_have_a_predicate_of_their_own():
    assert predicate_type("dataset") == "urn:notarium:predicate:dataset:v1"
    assert [each["name"] for each in subjects("dataset", ARTIFACTS, {})] == ["model", "data"]


@pytest.mark.parametrize("kind", ["run", "dataset"])
def test_it_reads_back(kind):
    assert read_predicate(kind, predicate(kind, ARTIFACTS, FACTS, AUTHOR)) == (ARTIFACTS, FACTS, AUTHOR)
    assert kind_of({"predicateType": predicate_type(kind)}) == kind


@pytest.mark.parametrize("named", ["", "urn:notarium:predicate:run:v1", "urn:notarium:predicate:dataset", 5, None])
def test_an_unknown_type_is_refused(named):
    with pytest.raises(InvalidRecordFile, match="predicateType"):
        kind_of({"predicateType": named})
