"""What a hostile folder, machine or command line does to `notarium`: an exit code that is true, and one line."""

import itertools
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.client.cli.one_process import Command, run_all
from tests.client.helpers import NOTARIUM

from notarium.anchoring import journal
from notarium.anchoring.track import track
from notarium.naming import FOLDER

GIGABYTE = 1 << 30
MOST_KB = 700_000
"""Record may have 512 MiB."""
MOST_MEMORY = "next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM'))"
"""kB. ru_maxrss would count what the process that runs these tests held when it started the program."""


def _folder(path):
    path.mkdir()


def _of(content):
    return lambda path: path.write_bytes(content)


NO_FILES = {
    "pipe": os.mkfifo,
    "folder": _folder,
    "endless device": lambda path: path.symlink_to("/dev/zero"),
    "link to itself": lambda path: path.symlink_to(path.name),
    "link to nothing": lambda path: path.symlink_to("nowhere"),
}
BAD_FILES = {
    "not UTF-8": _of(b'{"format": "\xff"}'),
    "deep": _of(b"[" * 100_000),
    "escapes": _of(b'{"format": "\\u0000\\ud800\\u202e\x1b[2J"}'),
}
ODD = {**NO_FILES, **BAD_FILES}
"""What may stand in the place of a file that `notarium` wrote."""


def check(cases):
    """Run each (what it shows, folder, command line, exit codes): none may hang, lie, or say what is not plain."""
    wrong = []
    commands = [Command(folder, tuple(arguments)) for _, folder, arguments, _ in cases]
    for (shows, _, arguments, codes), ended in zip(cases, run_all(commands), strict=True):
        said = ended.out + ended.err
        is_plain = all(each == "\n" or each.isprintable() for each in said)
        if ended.code not in codes or "Traceback" in said or not is_plain or ended.peak_kb > MOST_KB:
            wrong.append(f"{shows}: {arguments}: {ended}")
    assert not wrong, "\n".join(wrong)


def test_whatever_stands_in_the_place_of_a_receipt_or_its_evidence(study):
    cases = []
    for (name, make), kind in itertools.product(ODD.items(), ("receipt", "record")):
        shows, folder = f"{name} as {kind}", study / f"{name} {kind}"
        shutil.copytree("data", folder / "data")
        for each in ("receipt", "record"):
            shutil.copy(f"data.{each}.json", folder)
        place = folder / f"data.{kind}.json"
        place.unlink()
        make(place)
        cases += [
            (shows, folder, ["verify", "data", "--offline"], {1, 2, 3, 4}),
            (shows, folder, ["verify", place.name, "--offline"], {1, 2, 3, 4}),
            # A receipt is shown without its evidence.
            (shows, folder, ["show", "data"], {1, 2, 3, 4} if kind == "receipt" else {0}),
            (shows, folder, ["anchor", "data"], {0, 2, 3}),
        ]
    check(cases)


def test_whatever_is_named_on_the_command_line(study):
    cases = []
    others = {"x" * 5000: None, "": None, "latin-\udce9": _of(b""), "tab\t and \x1b[2J": _of(b"")}
    for name, make in {**ODD, **others}.items():
        if make:
            make(study / name)
        is_content = name in BAD_FILES or name == "folder" or "tab" in name
        cases += [
            (name, study, ["verify", name, "--offline"], {2, 3, 4}),
            (name, study, ["verify", "data", "--offline", "--genesis", name], {2}),
            (name, study, ["show", name], {2, 3}),
            (name, study, ["complete", name], {2}),
            (name, study, ["pin", name], {2}),
            (name, study, ["equivocation", name], {1, 2}),
            (name, study, ["find", name], {2, 3}),
            (name, study, ["anchor", name], {0} if is_content else {2}),
        ]
        if name not in BAD_FILES:
            cases.append((name, study, ["run", "--input", name, "--", "true"], {0}))
    check(cases)


def test_whatever_stands_in_a_projects_folder(study, project):
    places = {
        "config.toml": ODD,
        "genesis.json": ODD,
        journal.FILE: ODD,
        f"outbox/{'ab' * 32}.json": ODD,
        "outbox": {**NO_FILES, "file": _of(b"")},
        "superseded": {**NO_FILES, "file": _of(b"")},
    }
    cases: list[Any] = []
    for place, name, make in ((place, *each) for place, odd in places.items() for each in odd.items()):
        shows, folder = f"{name} as {place}", study / f"case-{len(cases)}"
        shutil.copytree(project.folder, folder / FOLDER)
        for each in ("receipt", "record"):
            shutil.copy(f"data.{each}.json", folder)
        (folder / "data").mkdir()
        (folder / "data" / "changed").write_text(shows)  # So it supersedes the one from before.
        path = folder / FOLDER / place
        path.parent.mkdir(exist_ok=True)
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        make(path)
        cases += [
            (shows, folder, ["status"], {0, 2}),
            (shows, folder, ["log"], {0, 2}),
            (shows, folder, ["verify", "data", "--offline"], {1, 2}),
            (shows, folder, ["anchor", "data"], {0, 2}),
        ]
        if name in ("pipe", "folder", "deep"):  # Slower than all others together.
            cases.append((shows, folder, ["run", "--name", "x", "--", "sh", "-c", "exit 7"], {7}))
    check(cases)


def test_a_file_of_many_gigabytes_costs_no_more_than_its_bound(study):
    """In the place of each kind of file that is read at once. It is sparse, so it costs nothing to send."""
    with Path("vast").open("wb") as file:
        file.truncate(40 * GIGABYTE)
    cases: list[Any] = []
    for place, arguments, codes in (
        ("data.receipt.json", ["verify", "data", "--offline"], {1}),
        ("data.record.json", ["verify", "data", "--offline"], {1}),
        ("x.run.draft.json", ["complete", "x.run.draft.json"], {2}),
        ("equivocation.json", ["equivocation", "equivocation.json"], {1}),
        ("genesis.json", ["verify", "data", "--offline", "--genesis", "genesis.json"], {2}),
        (f"{FOLDER}/genesis.json", ["status"], {2}),
        (f"{FOLDER}/config.toml", ["status"], {2}),
        (f"{FOLDER}/{journal.FILE}", ["log"], {2}),
        (f"{FOLDER}/outbox/{'ab' * 32}.json", ["status"], {2}),
    ):
        folder = study.parent / f"{len(cases)}"
        shutil.copytree(study, folder, ignore=lambda *_: {"vast"})
        (folder / place).parent.mkdir(exist_ok=True)
        (folder / place).unlink(missing_ok=True)
        (folder / place).symlink_to(study / "vast")
        cases.append((place, folder, arguments, codes))
    check(cases)


def test_names_that_are_not_utf_8(study, project, caplog):
    """As folders made long ago have them. Record is JSON and cannot hold them; all around it may be so named."""
    folder, file = Path("f\udce9"), Path("x\udce9")
    folder.mkdir()
    (folder / "data.csv").write_text("1")
    file.write_text("2")
    nodes = [each for url in project.nodes for each in ("--node", url)]
    genesis = ["--genesis", str(project.folder / "genesis.json"), "--genesis-hash", project.genesis.hash.hex()]
    check(
        [
            ("a folder above it", study, ["anchor", str(folder / "data.csv")], {0}),
            ("a folder above it", study, ["verify", str(folder / "data.csv"), "--offline"], {0}),
            ("its own", study, ["anchor", str(file)], {2}),
            ("its own", study, ["anchor", str(folder)], {2}),
            ("what was anchored", study, ["log"], {0}),
            ("the project's", study / folder, ["init", *genesis, "--issuer", "m0", *nodes], {2}),
            (
                "a run's receipt",
                study,
                ["run", "--name", "x", "--strict", "--directory", str(folder), "--", "true"],
                {0},
            ),
        ]
    )
    [*_, line] = journal.read(project.folder)
    assert (project.root / line.receipt).exists()
    with track("fit") as run:
        run.input(file)
        run.param("\udce9", "\udce9")
    assert run.receipt is not None
    assert "its name is not UTF-8; rename it" in caplog.text


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
