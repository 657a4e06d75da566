"""A run belongs to one process and to the folder it began in."""

import os

import pytest
from tests.client.helpers import facts_of, present, warnings_of

import notarium
from notarium.anchoring.anchor import anchor
from notarium.anchoring.lifetime import status_by_error
from notarium.verifying.verification import verify


def test_a_run_may_change_the_working_directory(project, home, monkeypatch, caplog):
    """As Hydra does: what was named before and after is found, and the receipt is where it was meant to be."""
    monkeypatch.setenv("NOTARIUM_KEY", os.path.relpath(home / "keys" / "test.key"))
    for name in ("data.csv", "plan.md"):
        (project.root / name).write_text("1")
    plan = anchor("plan.md", "preregistration", project=project)
    (project.root / "outputs" / "today").mkdir(parents=True)
    with notarium.track("fit") as run:
        run.input("data.csv")
        run.refs("preRegisteredBy", "plan.md")
        run.output("outputs/today/model")
        os.chdir("outputs/today")
        (project.root / "outputs" / "today" / "model").write_text("m")
        run.output("model")
    assert warnings_of(caplog) == []
    assert run.receipt_path == project.root / "fit.run.receipt.json"
    assert [each["name"] for each in facts_of(run)["artifacts"]] == ["data.csv", "outputs/today/model"]
    assert {"rel": "preRegisteredBy", "entry": bytes.fromhex(plan.id)} in present(run.receipt).body["refs"]
    assert verify(present(run.receipt_path))


def test_a_run_whose_working_directory_is_gone_still_ends(project):
    (project.root / "scratch").mkdir()
    with notarium.track("fit", directory="out") as run:
        os.chdir("scratch")
        os.rmdir(project.root / "scratch")
    assert run.receipt_path == project.root / "out" / "fit.run.receipt.json"
    assert present(run.receipt_path).exists()


def test_a_run_may_begin_where_the_working_directory_is_gone(project):
    (project.root / "scratch").mkdir()
    os.chdir("scratch")
    os.rmdir(project.root / "scratch")
    with notarium.track("fit", directory=project.root, project=project) as run:
        run.metric("loss", 1)
    assert run.receipt is not None or run.draft_path is not None


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (None, "completed"),
        (SystemExit(), "completed"),
        (SystemExit("out of data"), "failed"),
        (SystemExit(1), "failed"),
        (SystemExit(143), "interrupted"),
        (SystemExit(139), "failed"),
        (KeyboardInterrupt(), "interrupted"),
        (ValueError(), "failed"),
    ],
)
def test_how_a_run_ended_that_was_left_so(error, status):
    assert status_by_error(error) == status
