"""The start of a run is on record from its first second, whatever ends the run."""

import asyncio
import signal
import threading

import pytest
from tests.client.helpers import facts_of, present, warnings_of
from tests.client.processes import WAIT_S, run_script, script, up
from tests.support.records import recorded

import notarium
from notarium.anchoring.delivery import deliver
from notarium.anchoring.open_runs import RunState, open_runs, runs_folder
from notarium.anchoring.outbox import outbox_of
from notarium.verifying.verification import verify


def starts(project):
    return sorted(runs_folder(project).glob("*.start.record.json"))


def test_the_end_refers_to_a_start_that_verifies(project, ledger):
    with notarium.track("fit", command=["python", "fit.py"]) as run:
        [place] = starts(project)
        assert [each.state for each in open_runs(project)] == [RunState.RUNNING]
    start, end = ledger.entries
    assert (start.body["kind"], end.body["kind"]) == ("run-start", "run")
    assert end.body["refs"] == [{"rel": "ends", "entry": start.id}]
    said = recorded(place)
    assert (said["name"], said["command"]) == ("fit", ["python", "fit.py"])
    assert said["run_id"] == facts_of(run)["run_id"]
    assert said["started"] == facts_of(run)["started"]
    assert verify(place.with_name(f"{said['run_id']}.start.receipt.json"))
    assert open_runs(project) == []
    assert sorted(each.name for each in runs_folder(project).iterdir()) == [
        f"{said['run_id']}.start.receipt.json",
        f"{said['run_id']}.start.record.json",
    ]


def test_a_sealed_start_shows_no_time(project, ledger):
    with notarium.track("fit", disclosure="sealed"):
        pass
    assert ledger.entries[0].body.keys() == {"v", "kind", "issuer", "project", "disclosure", "record"}


ENDS = {
    "os._exit": "os._exit(0)",
    "kill -9": "os.kill(os.getpid(), signal.SIGKILL)",
    "crash": "os.kill(os.getpid(), signal.SIGSEGV)",
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_a_process_that_can_do_nothing_more_leaves_its_start(project, end):
    """In the outbox at least: the process may end before any node has answered."""
    done = run_script(f"import os, signal, notarium\nwith notarium.track('fit'):\n    {end}\n")
    assert "Traceback" not in done.stderr
    [left] = open_runs(project)
    assert (left.name, left.state) == ("fit", RunState.SILENT)
    deliver(project, outbox_of(project).list(), 10)
    assert present(verify(left.start_place).receipt).body["kind"] == "run-start"


def test_a_start_reaches_the_ledger_while_the_run_goes_on(project, ledger):
    with up(
        script("import notarium\nwith notarium.track('fit'):\n    print('up', flush=True)\n    input()")
    ) as process:
        [left] = open_runs(project)
        assert left.state is RunState.RUNNING
        process.send_signal(signal.SIGSTOP)
        assert [each.state for each in open_runs(project)] == [RunState.RUNNING]
        process.send_signal(signal.SIGCONT)
        present(process.stdin).write("\n")
        present(process.stdin).flush()
        assert process.wait(WAIT_S) == 0
    assert [each.body["kind"] for each in ledger.entries] == ["run-start", "run"]


def test_a_node_that_hangs_does_not_hold_up_the_start(project, nodes):
    asked, reading = threading.Event(), threading.Event()

    async def hang(request):
        asked.set()
        await asyncio.to_thread(reading.wait, 60)

    nodes[0].fault = hang
    with notarium.track("fit", wait=0.2) as run:
        assert asked.wait(60), "it is being sent, and the run goes on"
    reading.set()
    assert run.receipt is None
    assert [each.kind for each in outbox_of(project).list()] == ["run-start", "run"]


def test_a_run_whose_start_cannot_be_recorded_goes_on_and_says_so(project, caplog):
    runs_folder(project).write_text("in its place")
    with notarium.track("fit") as run:
        pass
    assert run.receipt is not None
    assert "refs" not in run.receipt.body
    [warning] = warnings_of(caplog)
    assert "the start of the run cannot be recorded" in warning
    assert any("the start of this run was not recorded" in each for each in facts_of(run)["gaps"])


def test_without_a_key_there_is_neither_a_start_nor_a_mark(project, home):
    (home / "keys" / "test.key").unlink()
    with notarium.track("fit"):
        pass
    assert open_runs(project) == []
    assert starts(project) == []


def test_a_draft_refers_to_the_start_once_it_is_completed(project, home, cli, ledger):
    key = home / "keys" / "test.key"
    with notarium.track("fit") as run:
        key.rename(key.with_suffix(".away"))
    [left] = open_runs(project)
    assert (left.state, left.draft) == (RunState.DRAFT, project.root / "fit.run.draft.json")
    key.with_suffix(".away").rename(key)
    assert cli("complete", run.draft_path)[0] == 0
    start, end = ledger.entries
    assert end.body["refs"] == [{"rel": "ends", "entry": start.id}]
    assert open_runs(project) == []
