"""Whom a submission makes us ask: nobody but the nodes of whoever verifies."""

import pytest
from tests.client.helpers import submit

from notarium.project import create_project
from notarium.submissions import asking
from notarium.submissions.asking import ask
from notarium.submissions.enclosed import enclosed_in
from notarium.verifying.verification import Verifying


def asked(study, **options):
    enclosed = enclosed_in(study.folder, Verifying(study.project.genesis), offline=True, timeout=1)
    return ask(enclosed, study.project.genesis, **{"offline": False, "timeout": 5.0, **options})


def test_later_entries_and_targets_are_proven(study, ledger):
    data = study.add("data.csv")
    study.remove("data.csv")
    run = study.run("fit", ("derivedFrom", data))
    review = submit(ledger, 1, kind="review", verdict="accept", record=None, refs=[{"rel": "reviews", "entry": run}])
    answer = asked(study)
    assert {bytes(each.id) for each in answer.others} == {data, bytes(review.id)}
    assert answer.silence == ""
    assert asked(study, offline=True).others == ()


def test_a_node_that_lies_adds_nothing(study, nodes, ledger):
    run = study.run("fit")
    submit(ledger, 1, kind="review", verdict="accept", record=None, refs=[{"rel": "reviews", "entry": run}])
    for node in nodes:
        node.ledger = type(ledger)(ledger.consortium)
    # A ledger without any entry: a node can leave out, and that is all it can do.
    assert asked(study).others == ()


def test_the_submission_names_no_node(study, nodes, ledger, monkeypatch):
    study.run("fit")
    create_project(study.folder, study.project.genesis, ["http://127.0.0.1:9"], "m0", "other")
    nodes[0].requests.clear()
    assert asked(study).silence == ""
    assert [each for each in nodes[0].requests if "/v1/references/" in each]


@pytest.mark.parametrize("limit", ["MOST_ASKED", "_MOST_REFERENCES"])
def test_what_was_not_asked_is_said(study, ledger, monkeypatch, limit):
    run = study.run("fit")
    study.run("fit-2")
    for verdict in ("accept", "revise"):
        submit(ledger, 1, kind="review", verdict=verdict, record=None, refs=[{"rel": "reviews", "entry": run}])
    monkeypatch.setattr(asking, limit, 1)
    assert asked(study).silence.startswith("the ledger ")


def test_without_a_project_there_is_nobody_to_ask(study, tmp_path, monkeypatch):
    study.run("fit")
    enclosed = enclosed_in(study.folder, Verifying(study.project.genesis), offline=True, timeout=1)
    monkeypatch.chdir(tmp_path)
    answer = ask(enclosed, study.project.genesis, offline=False, timeout=1)
    assert answer.silence.startswith("the ledger was not asked: no project here")
