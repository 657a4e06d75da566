"""`notarium status`, `runs list` and `runs close`: runs that began and never ended."""

import json

import pytest
from tests.client.processes import run_script, script, up
from tests.support.records import recorded

from notarium.anchoring.open_runs import open_runs


@pytest.fixture
def killed(project):
    """A run whose process was killed; its id."""
    (project.root / "out").mkdir()
    run_script("""
        import os, signal, notarium
        with notarium.track("fit", directory="out", command=["python", "fit.py"]) as run:
            run.metric("loss", 1)
            os.kill(os.getpid(), signal.SIGKILL)
    """)
    [left] = open_runs(project)
    return left.id


def test_a_killed_run_is_listed_and_closed_honestly(project, killed, cli, ledger):
    for command in (["status"], ["runs", "list"]):
        code, out, _ = cli(*command)
        assert code == 0
        assert f"never ended {killed}  run fit  began " in out
        assert "notarium runs close ID" in out
        said = json.loads(cli(*command, "--json")[1])["runs"]
        assert [(each["id"], each["name"], each["status"]) for each in said] == [(killed, "fit", "silent")]
    code, out, err = cli("runs", "close", killed[:6])
    assert (code, err) == (0, "")
    assert out.split() == ["closed", "status", "unknown", "→", "out/fit.run.receipt.json"]
    start, end = ledger.entries
    assert (end.body["status"], end.body["refs"]) == ("unknown", [{"rel": "ends", "entry": start.id}])
    assert "ended_ms" not in end.body
    facts = recorded(project.root / "out" / "fit.run.record.json")
    assert (facts["status"], facts["run_id"], facts["command"]) == ("unknown", killed, ["python", "fit.py"])
    assert facts["started"] < facts["closed"]
    assert "ended" not in facts
    assert any("not known: its process left without a word" in each for each in facts["gaps"])
    assert cli("verify", "out/fit.run.receipt.json", "--offline")[0] == 0
    assert "every run that began here has ended" in cli("runs", "list")[1]
    assert json.loads(cli("status", "--json")[1])["runs"] == []


def test_all_closes_what_is_gone_and_leaves_what_runs(project, killed, cli, ledger):
    with up(script("import notarium\nwith notarium.track('late'):\n    print('up', flush=True)\n    input()")):
        code, out, _ = cli("runs", "close", "--all", "--json")
        assert code == 0
        [closed] = json.loads(out)["closed"]
        assert (closed["status"], closed["receipt"]) == ("anchored", "out/fit.run.receipt.json")
        code, _, err = cli("runs", "close", "late")
        assert code == 2
        assert "is running: its process records its end" in err
    assert cli("runs", "close", "--all")[0] == 0
    assert [each.body.get("status") for each in ledger.entries if each.body["kind"] == "run"] == ["unknown"] * 2


def test_a_run_is_closed_without_a_node_and_sent_later(project, killed, cli, nodes):
    nodes[0].stop()
    code, out, err = cli("runs", "close", "fit", "--timeout", "0.3")
    assert code == 5
    assert "in the outbox" in out
    assert "not anchored yet" in err
    assert open_runs(project) == []
    nodes[0].start_again()
    assert cli("status", "--flush")[0] == 0
    assert cli("verify", "out/fit.run.receipt.json", "--offline")[0] == 0


def test_an_end_that_is_signed_is_not_closed_again(project, cli, ledger, monkeypatch):
    """The process was killed between the two."""
    run_script("""
        import os, signal, notarium
        from notarium.anchoring import lifetime
        lifetime.Lifetime.signed = lambda _: os.kill(os.getpid(), signal.SIGKILL)
        with notarium.track("fit"):
            pass
    """)
    assert len(open_runs(project)) == 1
    code, _, err = cli("runs", "close", "fit")
    assert code == 0
    assert "had ended already" in err
    assert open_runs(project) == []
    assert cli("status", "--flush")[0] == 0
    assert [each.body.get("status") for each in ledger.entries if each.body["kind"] == "run"] == ["completed"]


def test_where_the_folder_is_gone_another_one_is_asked_for(project, killed, cli):
    (project.root / "out").rmdir()
    code, _, err = cli("runs", "close", "fit")
    assert code == 2
    assert "give --directory DIR" in err
    assert len(open_runs(project)) == 1
    assert cli("runs", "close", "fit", "--directory", ".")[0] == 0
    assert (project.root / "fit.run.receipt.json").exists()


def test_a_draft_is_completed_and_not_closed(project, home, cli):
    import notarium

    key = home / "keys" / "test.key"
    with notarium.track("fit"):
        key.rename(key.with_suffix(".away"))
    key.with_suffix(".away").rename(key)
    assert "draft " in cli("status")[1]
    code, _, err = cli("runs", "close", "fit")
    assert code == 2
    assert "notarium complete" in err


def test_what_to_close_must_be_said(project, cli):
    code, _, err = cli("runs", "close")
    assert code == 2
    assert "--all" in err
    assert cli("runs", "close", "nothing")[0] == 2
    assert cli("runs", "close", "--all")[0] == 0
