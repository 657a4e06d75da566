"""A submission as it comes: what thirteen times "verified" did not say."""

import json
import tempfile

import pytest
from tests.client.helpers import change_a_byte, submit

from notarium.anchoring.commit import Ref


@pytest.fixture
def sent(study):
    """A plan that was changed, a run on it, a retracted run, and a paper on two runs that were not sent."""
    plan = study.add("plan.md", "preregistration")
    data = study.add("data.csv")
    kept = study.run("kept", ("preRegisteredBy", plan), ("derivedFrom", data))
    wrong = study.run("wrong", ("preRegisteredBy", plan), ("derivedFrom", data))
    hidden = [study.run(f"hidden-{number}", ("preRegisteredBy", plan)) for number in range(2)]
    study.retract("why.md", wrong)
    refs = [Ref("derivedFrom", each) for each in (kept, *hidden)]
    study.add("paper.md", "publication", fields={"identifier": "doi:10.1/x"}, refs=refs)
    study.add("plan.md", "preregistration", text="another plan")
    study.remove("hidden")
    return study


def said(cli, *arguments):
    code, out, _ = cli("verify", *arguments, "--json")
    return code, json.loads(out)


def marks(document):
    """File name -> the kinds of the marks of its entry, and then of the remarks on it."""
    return {
        row["path"].rpartition("/")[2].removesuffix(".receipt.json"): [
            each["kind"] for each in (*row["marks"], *row["to_know"])
        ]
        for row in document["results"]
        if row["marks"] or row["to_know"]
    }


def test_a_retracted_run_a_changed_plan_and_two_missing_runs_are_not_thirteen_times_verified(sent, cli):
    code, document = said(cli, sent.folder)
    assert {row["status"] for row in document["results"]} == {"verified"}
    assert (code, document["status"]) == (4, "incomplete-evidence")
    found = marks(document)
    assert found == {
        "kept.run": ["not enclosed", "rests on"],
        "wrong.run": ["retracted", "not enclosed", "rests on"],
        "plan.md": ["changed"],
        "paper.md": ["not enclosed", "not enclosed"],
    }
    [page] = document["submissions"]
    assert page["summary"] == "6 entries: 6 verified · 1 retracted · 1 changed · 2 rests on · 3 not enclosed"
    assert page["silence"] is None


def test_a_zip_says_the_same_and_leaves_nothing_behind(sent, cli, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    by_folder, by_zip = said(cli, sent.folder), said(cli, sent.zip())
    assert by_zip[0] == by_folder[0]
    assert marks(by_zip[1]) == marks(by_folder[1])
    assert all(row["path"].startswith(f"{sent.project.root}/submission.zip/") for row in by_zip[1]["results"])
    assert str(tmp_path / "temporary") not in json.dumps(by_zip[1])
    assert list((tmp_path / "temporary").iterdir()) == []


def test_offline_says_that_the_ledger_was_not_asked(sent, cli):
    sent.remove("why.md")
    code, document = said(cli, sent.folder, "--offline")
    [page] = document["submissions"]
    assert code == 4
    assert page["silence"] == "no node was asked (--offline)"
    assert "retracted" not in marks(document)["wrong.run"]
    # The retraction is not enclosed, and the ledger has it.
    assert "retracted" in marks(said(cli, sent.folder)[1])["wrong.run"]


def test_runs_of_an_enclosed_plan_that_were_left_out_are_found_on_the_ledger(study, cli):
    plan = study.add("plan.md", "preregistration")
    study.run("good", ("preRegisteredBy", plan))
    study.run("bad", ("preRegisteredBy", plan), status="failed")
    assert said(cli, study.folder)[0] == 0, "a failed run, honestly enclosed, is no defect"
    study.remove("bad")
    code, document = said(cli, study.folder)
    [left_out] = document["submissions"][0]["left_out"]
    assert code == 4
    assert left_out.startswith("run failed ")
    assert "preRegisteredBy" in left_out
    assert said(cli, study.folder, "--offline")[0] == 0


def test_runs_on_an_earlier_plan_are_runs_of_the_study(study, cli):
    plan = study.add("plan.md", "preregistration")
    study.run("hidden", ("preRegisteredBy", plan))
    study.remove("hidden")
    plan = study.add("plan.md", "preregistration", text="another plan")
    study.run("good", ("preRegisteredBy", plan))
    [left_out] = said(cli, study.folder)[1]["submissions"][0]["left_out"]
    assert left_out.startswith("run completed ")


def test_a_run_that_was_started_and_never_ended_is_left_out(study, ledger, cli):
    """Whoever tries ten seeds leaves ten starts."""
    plan = study.add("plan.md", "preregistration")
    body = {"kind": "run-start", "issuer": "m0", "project": study.project.name}
    refs = [{"rel": "preRegisteredBy", "entry": plan}]
    ended, open_ = (bytes(submit(ledger, 0, **body, refs=refs).id) for _ in range(2))
    study.run("good", ("preRegisteredBy", plan), ("ends", ended))
    code, document = said(cli, study.folder)
    [left_out] = document["submissions"][0]["left_out"]
    assert code == 4
    assert left_out.startswith(f"run-start entry {open_.hex()} of m0")


def test_a_run_that_was_left_out_and_its_start_are_one(study, ledger, cli):
    plan = study.add("plan.md", "preregistration")
    refs = [{"rel": "preRegisteredBy", "entry": plan}]
    start = submit(ledger, 0, kind="run-start", issuer="m0", project=study.project.name, refs=refs)
    study.run("hidden", ("preRegisteredBy", plan), ("ends", bytes(start.id)))
    study.remove("hidden")
    [left_out] = said(cli, study.folder)[1]["submissions"][0]["left_out"]
    assert left_out.startswith("run completed ")


def test_a_plan_that_came_after_its_run_began_is_no_plan(study, cli):
    data = study.add("data.csv")
    began = study.now_ms
    plan = study.add("plan.md", "preregistration")
    study.run("good", ("preRegisteredBy", plan), ("derivedFrom", data), started_ms=began - 10_000)
    code, document = said(cli, study.folder)
    assert code == 4
    assert marks(document) == {"plan.md": ["after its data"], "good.run": ["late", "after its data", "after its data"]}
    texts = {each["text"]: each["weighty"] for row in document["results"] for each in row["to_know"]}
    assert texts == {
        "preRegisteredBy plan.md (#1), which was decided 11 seconds after this began": True,
        "derivedFrom data.csv (#0), which was decided 10 seconds after this began": False,
        "anchored after data.csv (#0), on which good.run (#2) rests": False,
    }


def test_the_outcome_and_the_gravest_result_count(study, cli):
    study.run("bad", status="failed")
    code, out, _ = cli("verify", study.folder)
    assert code == 0
    assert out.startswith("verified (the run failed) ")
    assert cli("verify", study.folder, "--fail-on", "failed")[0] == 6
    assert "1 entry: 1 verified · 1 failed" in out.splitlines()[-2]
    study.add("data.csv")
    change_a_byte(study.folder / "data.csv")
    assert cli("verify", study.folder)[0] == 1
    assert cli("verify", study.zip())[0] == 1


def test_what_a_stranger_says_is_shown_as_theirs(study, ledger, cli):
    run = study.run("good")
    refs = [{"rel": "supersedes", "entry": run}]
    submit(ledger, 1, kind="retraction", reason="we dislike it", record=None, refs=refs)
    submit(ledger, 1, kind="replication", outcome="not-reproduced", refs=[{"rel": "replicates", "entry": run}])
    code, document = said(cli, study.folder)
    texts = [each["text"] for each in document["results"][0]["marks"]]
    assert (code, marks(document)) == (0, {"good.run": ["disputed", "disputed"]})
    assert texts == ["retracted by a stranger, m1", "not reproduced by another member"]


def test_no_stranger_weighs_on_a_submission(study, ledger, cli):
    """Anybody may write that somebody else's entry is replaced."""
    run = study.run("good")
    submit(ledger, 1, kind="dataset", refs=[{"rel": "supersedes", "entry": run}])
    code, document = said(cli, study.folder)
    assert (code, marks(document)) == (0, {"good.run": ["replaced"]})
    study.add("better.csv", refs=[Ref("supersedes", run)])
    assert said(cli, study.folder)[0] == 4


def test_a_single_path_keeps_its_verdict(sent, cli):
    code, document = said(cli, sent.folder / "wrong.run.receipt.json")
    assert (code, document["submissions"]) == (0, [])


def test_a_zip_without_a_receipt_is_a_file_like_any_other(study, cli, project):
    (study.folder / "x").write_text("x")
    archive = study.zip()
    assert said(cli, archive, "--offline")[0] == 3
    cli("anchor", archive)
    code, document = said(cli, archive)
    assert (code, document["submissions"]) == (0, [])


def test_a_zip_that_cannot_be_unpacked_hides_no_other_verdict(study, cli, monkeypatch):
    study.run("fit")
    archive = study.zip()
    data = bytearray(archive.read_bytes())
    data[data.index(b"PK\x01\x02")] ^= 0xFF
    archive.write_bytes(data)
    change_a_byte(study.folder / "fit.out")
    receipt = study.folder / "fit.run.receipt.json"
    for paths in ((archive, receipt), (receipt, archive)):
        code, document = said(cli, *paths, "--offline")
        assert (code, {row["status"] for row in document["results"]}) == (1, {"not-anchored", "mismatch"})
    assert "is a damaged zip" in cli("verify", archive, "--offline")[1]
    monkeypatch.setattr("notarium.submissions.archive.MAX_MEMBERS", 0)
    code, out, _ = cli("verify", study.zip(), "--offline")
    assert (code, "at most 0 allowed; unpack it yourself" in out) == (3, True)


def test_a_node_that_does_not_answer_changes_no_verdict_and_is_said(study, nodes, cli):
    study.run("good")
    for each in nodes:
        each.stop()
    code, document = said(cli, study.folder, "--timeout", "0.3")
    assert code == 0
    assert "no node gave a usable answer" in document["submissions"][0]["silence"]
    _, out, _ = cli("verify", study.folder, "--timeout", "0.3")
    assert "no node could be asked" in out
