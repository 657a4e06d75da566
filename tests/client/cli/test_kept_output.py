"""A copy of a command's standard output: every byte, and nothing else about the command changes."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress

import pytest
from tests.client.helpers import NOTARIUM, notarium
from tests.support.records import recorded

from notarium.cli.kept_output import OutputCopy
from notarium.verifying.verification import verify

KEEP = ["run", "--name", "fit", "--keep-stdout", "--"]


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


@contextmanager
def started(code, **streams):
    """`notarium run` with this program; nothing of it is left, whatever the test finds."""
    with subprocess.Popen([*NOTARIUM, *KEEP, *python(code)], start_new_session=True, **streams) as running:
        try:
            yield running
        finally:
            with suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)


def by_products(record="fit.run.record.json"):
    return {each["name"]: each for each in recorded(record)["artifacts"]}


def test_each_byte_goes_to_both_and_the_copy_is_a_by_product(project):
    done = subprocess.run(
        [*NOTARIUM, *KEEP, *python("import os; [os.write(1, bytes(range(256)) * 999) for _ in range(9)]; exit(3)")],
        capture_output=True,
        check=False,
    )
    expected = bytes(range(256)) * 999 * 9
    assert done.returncode == 3, "the command's own"
    assert done.stdout == expected
    assert (project.root / "fit.run.stdout.log").read_bytes() == expected
    assert by_products()["fit.run.stdout.log"]["role"] == "stdout"
    assert verify(project.root / "fit.run.receipt.json")
    assert not [each for each in recorded("fit.run.record.json")["gaps"] if "standard output" in each]


def test_the_copies_of_two_runs_have_names_of_their_own(project):
    for text in ("one", "two"):
        assert notarium(*KEEP, "echo", text).stdout == f"{text}\n"
    assert (project.root / "fit.run.stdout.log").read_text() == "one\n"
    assert (project.root / "fit.2.run.stdout.log").read_text() == "two\n"
    assert by_products("fit.2.run.record.json").keys() == {"fit.2.run.stdout.log"}


def test_without_the_option_the_command_has_our_own_output(project):
    command = python("import os; print(os.fstat(1).st_ino)")
    with open("out", "wb") as out:
        subprocess.run([*NOTARIUM, "run", "--name", "fit", "--", *command], stdout=out, check=True)
    assert int((project.root / "out").read_text()) == os.stat("out").st_ino
    assert by_products() == {}


def test_a_process_that_is_left_behind_is_not_waited_for(project):
    """It holds the pipe until its standard input ends, and that is after the run has ended."""
    reader, writer = os.pipe()
    code = "import subprocess; print('before', flush=True); subprocess.Popen(['cat'])"
    with started(code, stdin=reader, stdout=subprocess.PIPE) as done:
        os.close(reader)
        out, _ = done.communicate(timeout=60)
        os.close(writer)
    assert out == b"before\n"
    assert any("left behind could go on writing" in each for each in recorded("fit.run.record.json")["gaps"])


def test_a_command_whose_reader_goes_away_ends_as_without_us(project):
    code = "import os, signal; signal.signal(signal.SIGPIPE, signal.SIG_DFL)\nwhile True: os.write(1, b'x' * 9999)"
    with started(code, stdout=subprocess.PIPE) as running:
        running.stdout.read(1)
        running.stdout.close()
        assert running.wait(60) == 128 + signal.SIGPIPE
    said = recorded("fit.run.record.json")
    assert said["status"] == "interrupted"
    assert any("standard output was closed before the command had ended" in each for each in said["gaps"])


def test_a_full_disk_costs_the_copy_and_not_the_output(capfdbinary):
    with open("/dev/full", "wb", buffering=0) as full, OutputCopy(full) as copy:
        subprocess.run(["echo", "one"], stdout=copy.to_command, check=True)
    assert copy.gaps == ["the copy of standard output ends early: No space left on device"]
    assert capfdbinary.readouterr().out == b"one\n"


@pytest.mark.parametrize("strict", [False, True])
def test_a_folder_that_cannot_be_written_costs_the_copy_and_not_the_run(project, strict):
    (project.root / "file").write_text("no folder")
    options = ["--directory", "file/below", *(["--strict"] if strict else [])]
    done = notarium("run", "--name", "fit", "--keep-stdout", *options, "--", "echo", "ran")
    assert (done.stdout == "ran\n") is not strict
    assert "Traceback" not in done.stderr


def test_logs_and_figures_are_by_products(project):
    code = "open('t.log', 'w').write('epoch 1'); open('roc.png', 'wb').write(b'png'); open('m.bin', 'wb').write(b'm')"
    options = ["--log", "t.log", "--figure", "roc.png", "--output", "m.bin"]
    assert notarium("run", "--name", "fit", *options, "--", *python(code)).returncode == 0
    assert {name: each["role"] for name, each in by_products().items()} == {
        "t.log": "log",
        "roc.png": "figure",
        "m.bin": "output",
    }
