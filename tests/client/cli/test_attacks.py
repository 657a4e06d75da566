"""What a hostile folder, machine or command line does to `notarium`: an exit code that is true, and one line."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.client.helpers import NOTARIUM

from notarium.anchoring.track import track

GIGABYTE = 1 << 30
MOST_MEMORY = "next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM'))"
"""kB. ru_maxrss would count what the process that runs these tests held when it started the program."""


def test_a_command_in_a_folder_that_is_gone(study):
    script = 'mkdir gone-now; cd gone-now; rmdir ../gone-now; exec "$@"'
    for command in (["verify", "x"], ["status"], ["run", "--", "sh", "-c", "exit 7"], ["log"], ["pin"]):
        done = subprocess.run(
            ["/bin/sh", "-c", script, "sh", *NOTARIUM, *command],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode in ((7,) if command[0] == "run" else (0, 2, 3)), (command, done)
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("now_ns", [0, -(10**18), 2**62])
def test_a_clock_that_is_decades_wrong_loses_no_record(project, monkeypatch, now_ns, caplog):
    monkeypatch.setattr(time, "time_ns", lambda: now_ns)
    with track("fit", wait=1) as run:
        run.metric("auc", 0.5)
    assert run.receipt is not None or run.draft_path is not None, caplog.text


def test_ten_thousand_files_in_little_memory(study):
    for number in range(10_000):
        Path("data", f"n{number}").write_bytes(b"%d" % number)
    script = (
        "from notarium.cli.app import run_command\n"
        "codes = [run_command(['anchor', 'data']), run_command(['verify', 'data', '--offline'])]\n"
        f"print(codes, {MOST_MEMORY})"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    said = done.stdout.splitlines()[-1]
    assert said.startswith("[0, 0] "), done
    assert int(said.split()[-1]) < 300_000, "kB"


def test_evidence_of_many_gigabytes_costs_no_more_than_its_bound(study):
    Path("data.bundle.json").unlink()
    with open("data.bundle.json", "wb") as file:
        file.truncate(40 * GIGABYTE)
    script = (
        "from notarium.cli.app import run_command\n"
        "code = run_command(['verify', 'data', '--offline', '--json'])\n"
        f"print(code, {MOST_MEMORY})"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    code, kilobytes = done.stdout.split()[-2:]
    assert int(code) in (1, 4)
    assert int(kilobytes) < 700_000
    assert json.loads(done.stdout.rpartition("}")[0] + "}")["status"] != "verified"
