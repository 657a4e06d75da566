"""track(): it records, it anchors, and it never gets in the way."""

import asyncio
import multiprocessing
import os
import sys
import threading
import time

import pytest
from tests.client.helpers import facts_of, present, warnings_of

import notarium
from notarium.anchoring import delivery
from notarium.anchoring.anchor import anchor
from notarium.anchoring.delivery import deliver
from notarium.anchoring.drafts import read_draft
from notarium.anchoring.outbox import outbox_of
from notarium.key_files import create_key
from notarium.verifying.result import VerificationStatus
from notarium.verifying.verification import verify


class Array:
    """As NumPy's arrays behave that are not scalars."""

    shape = (2,)

    def __float__(self):
        raise TypeError("only 0-dimensional arrays can be converted to Python scalars")


def test_a_run_is_recorded_anchored_and_verifies(project, caplog):
    (project.root / "data.csv").write_text("1,2")
    (project.root / "conf.toml").write_text("x = 1")
    with notarium.track("fit") as run:
        run.input("data.csv")
        run.config("conf.toml")
        run.param("lr", 0.001)
        run.params({"layers": [1, 2], "name": "x"})
        run.seed(42)
        run.metric("auc", 0.1 + 0.2, step=3)
        run.metrics({"loss": 1})
        (project.root / "model.bin").write_bytes(b"model")
        run.output("model.bin")
        run.gap("labels were not checked")
    assert warnings_of(caplog) == []
    assert run.receipt is not None
    assert present(run.receipt_path).name == "fit.run.receipt.json"
    body = present(run.receipt).body
    assert (body["kind"], body["status"], body["project"], body["issuer"]) == ("run", "completed", "study-12", "m0")
    assert "subjects" not in body
    assert body["started_ms"] <= body["ended_ms"]
    said = facts_of(run)
    assert said["params"] == {"lr": 0.001, "layers": [1, 2], "name": "x"}
    assert [(each["name"], each["value"]) for each in said["metrics"]] == [
        ("auc", "0.30000000000000004"),
        ("loss", "1"),
    ]
    assert said["seeds"] == {"seed": 42}
    assert [(each["name"], each["role"]) for each in said["artifacts"]] == [
        ("data.csv", "input"),
        ("conf.toml", "config"),
        ("model.bin", "output"),
    ]
    assert "pynacl" in [each["name"] for each in said["environment"]["packages"]]
    assert "labels were not checked" in said["gaps"]
    assert any("Git repository" in each for each in said["gaps"])
    result = verify(present(run.receipt_path))
    assert result
    assert result.checked == "receipt + record + 3 files"


def test_two_runs_of_one_name_do_not_overwrite_each_other(project):
    names = []
    for _ in range(3):
        with notarium.track("fit") as run:
            pass
        names.append(present(run.receipt_path).name)
    assert names == ["fit.run.receipt.json", "fit.2.run.receipt.json", "fit.3.run.receipt.json"]


def test_public_runs_disclose_digests_and_sealed_ones_nothing(project):
    (project.root / "x").write_bytes(b"x")
    with notarium.track("open", disclosure="public") as run:
        run.output("x")
    assert [each["name"] for each in present(run.receipt).body["subjects"]] == ["x"]
    with notarium.track("closed", disclosure="sealed") as run:
        run.output("x")
    shown = {"v", "kind", "issuer", "project", "disclosure", "record", "status", "refs"}
    assert present(run.receipt).body.keys() == shown
    assert [each["rel"] for each in present(run.receipt).body["refs"]] == ["ends"]


def test_an_anchored_input_is_referred_to_and_a_changed_one_is_a_gap(project):
    (project.root / "data").mkdir()
    (project.root / "data" / "a.csv").write_text("1")
    (project.root / "plan.md").write_text("plan")
    dataset = anchor("data", project=project)
    plan = anchor("plan.md", "preregistration", project=project)
    with notarium.track("first") as run:
        run.input("data")
        run.refs("preRegisteredBy", "plan.md")
    refs = {each["rel"]: each["entry"].hex() for each in present(run.receipt).body["refs"]}
    assert refs.pop("ends")
    assert refs == {"preRegisteredBy": plan.id, "derivedFrom": dataset.id}
    (project.root / "data" / "a.csv").write_text("2")
    with notarium.track("second") as run:
        run.input("data")
    assert [each["rel"] for each in present(run.receipt).body["refs"]] == ["ends"]
    assert any("has changed since" in each for each in facts_of(run)["gaps"])


# It keeps out of the way.


def test_an_exception_of_the_training_goes_on_untouched_and_is_recorded(project):
    error = ValueError("diverged")
    with pytest.raises(ValueError, match="diverged") as caught, notarium.track("fit") as run:
        raise error
    assert caught.value is error
    assert present(run.receipt).body["status"] == "failed"


@pytest.mark.parametrize(
    ("error", "status"),
    [(KeyboardInterrupt(), "interrupted"), (SystemExit(0), "completed"), (SystemExit(3), "failed")],
)
def test_how_a_run_ended(project, error, status):
    with pytest.raises(type(error)), notarium.track("fit") as run:
        raise error
    assert present(run.receipt).body["status"] == status


def test_without_a_node_the_entry_waits_and_is_sent_later(project, nodes, caplog):
    nodes[0].stop()
    started = time.monotonic()
    with notarium.track("fit", wait=0.5) as run:
        pass
    assert time.monotonic() - started < 3
    assert run.receipt is None
    [warning] = warnings_of(caplog)
    assert "waits in the outbox" in warning
    assert "\n" not in warning
    assert verify(present(run.receipt_path)).status is VerificationStatus.NOT_ANCHORED
    nodes[0].start_again()
    start, sent = deliver(project, outbox_of(project).list(), 5)
    assert present(start.receipt).body["kind"] == "run-start"
    assert present(sent.receipt).id.hex() == run.id
    assert outbox_of(project).list() == []
    assert verify(present(run.receipt_path))


def test_the_next_run_takes_along_what_has_been_waiting(project, nodes):
    nodes[0].stop()
    with notarium.track("first", wait=0.3) as first:
        pass
    nodes[0].start_again()
    with notarium.track("second") as second:
        pass
    assert second.receipt is not None
    assert outbox_of(project).list() == []
    assert verify(present(first.receipt_path))


def test_a_damaged_outbox_does_not_keep_the_next_run_from_its_receipt(project):
    (project.folder / "outbox").mkdir()
    (project.folder / "outbox" / "bad.json").write_text("{")
    with notarium.track("fit") as run:
        pass
    assert run.receipt is not None


def test_a_node_that_hangs_delays_the_end_for_no_longer_than_allowed(project, nodes):
    async def never(request):
        await asyncio.sleep(60)

    nodes[0].fault = never
    started = time.monotonic()
    with notarium.track("fit", wait=0.5):
        pass
    assert time.monotonic() - started < 3


def test_a_refused_key_is_one_warning(project, home, caplog):
    (home / "keys" / "test.key").unlink()
    create_key(home / "keys" / "test.key")
    with notarium.track("fit") as run:
        pass
    [warning] = warnings_of(caplog)
    assert "not enrolled" in warning
    assert [each.kind for each in outbox_of(project).list()] == ["run-start", "run"]
    assert run.receipt is None
    assert run.outcome == "refused"


def test_without_a_project_the_record_is_kept_as_a_draft(tmp_path, home, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    with notarium.track("fit") as run:
        run.param("x", 1)
        run.output("nothing")
    assert run.receipt is None
    first, output, kept = warnings_of(caplog)
    assert first.startswith("notarium: run 'fit': no project here: run 'notarium init")
    assert "nothing: does not exist" in output
    assert kept.endswith("then run 'notarium complete fit.run.draft.json' to sign and anchor it")
    assert sorted(os.listdir(tmp_path)) == ["fit.run.draft.json", "home"]


@pytest.mark.parametrize(
    "misuse",
    [
        lambda run: run.metric("x", "high"),
        lambda run: run.refs("inventedBy", "ab" * 32),
        lambda run: run.refs("derivedFrom", "no-such-file"),
        lambda run: run.output("no-such-file"),
        lambda run: run.input("no-such-file"),
        lambda run: run.params(3),
    ],
)
def test_misuse_is_a_warning_and_the_rest_is_still_anchored(project, caplog, misuse):
    with notarium.track("fit") as run:
        misuse(run)
    assert len(warnings_of(caplog)) == 1
    assert run.receipt is not None


@pytest.mark.parametrize("value", [Array(), "high", None, True])
def test_a_metric_that_is_not_a_number_is_named(project, caplog, value):
    with notarium.track("fit") as run:
        run.metric("loss", 1)
        run.metric("auc", value)
        run.metric("auc", value, step=2)
    [warning] = warnings_of(caplog)
    assert "metric 'auc': not a number: " in warning
    assert warning.endswith("; log one number for each metric")
    assert [each["name"] for each in facts_of(run)["metrics"]] == ["loss"]


def test_a_status_that_does_not_exist_is_a_warning_with_those_that_do(project, caplog):
    with notarium.track("fit") as run:
        run.status("done")  # type: ignore[arg-type]
    [warning] = warnings_of(caplog)
    assert "status 'done' is not one of completed, failed, interrupted" in warning
    assert present(run.receipt).body["status"] == "completed"


def test_a_run_is_one_short_line_in_a_notebook(project, nodes):
    with notarium.track("fit") as run:
        assert repr(run) == "<Run 'fit' not-anchored>"
    assert repr(run) == f"<Run 'fit' anchored · {run.id[:16]}… · block 2 · #1>"
    assert "b'" not in repr(run.receipt)
    assert len(repr(run.receipt)) < 120
    nodes[0].stop()
    with notarium.track("later", wait=0.3) as run:
        pass
    assert repr(run) == f"<Run 'later' pending · {run.id[:16]}…>"


def test_the_entry_and_the_backlog_go_over_one_client(project, nodes, monkeypatch):
    nodes[0].stop()
    with notarium.track("first", wait=0.3):
        pass
    nodes[0].start_again()
    opened = []
    real = notarium.BlockingClient

    def open_client(*args, **kwargs):
        opened.append(1)
        return real(*args, **kwargs)

    monkeypatch.setattr(delivery, "BlockingClient", open_client)
    with notarium.track("second") as run:
        pass
    assert run.receipt is not None
    assert outbox_of(project).list() == []
    assert len(opened) == 2, "one for the start, in the background, and one for the end"


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "a\nb", "x" * 300])
def test_a_name_that_cannot_be_a_file_is_a_warning(project, caplog, name):
    with notarium.track(name) as run:
        run.param("x", 1)
    assert run.receipt is None
    assert warnings_of(caplog)
    assert read_draft(present(run.draft_path)).facts["params"] == {"x": 1}


def test_a_full_disk_is_a_warning(project, caplog, monkeypatch):
    def full(path, data, **_):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("notarium.anchoring.commit.write_atomically", full)
    with notarium.track("fit"):
        pass
    assert "No space left" in warnings_of(caplog)[0]
    assert not (project.root / "fit.run.record.json").exists()
    assert (project.root / "fit.run.draft.json").exists()


def test_a_file_in_the_place_of_the_folder_leaves_the_draft_with_the_user(project, home, cli, caplog):
    (project.root / "out").write_text("")
    with notarium.track("fit", directory="out") as run:
        run.param("x", 1)
    draft = present(run.draft_path)
    assert draft.parent == home / "state" / "drafts"
    assert f"'notarium complete {draft} --directory out'" in warnings_of(caplog)[-1]
    (project.root / "out").unlink()
    (project.root / "out").mkdir()
    assert cli("complete", draft, "--directory", "out")[0] == 0
    assert cli("verify", "out/fit.run.receipt.json")[0] == 0


def test_who_interrupts_the_hashing_keeps_what_is_known(project, monkeypatch):
    (project.root / "model").write_text("m")

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    def train():
        with notarium.track("fit") as run:
            run.metric("auc", 0.5)
            run.output("model")

    monkeypatch.setattr("notarium.anchoring.inputs.hash_path", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train()
    facts = read_draft(project.root / "fit.run.draft.json").facts
    assert [each["value"] for each in facts["metrics"]] == ["0.5"]
    assert "interrupted before all inputs and outputs were hashed" in facts["gaps"][-1]


def test_a_closed_stderr_is_no_obstacle(project, nodes, monkeypatch):
    nodes[0].stop()
    monkeypatch.setattr(sys, "stderr", None)
    with notarium.track("fit", wait=0.2):
        pass


def test_methods_may_be_called_from_many_threads(project):
    with notarium.track("fit") as run:
        threads = [threading.Thread(target=lambda n=n: run.metric("loss", n)) for n in range(20)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    assert len(facts_of(run)["metrics"]) == 20


def test_a_forked_child_does_not_anchor_the_run_again(project):
    context = multiprocessing.get_context("fork")
    with notarium.track("fit") as run:
        child = context.Process(target=run.__exit__, args=(None, None, None))
        child.start()
        child.join(20)
        assert child.exitcode == 0
        assert not list(project.root.glob("*.json"))
    assert run.receipt is not None


def test_a_pipe_in_the_place_of_an_inputs_receipt_is_a_gap(project):
    (project.root / "data.csv").write_text("1")
    os.mkfifo(project.root / "data.csv.receipt.json")
    with notarium.track("fit") as run:
        run.input("data.csv")
    assert run.receipt is not None
    assert "data.csv has a receipt beside it that does not verify" in facts_of(run)["gaps"]
