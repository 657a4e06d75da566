"""The command of `notarium run` gets every signal, is waited for, and is never left behind."""

import os
import pty
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.client.helpers import NOTARIUM
from tests.client.processes import WAIT_S, script, up
from tests.support.records import recorded

from notarium.anchoring.open_runs import RunState, open_runs

CHILD = """
import subprocess, sys
grandchild = subprocess.Popen([sys.executable, "-c", {grandchild!r}])
sys.exit(grandchild.wait())
"""


def tree(grandchild):
    """`notarium run` of a command that waits for a process of its own, which prints "up"."""
    return [*NOTARIUM, "run", "--name", "fit", "--", *script(CHILD.format(grandchild=grandchild))]


class Alive:
    """A pipe that a process holds open as long as it lives."""

    def __init__(self, path):
        os.mkfifo(path)
        self._reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self.script = f"import signal; held = open({str(path)!r}, 'w'); print('up', flush=True); signal.pause()"

    def wait_for_end(self):
        """Returns when no process holds the pipe any more."""
        ready, _, _ = select.select([self._reader], [], [], WAIT_S)
        assert ready, "a process is left"
        assert os.read(self._reader, 1) == b""
        os.close(self._reader)


@pytest.fixture
def alive(tmp_path):
    return Alive(tmp_path / "alive")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGINT, signal.SIGUSR1])
def test_a_signal_goes_to_the_whole_group_of_the_command(project, number):
    grandchild = f"""
import signal, sys, time
signal.signal({int(number)}, lambda *_: sys.exit(9))
print("up", flush=True)
while True: time.sleep(0.05)  # Not pause(), which would miss a signal that comes just before it.
"""
    child = f"import signal\nsignal.signal({int(number)}, lambda *_: None)\n" + CHILD.format(grandchild=grandchild)
    with up([*NOTARIUM, "run", "--name", "fit", "--", *script(child)], start_new_session=True) as process:
        process.send_signal(number)
        assert process.wait(WAIT_S) == 9
    said = recorded("fit.run.record.json")
    assert (said["exit_code"], said["signals"]) == (9, [number.name])


def test_a_job_that_a_scheduler_ends_leaves_a_record_and_no_process(project, alive):
    with up(tree(alive.script), start_new_session=True) as process:
        process.terminate()
        assert process.wait(WAIT_S) == 143
        alive.wait_for_end()
    assert recorded("fit.run.record.json")["status"] == "interrupted"
    assert open_runs(project) == []


def test_where_notarium_is_killed_its_command_ends_too(project, alive):
    with up(tree(alive.script), start_new_session=True) as process:
        process.kill()
        process.wait(WAIT_S)
        alive.wait_for_end()
    [left] = open_runs(project)
    assert (left.name, left.state) == ("fit", RunState.SILENT)


def test_a_command_that_stops_is_stopped_and_goes_on_as_a_whole(project):
    text = "import sys; print('up', flush=True); sys.exit(len(sys.stdin.readline()))"
    with up([*NOTARIUM, "run", "--name", "fit", "--", *script(text)], start_new_session=True) as process:
        process.send_signal(signal.SIGTSTP)
        assert os.WIFSTOPPED(os.waitpid(process.pid, os.WUNTRACED)[1])
        process.send_signal(signal.SIGCONT)
        process.communicate("four\n", WAIT_S)
        assert process.returncode == 5


def test_in_a_terminal_the_command_has_the_keyboard_and_gets_ctrl_c_once(project):
    """As without `notarium`: the terminal sends the signal to both, and nobody sends it again."""
    text = """
        import signal, sys
        heard = []
        signal.signal(signal.SIGINT, lambda *_: heard.append(1))
        print("up " + input(), flush=True)
        line = input()
        print(f"heard {len(heard)} and {line}", flush=True)
    """
    command = [*NOTARIUM, "run", "--name", "fit", "--", *script(text)]
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, command)  # noqa: S606
    with os.fdopen(terminal, "r+b", buffering=0) as keyboard:
        keyboard.write(b"one\n")
        _read_until(terminal, b"up one")
        keyboard.write(b"\x03")
        _read_until(terminal, b"^C")
        keyboard.write(b"two\n")
        _read_until(terminal, b"heard 1 and two")
        _read_until(terminal, b"fit.run.receipt.json")
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert recorded("fit.run.record.json")["signals"] == ["SIGINT"]


def _read_until(terminal, text):
    seen = b""
    while text not in seen:
        try:
            part = os.read(terminal, 1024)
        except OSError:
            part = b""
        assert part, f"{text!r} does not come: {seen!r}"
        seen += part


def test_without_a_shell_the_command_is_run_all_the_same(project, cli, monkeypatch):
    real = subprocess.Popen

    def popen(command, **options):
        if command[0] == "/bin/sh":
            raise FileNotFoundError(2, "No such file or directory", "/bin/sh")
        return real(command, **options)

    monkeypatch.setattr("notarium.cli.running.subprocess.Popen", popen)
    assert cli("run", "--name", "fit", "--", sys.executable, "-c", "import sys; sys.exit(7)")[0] == 7
    assert Path("fit.run.receipt.json").exists()
