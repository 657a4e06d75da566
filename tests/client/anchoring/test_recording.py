"""What a researcher records about a run is in its record, and what cannot be recorded is a gap."""

import argparse
import hashlib
import os

import numpy
import pytest
from tests.client.helpers import facts_of, present, warnings_of

import notarium
from notarium.anchoring.anchor import anchor
from notarium.errors import ProjectError, UnreadableArtifact
from notarium.values.series import points
from notarium.verifying.result import VerificationStatus
from notarium.verifying.verification import verify


def test_the_content_of_an_input_is_that_at_the_time_it_was_named(project):
    path = project.root / "data.csv"
    path.write_text("before")
    with notarium.track("fit") as run:
        run.input(path)
    [artifact] = facts_of(run)["artifacts"]
    path.write_text("after!")
    assert artifact["sha256"] == hashlib.sha256(b"before").hexdigest()
    result = verify(present(run.receipt_path))
    assert [(each.what, each.detail) for each in result.findings] == [("changed", "same size, other content")]


def test_a_nested_configuration_is_recorded_by_paths_with_types_and_without_secrets(project, caplog):
    config = argparse.Namespace(
        model={"width": 64, "dropout": 0.0}, weights=numpy.arange(3), loss=len, api_key="abc123def456ghi"
    )
    with notarium.track("fit", command=["fit", "--password", "hunter2"]) as run:
        run.params(config)
        run.param("hub", {"url": "https://jane:hunter2@example.org"})
    said = facts_of(run)
    assert said["params"].keys() == {"model.width", "model.dropout", "weights", "loss", "api_key", "hub.url"}
    assert said["param_types"]["model.dropout"] == "float"
    assert said["params"]["weights"].keys() == {"dtype", "shape", "sha256"}
    assert said["command"] == ["fit", "--password", "[secret]"]
    text = present(run.record_path).read_text()
    assert "hunter2" not in text
    assert "abc123def456ghi" not in text
    left_out = [each for each in said["gaps"] if "a secret is left out" in each]
    assert len(left_out) == 3
    assert [each.removeprefix("notarium: run 'fit': ") for each in warnings_of(caplog)] == [
        each for where in ("command line", "api_key", "hub.url") for each in left_out if where in each
    ]
    assert verify(present(run.receipt_path))


def test_a_long_series_is_recorded_whole_and_verifies(project):
    with notarium.track("fit") as run:
        for step in range(5000):
            run.metric("loss", 1 / (step + 1), step)
    [said] = facts_of(run)["metrics"]
    assert (said["count"], said["last"]) == (5000, repr(1 / 5000))
    read = points([said])["loss"]
    assert [(each.step, float(each.value)) for each in read] == [(step, 1 / (step + 1)) for step in range(5000)]
    assert verify(present(run.receipt_path))


def test_logs_and_figures_are_by_products(project, caplog):
    (project.root / "run.log").write_text("from before")
    anchor("run.log", project=project)
    with notarium.track("fit") as run:
        run.log("run.log")
        run.figure("roc.png")
        run.figure("missing.png")
        (project.root / "run.log").write_text("epoch 1")
        (project.root / "roc.png").write_bytes(b"png")
    said = facts_of(run)
    assert [(each["name"], each["role"]) for each in said["artifacts"]] == [("run.log", "log"), ("roc.png", "figure")]
    assert "figure missing.png is not recorded: does not exist" in said["gaps"]
    assert not any("has changed since" in each for each in said["gaps"]), (
        "it was not used, so it is derived from nothing"
    )
    assert [each["rel"] for each in present(run.receipt).body["refs"]] == ["ends"]
    assert verify(present(run.receipt_path)).checked == "receipt + record + 2 files"


@pytest.mark.parametrize("role", ["output", "log", "figure", "stdout", "subject"])
def test_what_a_run_makes_is_no_input(project, role):
    (project.root / "x").write_text("x")
    with pytest.raises(ProjectError, match="is not that of an input"), notarium.track("fit", strict=True) as run:
        run.input("x", role)
    with pytest.raises(ProjectError, match="not one of the by-products"), notarium.track("fit", strict=True) as run:
        run.by_product("x", "input")


def test_an_input_that_is_edited_in_place_is_recorded_before_and_after(project, caplog):
    path = project.root / "weights.bin"
    path.write_text("before")
    with notarium.track("tune") as run:
        run.input(path)
        path.write_text("after the training")
        run.output(path)
    first, second = facts_of(run)["artifacts"]
    assert first["sha256"] == hashlib.sha256(b"before").hexdigest()
    assert first["after"] == {"size": second["size"], "sha256": second["sha256"]}
    assert (
        "input weights.bin changed during the run: it is recorded as it was before and after" in facts_of(run)["gaps"]
    )
    assert verify(present(run.receipt_path))
    path.write_text("before")
    assert verify(present(run.receipt_path)).status is VerificationStatus.MISMATCH


def test_the_folder_of_the_record_may_be_an_output_or_an_input(project):
    out = project.root / "out"
    out.mkdir()
    (out / "model.bin").write_text("m")
    with notarium.track("fit", directory=out) as run:
        run.output(out)
    with notarium.track("next", directory=out) as run:
        run.input(out)
        run.output(out)
    with notarium.track("all") as here:
        here.input(".")
        (project.root / "result.csv").write_text("1")
        (project.root / ".DS_Store").write_text("")
    for receipt in (out / "fit.run.receipt.json", out / "next.run.receipt.json", here.receipt_path):
        result = verify(present(receipt))
        assert result, result.findings
        assert result.files
    assert verify(out), "the receipts in it are about the folder itself"
    assert any("(result.csv)" in each for each in facts_of(here)["gaps"])
    (out / "model.bin").write_text("M")
    assert verify(out).status is VerificationStatus.MISMATCH


def test_what_is_left_out_of_an_input_and_links_that_are_not_followed_are_said(project, tmp_path):
    data = project.root / "data"
    data.mkdir()
    for name in ("a.csv", "b.tmp"):
        (data / name).write_text(name)
    (tmp_path / "elsewhere").write_text("x")
    (data / "link").symlink_to(tmp_path / "elsewhere")
    with notarium.track("fit") as run:
        run.input(data, exclude=["*.tmp"])
    [artifact] = facts_of(run)["artifacts"]
    assert artifact["ignored"]["first"] == ["b.tmp"]
    assert any("the link link leads out of the artifact" in each for each in facts_of(run)["gaps"])
    with notarium.track("fit") as run:
        run.input(data, exclude=["*.tmp"], follow=True)
    assert not any("leads out" in each for each in facts_of(run)["gaps"])


@pytest.mark.parametrize("strict", [False, True])
def test_a_name_that_is_not_utf8_is_a_gap_and_no_traceback(project, caplog, strict):
    path = project.root / os.fsdecode(b"\xff.csv")
    path.write_text("x")
    (project.root / "data").mkdir()
    (project.root / "data" / path.name).write_text("x")
    (project.root / "fine.csv").write_text("x")

    def train():
        with notarium.track("fit", strict=strict) as run:
            run.input("fine.csv")
            run.output(path)
            run.output("data")
        return run

    if strict:
        with pytest.raises(UnreadableArtifact, match="not UTF-8; rename it"):
            train()
        assert (project.root / "fit.run.receipt.json").exists()
        return
    run = train()
    assert [each["name"] for each in facts_of(run)["artifacts"]] == ["fine.csv"]
    assert sum("its name is not UTF-8; rename it" in each for each in facts_of(run)["gaps"]) == 2


def test_what_is_only_referred_to_is_recorded_with_what_is_known_of_it(project, caplog):
    (project.root / "hello").write_text("hello world\n")
    with notarium.track("fit") as run:
        run.external("doi:10.5281/zenodo.1", "weights")
        run.external("QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o", copy="hello")
        run.external("no reference")
    first, second = facts_of(run)["external"]
    assert first == {"uri": "https://doi.org/10.5281/zenodo.1", "kind": "doi", "role": "weights"}
    assert second["profile"] == "unixfs-v0-2015"
    assert any(each.startswith("weights https://doi.org/") for each in facts_of(run)["gaps"])
    [warning] = warnings_of(caplog)
    assert "'no reference' is no reference" in warning
    assert verify(present(run.receipt_path)).findings == ()


def test_a_secret_in_a_reference_is_left_out(project, caplog):
    secret = "ghp_" + "a1B2c3D4" * 5
    with notarium.track("fit") as run:
        run.external(f"https://example.org/{secret}/weights")
    assert secret not in present(run.record_path).read_text()
    assert any("a secret is left out of an external reference" in each for each in facts_of(run)["gaps"])
