"""A signal that ends the process of a run leaves its record first."""

import signal

import pytest
from tests.client.processes import WAIT_S, run_script, script, up
from tests.support.records import recorded

from notarium.anchoring.open_runs import RunState, open_runs

TRAINS = """
import time, notarium
with notarium.track("fit") as run:
    run.metric("loss", 0.5)
    print("up", flush=True)
    while True: time.sleep(0.05)  # Not pause(), which would miss a signal that comes just before it.
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGXCPU])
def test_a_signal_leaves_a_record_and_then_ends_the_process(project, number):
    with up(script(TRAINS)) as process:
        process.send_signal(number)
        assert process.wait(WAIT_S) == -number, "as it would have ended without the run"
    said = recorded("fit.run.record.json")
    assert (said["status"], said["signals"]) == ("interrupted", [number.name])
    assert [each["value"] for each in said["metrics"]] == ["0.5"]
    assert open_runs(project) == []


def test_both_of_two_open_runs_are_recorded(project):
    with up(script("import signal, notarium\nwith notarium.track('outer'):\n" + _indented(TRAINS))) as process:
        process.terminate()
        assert process.wait(WAIT_S) == -signal.SIGTERM
    assert {recorded(f"{name}.run.record.json")["status"] for name in ("outer", "fit")} == {"interrupted"}


def _indented(text):
    return "".join(f"    {line}\n" for line in text.splitlines())


def test_the_same_order_twice_does_not_cut_the_record_short(project):
    """A launcher passes on what the scheduler sends to all processes, too."""
    text = """
        import os, signal, notarium
        with notarium.track("fit"):
            try:
                os.kill(os.getpid(), signal.SIGTERM)
            finally:
                os.kill(os.getpid(), signal.SIGTERM)
                print("cleaned up")
    """
    done = run_script(text)
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, "cleaned up\n")
    assert recorded("fit.run.record.json")["status"] == "interrupted"


def test_a_handler_of_the_program_stays_and_its_exit_code_says_what_happened(project):
    text = "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(143))\n" + TRAINS
    with up(script(text)) as process:
        process.terminate()
        assert process.wait(WAIT_S) == 143
    assert recorded("fit.run.record.json")["status"] == "interrupted"


def test_what_is_ignored_stays_ignored(project):
    text = """
        import os, signal, notarium
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with notarium.track("fit"):
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL, "as before the run"
    """
    assert run_script(text).returncode == 0
    assert recorded("fit.run.record.json")["status"] == "completed"


def test_a_forked_worker_ends_by_a_signal_as_ever_and_records_nothing(project):
    text = """
        import multiprocessing, notarium, time
        with notarium.track("fit"):
            for _ in range(50):
                worker = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
                worker.start()
                worker.terminate()
                worker.join(30)
                assert worker.exitcode == -15, worker.exitcode
    """
    done = run_script(text)
    assert (done.returncode, done.stderr) == (0, "")
    assert recorded("fit.run.record.json")["status"] == "completed"


def test_who_catches_the_exception_each_time_is_ended_by_the_signal_in_the_end(project):
    """The pauses are those that tell a new order from the same one; nothing depends on how long they are."""
    text = """
        import notarium, os, signal, time
        from notarium.anchoring import signals
        signals._SAME_S = 0
        with notarium.track("fit"):
            while True:
                try:
                    os.kill(os.getpid(), signal.SIGTERM)
                except BaseException:
                    pass
    """
    assert run_script(text).returncode == -signal.SIGTERM
    [left] = open_runs(project)
    assert left.state is RunState.SILENT


def test_a_signal_while_the_outputs_are_hashed_leaves_a_record_that_says_what_is_missing(project):
    text = """
        import os, signal, notarium
        from notarium.anchoring import inputs
        real = inputs.hash_path
        def hashing(path, *more, **options):
            os.kill(os.getpid(), signal.SIGTERM)
            return real(path, *more, **options)
        inputs.hash_path = hashing
        open("model", "w").close()
        with notarium.track("fit") as run:
            run.output("model")
    """
    assert run_script(text).returncode == -signal.SIGTERM
    said = recorded("fit.run.record.json")
    assert (said["status"], said["artifacts"]) == ("completed", [])
    assert any("SIGTERM left no time" in each for each in said["gaps"])


def test_after_a_signal_the_hashing_takes_no_longer_than_a_scheduler_waits(project):
    text = """
        import os, signal, time, notarium
        from notarium.anchoring import inputs, signals
        signals.HASHING_S, signals._SAME_S = 0.1, 0
        inputs.hash_path = lambda *_, **__: [time.sleep(0.05) for _ in iter(int, 1)]
        open("model", "w").close()
        with notarium.track("fit") as run:
            run.output("model")
            os.kill(os.getpid(), signal.SIGTERM)
    """
    assert run_script(text).returncode == -signal.SIGTERM
    said = recorded("fit.run.record.json")
    assert (said["status"], said["artifacts"]) == ("interrupted", [])
    assert any("SIGTERM left no time" in each for each in said["gaps"])
