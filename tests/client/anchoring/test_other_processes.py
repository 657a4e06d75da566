"""What other processes of a run log arrives, or the record says that it does not."""

import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.client.helpers import facts_of, warnings_of
from tests.client.processes import run_script
from tests.support.records import recorded

import notarium
from notarium.anchoring.other_processes import CALLS, Said
from notarium.anchoring.recording import Recording
from notarium.anchoring.track import Run
from notarium.errors import ProjectError

WORK = """
def work(run, number):
    import os
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), f"worker-{number}")
    os.makedirs(folder)
    os.chdir(folder)
    open("log", "w").write(str(number))
    run.metric("loss", 0.1 + number, step=number)
    run.metrics({"auc": number})
    run.param(f"worker_{number}", number)
    run.params({"lr": 0.1})
    run.seed(number, f"seed_{number}")
    run.gap(f"worker {number} saw a gap")
    run.input("log")
    run.output("log")
    with run:
        pass
"""


def handed_out(run):
    """What a worker gets."""
    return pickle.loads(pickle.dumps(run))  # noqa: S301


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_what_workers_log_arrives(project, method):
    (project.root / "work.py").write_text(WORK)
    text = f"""
        import multiprocessing, notarium
        from work import work
        with notarium.track("fit") as run:
            with multiprocessing.get_context("{method}").Pool(2) as pool:
                pool.starmap(work, [(run, number) for number in range(3)])
    """
    done = run_script(text)
    assert (done.returncode, done.stderr) == (0, "")
    said = recorded("fit.run.record.json")
    found = sorted(
        (each["name"], each["value"], each.get("step")) for each in said["metrics"] if each["name"] == "loss"
    )
    assert found == [("loss", "0.1", 0), ("loss", "1.1", 1), ("loss", "2.1", 2)]
    assert sorted(each["value"] for each in said["metrics"] if each["name"] == "auc") == ["0", "1", "2"]
    assert said["params"] == {"worker_0": 0, "worker_1": 1, "worker_2": 2, "lr": 0.1}
    assert said["seeds"] == {"seed_0": 0, "seed_1": 1, "seed_2": 2}
    assert {"worker 0 saw a gap", "worker 1 saw a gap", "worker 2 saw a gap"} <= set(said["gaps"])
    names = {f"worker-{number}/log" for number in range(3)}
    for role in ("input", "output"):
        assert {each["name"] for each in said["artifacts"] if each["role"] == role} == names


def test_the_methods_that_arrive_are_those_that_record():
    by_product = {"log", "figure"}
    given = {"seed_from_ledger", "outcome", *by_product}
    public = {name for name in {**vars(Recording), **vars(Run)} if not name.startswith("_")}
    assert public - given == CALLS


def test_a_time_is_that_of_the_call(project):
    with notarium.track("fit") as run:
        copy = handed_out(run)
        copy.metric("loss", Decimal("0.10"))
        run.metric("later", 1)
        logged = {each["name"] for each in run._values.facts()["metrics"]}
    assert logged == {"later"}
    said = {each["name"]: each for each in facts_of(run)["metrics"]}
    assert said["loss"]["value"] == "0.10"
    assert said["loss"]["time"] <= said["later"]["time"]


def test_a_run_that_was_handed_out_and_heard_nothing_says_so(project):
    with notarium.track("fit") as run:
        pickle.dumps(run)
    assert any("other processes got this run" in each for each in facts_of(run)["gaps"])
    with notarium.track("fit") as run:
        handed_out(run).metric("x", 1)
    assert not any("other processes" in each for each in facts_of(run)["gaps"])


def test_who_logs_after_the_end_is_warned(project, caplog):
    with notarium.track("fit") as run:
        late = handed_out(run)
        late.metric("x", 1)
    late.metric("y", 1)
    [warning] = warnings_of(caplog)
    assert "metric() of process" in warning
    assert "the run has ended" in warning
    assert [each["name"] for each in facts_of(run)["metrics"]] == ["x"]


def test_without_a_start_nothing_can_arrive_and_both_sides_say_so(project, home, caplog):
    (home / "keys" / "test.key").unlink()
    with notarium.track("fit") as run:
        caplog.clear()
        handed_out(run).metric("x", 1)
        [warning] = warnings_of(caplog)
    assert "is not recorded: the run has no recorded start" in warning
    assert any("nothing that they may have logged has arrived" in each for each in run._gaps)


def test_calls_keep_numbers_and_paths_as_they_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = Said(tmp_path / "said")
    said.create(said.path)
    (tmp_path / "plan").touch()
    calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
        ("metric", ("x", Decimal("1.10")), {"step": 3}),
        ("metric", ("x", 0.1), {}),
        ("params", ({"a": [1, 2.5, None, "é\udcff"]},), {}),
        ("input", (Path("data"),), {}),
        ("output", (), {"path": "model"}),
        ("refs", ("derivedFrom", "plan"), {}),
        ("refs", ("derivedFrom", bytes(32)), {}),
        ("refs", ("derivedFrom", "ab" * 32), {}),
    ]
    for method, args, kwargs in calls:
        said.add(method, args, kwargs, 7)
    found, gaps = said.take()
    assert gaps == []
    assert [(each.method, tuple(each.args), each.kwargs) for each in found] == [
        *calls[:3],
        ("input", (f"{tmp_path}/data",), {}),
        ("output", (), {"path": f"{tmp_path}/model"}),
        ("refs", ("derivedFrom", f"{tmp_path}/plan"), {}),
        ("refs", ("derivedFrom", "00" * 32), {}),
        ("refs", ("derivedFrom", "ab" * 32), {}),
    ]
    assert {(each.time_ms, each.pid) for each in found} == {(7, os.getpid())}


def test_a_damaged_line_is_a_gap_and_hides_no_other(tmp_path):
    said = Said(tmp_path / "said")
    said.create(said.path)
    said.add("param", ("a", 1), {}, 0)
    with said.path.open("ab") as file:
        file.write(b'{"call": "param", "args": [{"notarium-decimal": "x"}], "kwargs": {}, "time_ms": 0, "pid": 1}\n')
        file.write(b'{"call": "par\n{"call": "_finish", "args": [], "kwargs": {}, "time_ms": 0, "pid": 1}\n')
    said.add("param", ("b", 2), {}, 0)
    found, gaps = said.take()
    assert [each.args[0] for each in found] == ["a", "b"]
    assert gaps == ["3 call(s) of other processes of the run are damaged, as of one that was killed"]
    with pytest.raises(ProjectError, match=r"param\(\) of process \d+ is not recorded"):
        said.add("param", ("c", 3), {}, 0)


@pytest.mark.parametrize("value", ['{"notarium-decimal": "no number"}', '{"notarium-decimal": [1]}', "[" * 3000])
def test_a_value_that_nobody_can_read_damages_its_line_only(tmp_path, value):
    said = Said(tmp_path / "said")
    said.create(said.path)
    with said.path.open("a") as file:
        file.write(f'{{"call": "metric", "args": ["auc", {value}], "kwargs": {{}}, "time_ms": 0, "pid": 1}}\n')
    said.add("param", ("b", 2), {}, 0)
    found, gaps = said.take()
    assert [each.method for each in found] == ["param"]
    assert gaps == ["1 call(s) of other processes of the run are damaged, as of one that was killed"]


def test_lines_of_many_writers_do_not_mix(tmp_path):
    said = Said(tmp_path / "said")
    said.create(said.path)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: said.add("param", ("x" * 5000, number), {}, 0), range(400)))
    found, gaps = said.take()
    assert (sorted(each.args[1] for each in found), gaps) == (list(range(400)), [])
