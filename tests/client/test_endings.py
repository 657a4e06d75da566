"""How both programs end, as real processes: an exit code never says what was not found out."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from notarium.endings import BROKEN_PIPE, INTERRUPTED, UNEXPECTED, run_program

PROGRAMS = ("notarium", "notarium-node")
CLIENT = [str(Path(sys.executable).with_name("notarium"))]


def defect(program, *arguments, debug=""):
    """Run a program that has a defect: a function that it calls is gone."""
    broken = {
        "notarium": "import notarium.cli.show as broken; broken.history = None; from notarium.cli.app import main",
        "notarium-node": (
            "import notarium_node.operator.cli.running as broken; broken.metadata = None; "
            "from notarium_node.operator.cli.app import main"
        ),
    }[program]
    command = {"notarium": "log", "notarium-node": "version"}[program]
    code = f"{broken}; main({[command, *arguments]!r})"
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "NOTARIUM_DEBUG": debug},
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_defect_has_a_code_of_its_own_and_one_line(project, program):
    done = defect(program)
    assert done.returncode == UNEXPECTED == 70
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    for part in ("error: a defect of " + program, "this is no result", "Error", "NOTARIUM_DEBUG=1"):
        assert part in done.stderr
    said = json.loads(defect(program, "--json").stdout)
    assert said["exit_code"] == 70


@pytest.mark.parametrize("program", PROGRAMS)
def test_who_asks_gets_the_traceback_of_a_defect(project, program):
    done = defect(program, debug="1")
    assert done.returncode == 70
    assert "Traceback (most recent call last)" in done.stderr
    assert "report it to the maintainers with the lines above" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_a_receipt_verifies_whatever_the_terminals_encoding_is(study, encoding):
    shutil.copytree("data", "Tōkyō \u202e\x9b1m")
    for suffix in ("receipt", "record"):
        data = Path(f"data.{suffix}.json").read_bytes()
        Path(f"Tōkyō \u202e\x9b1m.{suffix}.json").write_bytes(data)
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    for arguments in (["verify", "data"], ["show", "data"], ["log"], ["--help"], ["anchor", "--help"], ["status"]):
        done = subprocess.run([*CLIENT, *arguments], capture_output=True, env=environment, timeout=60, check=False)
        assert (done.returncode, done.stderr) == (0, b""), arguments
        done.stdout.decode(encoding)
    named = subprocess.run(
        [*CLIENT, "verify", "Tōkyō \u202e\x9b1m"], capture_output=True, env=environment, timeout=60, check=False
    )
    assert named.returncode == 0
    assert b"\\u202e\\x9b1m" in named.stdout


@pytest.mark.parametrize("buffered", ["", "1"])
@pytest.mark.parametrize(
    "command", [["verify", "data"], ["log"], ["show", "data"], ["verify", "data", "--json"], ["-h"]]
)
def test_output_that_cannot_be_written_is_no_mismatch(study, monkeypatch, command, buffered):
    monkeypatch.setenv("PYTHONUNBUFFERED", buffered)
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*CLIENT, *command], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False
        )
    assert done.returncode == 2
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize("command", [[*CLIENT, "verify", "data"], [CLIENT[0] + "-node", "version"]])
def test_a_reader_that_went_away_is_neither_a_mismatch_nor_an_error(study, command):
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (BROKEN_PIPE, "")


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams_leave_the_exit_code_true(study, closed):
    shell = f'"$0" verify data {closed}'
    assert subprocess.run(["/bin/sh", "-c", shell, CLIENT[0]], timeout=60, check=False).returncode == 0
    Path("data/part-1.csv").write_text("changed")
    assert subprocess.run(["/bin/sh", "-c", shell, CLIENT[0]], timeout=60, check=False).returncode == 1


@pytest.mark.parametrize("buffered", ["", "1"])
def test_errors_that_nobody_can_read_leave_the_exit_code_true(study, monkeypatch, buffered):
    monkeypatch.setenv("PYTHONUNBUFFERED", buffered)
    (study / "stray").write_text("never anchored")
    with open("/dev/full", "w") as full:
        for command, code in (("verify stray", 3), ("show nowhere", 2), ("nonsense", 2), ("verify data", 0)):
            done = subprocess.run([*CLIENT, *command.split()], stderr=full, timeout=60, check=False)
            assert done.returncode == code, command


def test_who_interrupts_gets_the_shells_code():
    def interrupted():
        raise KeyboardInterrupt

    assert run_program("x", interrupted, lambda error: None, lambda text, code: None) == INTERRUPTED


def test_an_error_that_the_program_foresees_keeps_its_code():
    said = []

    def work():
        raise LookupError("gone")

    code = run_program("x", work, lambda error: (str(error), 3), lambda *told: said.append(told))
    assert (code, said) == (3, [("gone", 3)])
