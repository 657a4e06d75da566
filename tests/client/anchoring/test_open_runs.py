"""Runs that began and never ended are known, and which of them still run."""

import json
import os
import subprocess
import sys

import pytest
from tests.client.processes import script, up

from notarium.anchoring.open_runs import OpenMark, RunState, forget, matching, open_runs, runs_folder
from notarium.errors import ProjectError


def mark(project, run_id="ab12", name="fit", started_ms=5):
    return OpenMark(runs_folder(project), run_id, name, started_ms, project.root / "out")


def seen_by_another_process(project):
    code = "from notarium.anchoring.open_runs import open_runs; from notarium.project import find_project\n"
    code += "for each in open_runs(find_project()): print(each.state)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.split()


def test_a_run_of_this_process_is_running_as_everybody_sees(project):
    made = mark(project)
    for _ in range(2):
        (runs_folder(project) / "ab12.open.json").read_bytes()
        [found] = open_runs(project)
        assert found.state is RunState.RUNNING
        assert seen_by_another_process(project) == ["running"]
    assert (found.id, found.name, found.started_ms, found.directory) == ("ab12", "fit", 5, project.root / "out")
    made.ended()
    assert open_runs(project) == []


def test_a_child_that_outlives_the_process_does_not_pass_for_it(project):
    """As the workers of a data loader do, whose parent was killed."""
    text = """
        import os, signal, sys, notarium
        with notarium.track("fit"):
            if os.fork() == 0:
                print("up", flush=True)
                sys.stdin.read()
                os._exit(0)
            signal.pause()
    """
    with up(script(text)) as process:
        process.kill()
        process.wait(60)
        [found] = open_runs(project)
        assert found.state is RunState.SILENT


def test_a_run_of_another_machine_is_not_judged(project):
    mark(project)._release()
    path = runs_folder(project) / "ab12.open.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "host": "elsewhere"}))
    [found] = open_runs(project)
    assert (found.state, found.host) == (RunState.ELSEWHERE, "elsewhere")


def test_a_project_that_was_moved_still_finds_the_folder(project, monkeypatch):
    mark(project).drafted(project.root / "fit.run.draft.json")
    moved = project.root.rename(project.root.with_name("moved"))
    monkeypatch.chdir(moved)
    from notarium.project import find_project

    [found] = open_runs(find_project())
    assert (found.state, found.directory, found.draft) == (
        RunState.DRAFT,
        moved / "out",
        moved / "fit.run.draft.json",
    )


def test_a_file_that_is_no_mark_hides_no_other(project):
    mark(project)
    for number, content in enumerate(["{", "[]", "{}", '{"format": "later"}', '{"format": "notarium-run-1"}']):
        (runs_folder(project) / f"{number}.open.json").write_text(content)
    os.mkfifo(runs_folder(project) / "pipe.open.json")
    assert [each.id for each in open_runs(project)] == ["ab12"]


@pytest.mark.parametrize("time", [10**17, -1, 1.5, "5", None])
def test_a_mark_with_a_time_that_cannot_be_printed_is_none(project, time):
    """Such a one ended 'runs list' and 'status'."""
    mark(project)._release()
    path = runs_folder(project) / "ab12.open.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "started_ms": time}))
    assert open_runs(project) == []


def test_a_run_is_named_by_its_name_or_the_beginning_of_its_id(project):
    made = [mark(project, "ab12", "fit"), mark(project, "ab34", "fit"), mark(project, "cd56", "late", 9)]
    found = open_runs(project)
    assert matching(found, "cd").name == "late"
    assert matching(found, "late").id == "cd56"
    for wrong in ("ab", "fit", "", "ef"):
        with pytest.raises(ProjectError, match="notarium runs list"):
            matching(found, wrong)
    for each in made:
        each.ended()


def test_an_id_from_a_file_of_somebody_else_removes_nothing_else(project):
    victim = project.folder / "x.open.json"
    victim.touch()
    forget(project, "../x")
    forget(project, "")
    assert victim.exists()
