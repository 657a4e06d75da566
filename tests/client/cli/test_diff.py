"""`notarium diff`."""

import json

import pytest

from notarium.anchoring.track import track


@pytest.fixture
def runs(project):
    for seed in (1, 2):
        with track("fit", strict=True) as run:
            run.seed(seed)
            run.metric("auc", 0.9 + seed / 100)
    return project.root


def test_two_runs(runs, cli):
    code, out, _ = cli("diff", "fit", "fit.2.run.record.json")
    assert code == 1
    assert "  auc: 0.91 → 0.92 (1.1 % apart)" in out
    assert "  seed: 1 → 2" in out
    assert "likely what the run was given (likely): seed seed (1 → 2)" in out or "what the run was given" in out
    assert out.splitlines()[-1].startswith("2 differences, ")


def test_json_has_all_of_it(runs, project, cli):
    code, out, _ = cli("diff", "fit", "fit.2", "--json")
    said = json.loads(out)
    assert (code, said["genesis_hash"]) == (1, project.genesis.hash.hex())
    assert [(each["part"], each["before"], each["after"]) for each in said["differences"]] == [
        ("metric", "0.91", "0.92"),
        ("seed", "1", "2"),
    ]
    assert [each["what"] for each in said["causes"]] == ["what the run was given"]
    assert said["before"]["anchored"]["index"] == 1, "after its start"


def test_by_the_ids_that_log_prints(runs, cli):
    first, second = (line.split()[3] for line in cli("log")[1].splitlines() if line.split()[2] == "run")
    by_id, by_name = (cli("diff", *both, "--json") for both in ((first, second), ("fit", "fit.2")))
    assert by_id[0] == by_name[0] == 1
    assert json.loads(by_id[1])["differences"] == json.loads(by_name[1])["differences"]
    code, _, err = cli("diff", "fit", "abcdef")
    assert (code, "abcdef has no record" in err) == (3, True)


def test_what_is_here(runs, cli):
    code, out, _ = cli("diff", "fit")
    assert (code, "not compared: parameters, seeds, metrics" in out) == (0, True)
    assert json.loads(cli("diff", "fit", "--json")[1])["after"] == "here"


def test_nothing_differs(runs, cli):
    code, out, _ = cli("diff", "fit", "fit")
    assert code == 0
    assert out.startswith("0 differences, ")


def test_a_record_without_a_receipt_is_said(runs, cli):
    (runs / "fit.run.receipt.json").unlink()
    code, _, err = cli("diff", "fit", "fit.2")
    assert (code, "fit has no receipt: its record is the word of its author only" in err) == (1, True)


@pytest.mark.parametrize("name", ["nowhere", "fit.3"])
def test_what_is_not_there_is_said(runs, cli, name):
    code, _, err = cli("diff", "fit", name)
    assert (code, f"{name} has no record" in err) == (3, True)


def test_names_from_outside_do_not_play_with_the_terminal(project, cli):
    for value in ("a", "[red]\x1b[31m"):
        with track("fit", strict=True) as run:
            run.param("[bold]name\x1b[0m", value)
    _, out, _ = cli("diff", "fit", "fit.2")
    assert "[red]" in out
    assert "[bold]name" in out
    assert "\x1b" not in out
