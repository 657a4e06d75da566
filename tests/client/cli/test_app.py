"""The command line: exit codes, streams, --json, and never a traceback."""

import importlib.metadata
import json
import os
import subprocess
import sys

import pytest
from tests.client.fake_node import flip_path
from tests.client.helpers import NOTARIUM, notarium, present

from notarium.cli.anchor import KindChoice
from notarium.cli.app import main
from notarium.cli.init import enrol_command
from notarium_ledger.entries.commitment import RESEARCH_KINDS

# init


def test_init_pins_the_ledger_makes_a_key_and_says_how_to_enrol_it(tmp_path, ledger, home, cli, monkeypatch):
    genesis = ledger.consortium.genesis
    (tmp_path / "g.json").write_bytes(genesis.encode_json())
    (home / "keys" / "test.key").unlink()
    (tmp_path / "p").mkdir()
    monkeypatch.chdir(tmp_path / "p")
    arguments = ("init", "--genesis", "../g.json", "--genesis-hash", genesis.hash.hex(), "--issuer", "m0")
    code, out, _ = cli(*arguments, "--node", "http://127.0.0.1:1", "--project", "study", "--json")
    said = json.loads(out)
    assert code == 0
    assert said["key_created"]
    assert said["enrol_command"] == enrol_command("m0", said["public_key"])
    assert (home / "keys" / "test.key").stat().st_mode & 0o777 == 0o600
    assert "test.key" not in "".join(os.listdir(tmp_path / "p" / ".notarium"))
    assert cli(*arguments, "--node", "http://127.0.0.1:1")[0] == 2
    code, out, _ = cli(*arguments, "--node", "http://127.0.0.1:1", "--force", "--json")
    assert (code, json.loads(out)["public_key"]) == (0, said["public_key"])


def test_init_refuses_another_hash_and_a_genesis_without_addresses(tmp_path, ledger, home, cli, monkeypatch):
    (tmp_path / "g.json").write_bytes(ledger.consortium.genesis.encode_json())
    monkeypatch.chdir(tmp_path)
    code, _, err = cli("init", "--genesis", "g.json", "--genesis-hash", "00" * 32, "--issuer", "m0")
    assert code == 2
    assert "another ledger" in err
    code, _, err = cli("init", "--genesis", "g.json", "--issuer", "m0")
    assert code == 2
    assert "--node" in err
    assert not (tmp_path / ".notarium").exists()
    code, _, err = cli("init", "--genesis", "g.json", "--genesis-hash", "4f2c", "--issuer", "m0")
    assert code == 2
    assert "malformed: 4 characters" in err


@pytest.mark.parametrize("between", [" ", ":", "-", ""])
def test_init_takes_the_hash_as_the_ceremony_prints_it(tmp_path, ledger, home, cli, monkeypatch, between):
    genesis = ledger.consortium.genesis
    (tmp_path / "g.json").write_bytes(genesis.encode_json())
    monkeypatch.chdir(tmp_path)
    digits = genesis.hash.hex().upper()
    told = between.join(digits[at : at + 4] for at in range(0, 64, 4)) + " "
    arguments = ("init", "--genesis", "g.json", "--genesis-hash", told, "--node", "http://127.0.0.1:1")
    (home / "keys" / "test.key").unlink()
    code, out, _ = cli(*arguments, "--issuer", "m0")
    assert code == 0
    for each in ("notarium-node enrol --member m0 --key", "in the node's folder", "--admin-key", "--genesis", "--url"):
        assert each in out


# show, find, log, status


def test_show_by_receipt_artifact_and_id(study, cli, nodes):
    by_receipt = json.loads(cli("show", "data.receipt.json", "--json")[1])
    assert by_receipt["kind"] == "dataset"
    assert json.loads(cli("show", "data", "--json")[1]) == by_receipt
    assert json.loads(cli("show", by_receipt["id"], "--json")[1]) == by_receipt
    assert by_receipt["id"] in cli("show", "data")[1]
    assert cli("show", "ab" * 32)[0] == 3
    assert cli("show", "nowhere.receipt.json")[0] == 3
    nodes[0].tamper = flip_path
    code, _, err = cli("show", by_receipt["id"])
    assert code == 5
    assert nodes[0].url in err
    nodes[0].stop()
    assert cli("show", by_receipt["id"], "--timeout", "0.3")[0] == 5


def test_find(project, cli):
    (project.root / "open.csv").write_text("x")
    cli("anchor", "open.csv", "--disclosure", "public")
    code, out, _ = cli("find", "open.csv", "--json")
    assert code == 0
    assert len(json.loads(out)["entries"]) == 1
    code, out, err = cli("find", "00" * 32, "--json")
    assert code == 3
    assert json.loads(out)["entries"] == []
    assert "no entry names" in err


def test_log_tells_what_became_of_each(study, nodes, cli):
    (study / "x").write_text("x")
    nodes[0].stop()
    cli("anchor", "x", "--timeout", "0.3")
    code, out, _ = cli("log", "--json")
    rows = json.loads(out)["entries"]
    assert code == 0
    assert [(each["receipt"], each["status"]) for each in rows] == [
        ("data.receipt.json", "anchored"),
        ("x.receipt.json", "pending"),
    ]
    assert len(cli("log")[1].splitlines()) == 2


def test_status_names_each_node(study, nodes, cli):
    code, out, _ = cli("status")
    assert code == 0
    assert nodes[0].url in out
    nodes[0].stop()
    code, out, _ = cli("status", "--timeout", "0.5")
    assert code == 5
    assert "unusable" in out


# The frame


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["anchor", "nowhere"], "does not exist"),
        (["anchor", "data.receipt.json"], "is a receipt"),
        (["anchor", "data", "--ref", "madeBy=x"], "expected REL=TARGET"),
        (["anchor", "data", "--ref", "derivedFrom=x"], "neither an entry id"),
        (["anchor", "data", "--set", "x"], "expected NAME=VALUE"),
        (["anchor", "data", "--set", "color=red"], "unknown field"),
        (["anchor", "data", "--kind", "essay"], "essay"),
        (["anchor"], "path"),
        (["frobnicate"], "frobnicate"),
        (["verify", "data", "--genesis", "nowhere.json"], "cannot read the genesis"),
        (["verify", "data", "--genesis", "data.receipt.json"], "not a genesis document"),
        (["show", "12ab"], "64 hexadecimal"),
        (["run"], "command"),
    ],
)
def test_wrong_use_is_one_clear_line_and_exit_code_2(study, cli, arguments, message):
    code, out, err = cli(*arguments)
    assert code == 2
    assert message.lower() in err.lower()
    assert out == ""
    code, out, _ = cli(arguments[0], "--json", *arguments[1:])
    assert code == 2
    if arguments[0] != "run":
        assert message.lower() in json.loads(out)["error"].lower()


def test_outside_of_a_project_the_remedy_is_named(tmp_path, home, cli, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").write_text("x")
    for arguments in (["anchor", "x"], ["status"], ["log"], ["verify", "x"], ["show", "ab" * 32]):
        code, _, err = cli(*arguments)
        assert code == 2
        assert "notarium init" in err


def test_the_kinds_on_offer_are_kinds():
    assert {each.value for each in KindChoice} == set(RESEARCH_KINDS) - {"run", "batch"}


def test_help_and_no_arguments(cli):
    code, out, _ = cli("--help")
    assert code == 0
    for command in ("init", "prereg", "anchor", "run", "verify", "show", "log", "status"):
        assert command in out
    assert cli()[0] == 2


def test_version(cli):
    code, out, _ = cli("--version")
    assert (code, out) == (0, f"notarium {importlib.metadata.version('notarium')}\n")


def test_main_exits_with_the_code():
    with pytest.raises(SystemExit) as caught:
        main(["frobnicate"])
    assert caught.value.code == 2


def test_no_colour_and_no_bar_off_a_terminal(study):
    done = notarium("verify", "data", env={**os.environ, "FORCE_COLOR": "", "TERM": "xterm-256color"})
    assert done.returncode == 0
    assert "\x1b" not in done.stdout + done.stderr


def test_a_reader_that_goes_away_is_no_error(study):
    process = subprocess.Popen([*NOTARIUM, "show", "data"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    present(process.stdout).close()
    with present(process.stderr) as stderr:
        assert "Traceback" not in stderr.read()
    process.wait(30)


def test_importing_the_package_is_fast_because_nothing_is_imported():
    code = "import sys; before = set(sys.modules); import notarium; print(len(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # Time depends on the machine, the number of modules does not: aiohttp alone would be hundreds.
    assert int(done.stdout) < 10
    code = (
        "import notarium; import notarium.anchoring.track; "
        "print([callable(getattr(notarium, n)) for n in notarium.__all__])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "False" not in done.stdout
