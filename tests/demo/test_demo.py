"""The demo keeps its promises: the story is true, the receipts outlive the network, and nothing else is touched."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil
import pytest
from tests.support.records import recorded, violations_of_all

from notarium_node.demo.__main__ import CHANGED_BYTE, PUBLIC_KEY, _with_another_digit

pytestmark = pytest.mark.slow

NOTARIUM = Path(sys.executable).with_name("notarium")
NODES = [
    "Universitätsklinikum Nordhafen",
    "Rijnmond Medical Centre",
    "Institut Curval, Lyon",
    "Västerhav Cancer Research Institute",
    "observer at Västerhav Cancer Research Institute",
]
KINDS = {
    "protocol.md.receipt.json": "preregistration",
    "data.receipt.json": "dataset",
    "train.run.receipt.json": "run",
    "model.joblib.receipt.json": "model",
}


def demo(act: str, directory: Path, user: Path) -> subprocess.Popen[str]:
    """The demo as a process of a user whose home is `user`, started in the folder that `directory` lies in."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "NOTARIUM_"))}
    return subprocess.Popen(
        [sys.executable, "-m", "notarium_node.demo.__main__", act, "--directory", directory.name],
        cwd=directory.parent,
        env=environment | {"HOME": str(user), "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def running_below(directory: Path) -> list[list[str]]:
    """Command lines of processes that have to do with `directory`."""
    lines = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    return [line for line in lines if any(str(directory) in word for word in line)]


def restarted_by_hand(directory: Path, api: str) -> subprocess.Popen[bytes]:
    """As an operator does it, in the node's directory, so that neither the pid file nor a command line leads to it."""
    os.kill(int((directory / "pid").read_text()), signal.SIGKILL)
    process = subprocess.Popen(
        [NOTARIUM.with_name("notarium-node"), "run", "--config", "node.toml"],
        cwd=directory,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(f"{api}/v1/status", timeout=10) as answer:  # noqa: S310
                assert answer.status == 200
                return process
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def last_lines(output: str) -> tuple[dict[str, str], str, list[str]]:
    """The end of what `up` prints: the API of each node by its name, the folder, and the commands to try."""
    end = output[output.index("The network runs until `make demo-down`") :].splitlines()[1:]
    rows = [re.split(r"\s{2,}", line.strip(), maxsplit=1) for line in end]
    folder = next(number for number, row in enumerate(rows) if row[0] == "folder")
    commands = [line.strip() for line in end[folder + 1 :] if line.strip()]
    assert [re.match(r"\d\.", line) is not None for line in commands] == [True, False] * 3
    return {row[0]: row[1] for row in rows[:folder]}, rows[folder][1], commands[1::2]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("checkout") / "demo"


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def story(place: Path, user: Path) -> str:
    """What `make demo` prints; it has run once for all tests here."""
    process = demo("run", place, user)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    return output


def test_the_story_is_the_promised_one(story: str) -> None:
    said = [
        r"4 validators and 1 observer run",
        r"plan is preregistered",
        r"data set",
        r"SIGKILL",
        r"a model is trained",
        r"the model file",
        r"catches up",
        r"from block 2 to block 5",
        r"all nodes stopped",
        r"proven here",
        r"taken on trust from",
        r"not shown by this",
        r"exit code 0",
        r"changed demo/study/data/part-2\.csv",
        r"exit code 1",
        r"diff --genesis",
        r"part-2\.csv: [0-9,]+ bytes",
        r"exit code 1",
        r"signed by",
        r"demo/study/ +the researcher's files",
        r"demo/genesis\.json +the trust root",
        r"demo/\*/node\.log",
        r"make demo-up",
    ]
    assert re.search(".*".join(said), story, re.DOTALL), story


def test_nothing_is_left_running_and_nothing_else_is_touched(story: str, place: Path, user: Path) -> None:
    assert running_below(place.parent) == []
    assert [each.name for each in place.parent.iterdir()] == ["demo"]
    assert list(user.iterdir()) == []


def test_the_receipts_tell_of_the_whole_study(story: str, place: Path) -> None:
    receipts = {path.name: json.loads(path.read_bytes())["about"] for path in place.glob("study/*.receipt.json")}
    assert {name: about["kind"] for name, about in receipts.items()} == KINDS
    assert [receipts[name]["index"] for name in KINDS] == [0, 1, 3, 4]


def test_the_run_has_its_configuration_seed_environment_and_metrics(story: str, place: Path) -> None:
    predicate = recorded(place / "study/train.run.record.json")
    assert predicate["params"]["model"] == "HistGradientBoostingClassifier"
    assert predicate["seeds"] == {"seed": 20261122}
    assert predicate["environment"]
    metrics = {row["name"]: float(row["value"]) for row in predicate["metrics"]}
    assert 0.97 < metrics["roc_auc"] <= 1.0
    assert {each["name"]: each["role"] for each in predicate["artifacts"]} == {
        "config.json": "config",
        "data": "input",
        "model.joblib": "output",
    }


def test_all_its_records_are_as_the_schema_says(story: str, place: Path) -> None:
    assert violations_of_all(place) == {}
    assert len(list(place.rglob("*.record.json"))) > len(KINDS), "the start of the run has one, too"


def test_the_receipts_verify_afterwards_with_the_genesis_and_nothing_else(story: str, place: Path, user: Path) -> None:
    receipts = sorted(map(str, place.glob("study/*.receipt.json")))
    done = subprocess.run(
        [NOTARIUM, "verify", "--offline", "--json", "--genesis", place / "genesis.json", *receipts],
        env={"PATH": os.environ["PATH"], "NOTARIUM_HOME": str(place / "home")},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [each["status"] for each in json.loads(done.stdout)["results"]] == ["verified"] * len(KINDS)


def test_the_network_can_be_kept_running_and_stopped(story: str, place: Path, user: Path) -> None:
    up = demo("up", place, user)
    try:
        output, _ = up.communicate(timeout=60)
        assert up.returncode == 0, output
        base, folder, steps = last_lines(output)
        assert list(base) == NODES
        assert folder.startswith("demo ")
        assert len(steps) == 3
        urls = [word for step in steps for word in step.split() if word.startswith("http://")]
        assert len(urls) == 1
        for url in (*urls, *(f"{api}/v1/status" for api in base.values())):
            with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310
                assert answer.status == 200
        anchored = subprocess.run(
            ["bash", "-c", f"{steps[1]} --json"], cwd=place.parent, capture_output=True, text=True, check=False
        )
        assert anchored.returncode == 0, anchored.stderr
        mine = place.parent / "mine"
        mine.mkdir()
        [(home_set, init)] = re.findall(r"run 'NOTARIUM_HOME=(\S+) (.* init [^']*)'", output)
        home = os.environ | {"NOTARIUM_HOME": home_set}
        made = subprocess.run(f"{init} --json".split(), cwd=mine, env=home, capture_output=True, text=True, check=True)
        enrol = steps[2].replace(PUBLIC_KEY, json.loads(made.stdout)["public_key"])
        enrolled = subprocess.run(enrol.split(), cwd=place.parent, capture_output=True, text=True, check=False)
        assert enrolled.returncode == 0, enrolled.stderr
        (mine / "notes.txt").write_text("mine")
        anchored = subprocess.run(
            [NOTARIUM, "anchor", "notes.txt", "--strict"],
            cwd=mine,
            env=home,
            capture_output=True,
            text=True,
            check=False,
        )
        assert anchored.returncode == 0, anchored.stderr
        shutil.rmtree(mine)
        by_hand = restarted_by_hand(place / "curval", base["Institut Curval, Lyon"])
    finally:
        down = demo("down", place, user)
        output, _ = down.communicate(timeout=60)
    assert down.returncode == 0, output
    assert running_below(place) == []
    assert by_hand.wait(10) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_nothing_running(tmp_path: Path, number: signal.Signals) -> None:
    process = demo("run", tmp_path / "demo", tmp_path)
    assert process.stdout is not None
    for line in process.stdout:
        if "observer run" in line:
            break
    assert len(running_below(tmp_path)) == 5
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert running_below(tmp_path) == []


def test_a_folder_that_is_not_the_demos_is_left_alone(tmp_path: Path) -> None:
    directory = tmp_path / "thesis"
    directory.mkdir()
    (directory / "chapter-1.txt").write_text("precious")
    process = demo("run", directory, tmp_path)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "files that are not a demo's" in output
    assert (directory / "chapter-1.txt").read_text() == "precious"


def test_the_change_is_one_byte() -> None:
    data = b"1.5,2.25\n" * 1000
    changed = _with_another_digit(data)
    different = [at for at, (old, new) in enumerate(zip(data, changed, strict=True)) if old != new]
    assert len(different) == 1
    assert different[0] >= CHANGED_BYTE
