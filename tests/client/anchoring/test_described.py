"""Records say of models and data sets what these say of themselves."""

import json

from tests.client.evidence.test_models import write_weights
from tests.client.helpers import facts_of, present
from tests.support.records import recorded

import notarium
from notarium.anchoring.anchor import AnchorStatus, anchor
from notarium.evidence.croissant import CONFORMS_TO
from notarium.verifying.verification import verify


def test_a_model_that_is_anchored(project):
    write_weights(project.root / "net" / "a.safetensors", w=("F32", [2, 3]))
    anchored = anchor("net", "model", project=project, strict=True)
    [model] = recorded(anchored.record_path)["models"]
    assert model["safetensors"]["parameters"] == {"F32": 6}
    assert anchor("net", "model", project=project).status is AnchorStatus.UNCHANGED
    assert verify("net")


def test_the_models_and_data_sets_of_a_run(project):
    data = project.root / "data"
    data.mkdir()
    said = {"conformsTo": CONFORMS_TO, "name": "cohort", "distribution": [{"contentUrl": "x.csv", "sha256": "ab" * 32}]}
    (data / "croissant.json").write_text(json.dumps(said))
    write_weights(project.root / "out" / "a.safetensors", w=("F32", [2, 3]))
    with notarium.track("fit", directory=project.root / "out") as run:
        run.input(data)
        run.output(project.root / "out")
    facts = facts_of(run)
    assert facts["data_sets"][0]["terms"]["name"] == "cohort"
    assert facts["models"][0]["artifact"] == "."
    assert "data set ../data: croissant.json names x.csv, which is not here" in facts["gaps"]
    assert verify(present(run.receipt_path)).files == 1


def test_without_any_there_are_no_such_facts(project):
    (project.root / "x").write_text("x")
    assert not {"models", "data_sets"} & recorded(anchor("x", project=project).record_path).keys()
