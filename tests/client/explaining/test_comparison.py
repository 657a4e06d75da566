"""Two records side by side, and one beside what is here."""

from dataclasses import replace
from pathlib import Path

import pytest

from notarium.anchoring.anchor import anchor
from notarium.anchoring.track import track
from notarium.evidence.record import Record
from notarium.explaining import comparison
from notarium.explaining.at_hand import Side
from notarium.explaining.comparison import compare, compare_with_here
from notarium.explaining.lines import Part
from notarium.explaining.opening import open_record
from notarium.observing.observation import observe_here


@pytest.fixture
def runs(project):
    """Two runs that differ in a parameter, in their data and in what they measured."""
    for number in (1, 2):
        (project.root / "data.csv").write_text(f"a,{number}\n")
        with track("fit", strict=True) as run:
            run.input("data.csv")
            run.params({"lr": 0.1 * number, "epochs": 3})
            run.seed(7)
            run.metric("auc", 0.9 + number / 100)
            (project.root / f"model-{number}.bin").write_text("weights")
            run.output(f"model-{number}.bin")
    return [open_record(project.root / name, project.genesis).side for name in ("fit", "fit.2")]


def test_two_runs(runs):
    found = compare(*runs)
    said = [(str(each.part), each.name) for each in found.differences]
    assert ("parameter", "lr") in said
    assert ("parameter", "epochs") not in said
    assert ("metric", "auc") in said
    assert ("file", "input data.csv") in said
    assert ("file", "output model-1.bin") in said, "the same content by another name"
    assert found.same > 10
    same = compare(runs[0], runs[0])
    assert same.differences == ()
    assert same.same > found.same


@pytest.mark.parametrize(("salts", "names"), [(("1", "2"), []), (("1", "1"), ["token"])])
def test_digests_of_secrets_are_compared_under_one_salt_only(tmp_path, salts, names):
    one, other = (
        Side(Record("run", (), {"params": {"token": f"[secret {digest}]"}, "secrets_salt": salt}), tmp_path / "r")
        for digest, salt in zip(("ab", "cd"), salts, strict=True)
    )
    assert [each.name for each in compare(one, other).differences] == names


def test_a_record_and_what_is_here(project):
    (project.root / "data").mkdir()
    for name in ("a.csv", "b.csv"):
        (project.root / "data" / name).write_text("x,1\n")
    (project.root / ".." / "elsewhere.csv").write_text("x")
    with track("fit", strict=True) as run:
        run.input("data")
        run.input("../elsewhere.csv")
    side = open_record(project.root / "fit", project.genesis).side
    found = compare_with_here(side)
    assert found.differences == ()
    (project.root / "data" / "a.csv").write_text("x,2\n")
    (project.root / "data" / "c.csv").write_text("")
    found = compare_with_here(side)
    assert [each.name for each in found.differences] == ["input data/a.csv", "input data/c.csv"]
    assert "input ../elsewhere.csv: outside of the folder of the record" in found.not_compared
    assert "parameters, seeds, metrics and outcome: only another run has these" in found.not_compared


def here_is(monkeypatch, environment):
    """What is observed here has this environment."""
    seen = observe_here(Path(), lambda path: "")
    monkeypatch.setattr(
        comparison, "observe_here", lambda *_: replace(seen, environment=environment(dict(seen.environment)))
    )


def test_packages_here_are_compared_by_name(project, monkeypatch):
    with track("fit", strict=True):
        pass

    def later(here):
        kept = [each for each in here["packages"] if each["name"] != "pytest"]
        [before] = [each for each in here["packages"] if each["name"] == "pytest"]
        more = [{**before, "version": "0.0.1"}, {"name": "new-one", "version": "3"}]
        return {**here, "packages": [*kept, *more], "python": {**here["python"], "version": "4"}}

    here_is(monkeypatch, later)
    found = compare_with_here(open_record(project.root / "fit", project.genesis).side)
    assert {(each.part, each.name, each.after) for each in found.differences} == {
        (Part.PACKAGE, "pytest", "0.0.1"),
        (Part.PACKAGE, "new-one", "3"),
        (Part.ENVIRONMENT, "python.version", "4"),
    }


def test_what_is_not_looked_at_here_has_not_changed(project, monkeypatch):
    with track("fit", strict=True):
        pass
    here_is(monkeypatch, lambda here: {name: here[name] for name in ("packages", "python")})
    found = compare_with_here(open_record(project.root / "fit", project.genesis).side)
    assert found.differences == ()
    assert any(
        "values of the machine and the code, which are not looked at here" in each for each in found.not_compared
    )


def test_a_data_set_has_no_environment_to_compare(project):
    (project.root / "data.csv").write_text("x")
    anchor("data.csv", project=project, strict=True)
    found = compare_with_here(open_record(project.root / "data.csv", project.genesis).side)
    assert {each.part for each in found.differences} <= {Part.CODE}
