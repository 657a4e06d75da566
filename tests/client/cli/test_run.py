"""`notarium run`: a command goes on as if it were not there."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from tests.client.helpers import NOTARIUM, notarium, present
from tests.support.records import recorded


def test_run_keeps_out_of_the_commands_streams_and_exit_code(study):
    script = "import sys; print('out'); print('err', file=sys.stderr); open('m','w').write('x'); sys.exit(7)"
    done = notarium(
        "run", "--name", "fit", "--input", "data", "--output", "m", "--param", "lr=3", "--json",
        "--", sys.executable, "-c", script,
    )  # fmt: skip
    assert done.returncode == 7
    assert done.stdout == "out\n"
    first, last = done.stderr.splitlines()
    assert first == "err"
    said = json.loads(last)
    assert (said["status"], said["exit_code"], said["receipt"]) == ("anchored", 7, "fit.run.receipt.json")
    statement = recorded("fit.run.record.json")
    assert statement["params"] == {"lr": 3}, "what was chosen, and no result"
    assert (statement["status"], statement["exit_code"]) == ("failed", 7)
    assert statement["status"] == "failed"
    assert statement["command"][1:] == ["-c", script]
    assert notarium("verify", "fit.run.receipt.json", "--offline").returncode == 0


def test_run_passes_options_of_the_command_through(study):
    done = notarium("run", "--name", "ls", "--", "echo", "--json", "-x")
    assert (done.returncode, done.stdout) == (0, "--json -x\n")


def test_run_goes_on_where_nothing_can_be_anchored(tmp_path, home, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = notarium("run", "--", "sh", "-c", "echo out; exit 5")
    assert (done.returncode, done.stdout) == (5, "out\n")
    assert "notarium init" in done.stderr
    assert "Traceback" not in done.stderr
    done = notarium("run", "--strict", "--", "sh", "-c", "echo out")
    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize("strict", [[], ["--strict"]])
def test_run_of_what_is_not_a_command_ends_as_in_a_shell_and_records_nothing(study, ledger, cli, strict):
    before = sorted(os.listdir(study))
    code, _, err = cli("run", *strict, "--", "no-such-command-here")
    assert code == 127
    assert "command not found" in err
    assert cli("run", *strict, "--", "./data.receipt.json")[0] == 126
    assert json.loads(cli("run", *strict, "--json", "--", "no-such-command-here")[2])["exit_code"] == 127
    assert sorted(os.listdir(study)) == before
    assert len(ledger.entries) == 1


@contextmanager
def running(*arguments):
    """`notarium run` in a process group of its own, once its command has printed "up"."""
    command = [*NOTARIUM, "run", *arguments]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            assert present(process.stdout).readline() == "up\n"
            yield process
        finally:
            # A test that failed must not wait for it.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize(("code", "status"), [(130, "interrupted"), (3, "failed"), (0, "completed")])
def test_run_leaves_an_interrupt_to_the_command_and_records_what_it_makes_of_it(study, code, status):
    script = f"""
import signal, sys, time
try:
    print("up", flush=True)
    while True: time.sleep(0.05)
except KeyboardInterrupt:
    time.sleep(0.2)  # An orderly end takes a moment, and nothing may cut it short.
    sys.exit({code})
"""
    with running("--name", "long", "--", sys.executable, "-c", script) as process:
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(60) == code
    assert recorded("long.run.record.json")["status"] == status


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2])
def test_run_passes_on_what_a_scheduler_sends_and_records_the_end(study, number):
    script = f"""
import signal, sys, time
signal.signal({int(number)}, lambda *_: sys.exit(9))
print("up", flush=True)
while True: time.sleep(0.05)  # Not pause(), which would miss a signal that comes just before it.
"""
    with running("--name", "long", "--", sys.executable, "-c", script) as process:
        process.send_signal(number)
        assert process.wait(60) == 9
    assert recorded("long.run.record.json")["exit_code"] == 9


@pytest.mark.parametrize(
    ("tail", "options"),
    [
        ("2>/dev/full", []),
        ("2>/dev/full", ["--json"]),
        ("2>/dev/full", ["--input", "nowhere"]),
        ("2>&1 >/dev/null | true", ["--json", "--input", "nowhere"]),
        (">/dev/full 2>&- <&-", []),
        (">&-", []),
    ],
)
def test_run_returns_the_commands_exit_code_also_where_nothing_can_be_said(study, tail, options):
    # The command itself is quiet, and ends after the reader of the pipe has gone.
    shell = f'{{ "$@"; echo $? >code; }} {tail}'
    command = [*NOTARIUM, "run", "--name", "fit", *options, "--", "sh", "-c", "exit 7"]
    subprocess.run(["/bin/sh", "-c", shell, "sh", *command], timeout=60, check=False, capture_output=True)
    assert Path("code").read_text() == "7\n"
    assert Path("fit.run.receipt.json").exists()


def test_an_interrupt_that_the_command_ignores_changes_neither_it_nor_its_code(study):
    with running("--name", "fit", "--", "sh", "-c", "trap '' INT; echo up; read line; exit 7") as process:
        process.send_signal(signal.SIGINT)
        present(process.stdin).write("go on\n")
        present(process.stdin).flush()
        assert process.wait(60) == 7
    assert Path("fit.run.receipt.json").exists()


def test_who_does_not_wait_for_the_receipt_gets_the_commands_code(study, nodes, ledger):
    """The entry is signed by then, and waits in the outbox."""
    asked, reading = threading.Event(), threading.Event()

    async def hang(request):
        if b"run-start" in await request.read():
            return None
        asked.set()
        await asyncio.to_thread(reading.wait, 60)
        return None

    for node in nodes:
        node.fault = hang
    process = subprocess.Popen([*NOTARIUM, "run", "--name", "fit", "--timeout", "50", "--", "sh", "-c", "exit 7"])
    assert asked.wait(60)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 7
    reading.set()
    assert json.loads(notarium("status", "--json").stdout)["outbox"][0]["kind"] == "run"


def test_run_leaves_ignored_what_was_ignored(study):
    """As under nohup: a handler of ours would give the command the usual behaviour back, which is to die."""
    shell = "trap '' HUP INT; exec \"$@\""
    command = "import signal; print(signal.getsignal(1) is signal.SIG_IGN, signal.getsignal(2) is signal.SIG_IGN)"
    done = subprocess.run(
        ["/bin/sh", "-c", shell, "sh", *NOTARIUM, "run", "--", sys.executable, "-c", command],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "True True\n")


@pytest.mark.parametrize("wrong", [["--input", "nowhere"], ["--ref", "derivedFrom=nowhere"]])
def test_strict_says_what_is_wrong_before_the_command_runs(study, wrong):
    done = notarium("run", "--strict", *wrong, "--", "sh", "-c", "echo trained")
    assert (done.returncode, done.stdout) == (2, "")
    assert "nowhere" in done.stderr
    done = notarium("run", "--name", "fit", *wrong, "--", "sh", "-c", "echo trained; exit 7")
    assert (done.returncode, done.stdout) == (7, "trained\n")
    assert Path("fit.run.receipt.json").exists()


def test_run_returns_a_death_by_signal_as_the_shell_does(study):
    assert notarium("run", "--name", "dies", "--", "sh", "-c", "kill -9 $$").returncode == 137


@pytest.mark.parametrize(
    ("script", "said"),
    [("exit 3", "anchored run sh (failed, exit code 3)  →"), ("exit 0", "anchored run sh  →"),
     ("kill -INT $$", "anchored run sh (interrupted, exit code 130)  →")],
)  # fmt: skip
def test_run_shows_how_the_command_ended(study, script, said):
    assert said in notarium("run", "--", "sh", "-c", script).stderr


def test_run_records_decimals_and_booleans_as_such(study, cli):
    assert (
        cli("run", "--name", "fit", "--param", "lr=0.1", "--param", "n=3", "--param", "shuffle=true", "--", "true")[0]
        == 0
    )
    params = recorded("fit.run.record.json")["params"]
    assert params == {"lr": 0.1, "n": 3, "shuffle": True}


def test_run_warns_once_without_a_project_and_names_nothing_internal(tmp_path, home, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = notarium("run", "--", "true")
    line, kept = done.stderr.splitlines()
    assert line.startswith("notarium: run 'true': no project here: run 'notarium init")
    assert "kept as a draft" in kept
    assert "_start" not in done.stderr
