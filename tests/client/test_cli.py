"""The command line: exit codes, streams, --json, and never a traceback."""

import importlib.metadata
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.client.fake_node import flip_path, problem
from tests.client.helpers import present
from tests.support.consortium import Consortium

from notarium.cli import KindChoice, main, run_command
from notarium.commands import enrol_command
from notarium.keys import create_key
from notarium_ledger.commitment import RESEARCH_KINDS

NOTARIUM = [sys.executable, "-c", "from notarium.cli import main; main()"]


@pytest.fixture
def cli(capfd):
    """Run a command line in this process: (exit code, stdout, stderr)."""

    def run(*arguments):
        capfd.readouterr()
        code = run_command([str(each) for each in arguments])
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err
        return int(code), out, err

    return run


@pytest.fixture
def study(project, cli):
    """A project with an anchored folder."""
    (project.root / "data").mkdir()
    for number in range(1, 4):
        (project.root / "data" / f"part-{number}.csv").write_text(f"a,{number}\n")
    assert cli("anchor", "data")[0] == 0
    return project.root


def change_a_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[0] ^= 1
    path.write_bytes(data)


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


# anchor, prereg


def test_anchor_writes_receipt_and_evidence_beside_each(project, cli):
    for name in ("x", "y"):
        (project.root / name).write_text(name)
    code, out, _ = cli("anchor", "x", "y", "--kind", "model", "--json")
    rows = json.loads(out)["results"]
    assert code == 0
    assert [(each["path"], each["status"], each["index"]) for each in rows] == [
        ("x", "anchored", 0),
        ("y", "anchored", 1),
    ]
    assert all(Path(each["receipt"]).exists() and Path(each["bundle"]).exists() for each in rows)
    code, out, _ = cli("anchor", "x", "--kind", "model")
    assert code == 0
    assert out.startswith("unchanged x")


def test_anchor_without_a_node_leaves_work_in_the_outbox_and_says_so(project, nodes, cli):
    (project.root / "x").write_text("x")
    nodes[0].stop()
    code, out, err = cli("anchor", "x", "--timeout", "0.3")
    assert code == 5
    assert out.startswith("pending x")
    assert nodes[0].url in err
    assert cli("anchor", "x", "--timeout", "0.3", "--strict")[0] == 5
    code, out, _ = cli("status", "--timeout", "0.3", "--json")
    assert code == 5
    assert len(json.loads(out)["outbox"]) == 1
    assert cli("status", "--flush", "--timeout", "0.3")[0] == 5
    nodes[0].start_again()
    code, out, _ = cli("status", "--flush", "--json")
    said = json.loads(out)
    assert (code, len(said["sent"]), said["outbox"]) == (0, 1, [])
    assert cli("verify", "x", "--offline")[0] == 0


def test_anchor_that_is_refused_is_not_anchored(project, nodes, cli):
    async def refuse(request):
        return problem(403, "unknown-key", "is not enrolled\x1b[2J", field="key", remedy="ask your institution")

    (project.root / "x").write_text("x")
    nodes[0].fault = refuse
    code, _, err = cli("anchor", "x")
    assert code == 3
    assert "ask your institution" in err
    assert "\x1b" not in err


def test_a_refused_entry_is_called_so_and_can_be_mended_or_dropped(project, home, ledger, cli):
    key = home / "keys" / "test.key"
    good = key.read_bytes()
    key.unlink()
    create_key(key)
    for name in ("x", "y"):
        (project.root / name).write_text(name)
        code, out, err = cli("anchor", name)
        assert (code, out.split()[0]) == (3, "refused")
        assert "--drop" in err
    [x, y] = json.loads(cli("status", "--json")[1])["outbox"]
    assert x["refused"]
    assert "refused" in cli("status")[1]
    assert cli("verify", "--offline", "x")[1].startswith("refused x")
    assert cli("status", "--flush")[0] == 3
    assert cli("status", "--drop", "zz")[0] == 2
    assert cli("status", "--drop", y["id"][:12], "--json")[0] == 0
    assert [each["id"] for each in json.loads(cli("status", "--json")[1])["outbox"]] == [x["id"]]
    key.write_bytes(good)
    evidence = (project.root / "x.bundle.json").read_bytes()
    code, out, _ = cli("anchor", "x", "--json")
    [row] = json.loads(out)["results"]
    assert (code, row["status"]) == (0, "anchored")
    assert row["id"] != x["id"]
    assert (project.root / "x.bundle.json").read_bytes() == evidence
    assert json.loads(cli("status", "--json")[1])["outbox"] == []
    assert len(ledger.entries) == 1
    assert cli("verify", "--offline", "x")[0] == 0


def test_references_fields_and_facts(project, cli):
    (project.root / "plan.md").write_text("plan")
    (project.root / "paper").write_text("paper")
    assert cli("prereg", "plan.md", "--disclosure", "public")[0] == 0
    code, out, _ = cli(
        "anchor", "paper", "--kind", "publication", "--set", "identifier=doi:10.1/2", "--fact", "venue=J",
        "--ref", "preRegisteredBy=plan.md", "--json",
    )  # fmt: skip
    assert code == 0
    shown = json.loads(cli("show", json.loads(out)["results"][0]["id"], "--json")[1])
    assert shown["body"]["identifier"] == "doi:10.1/2"
    assert shown["body"]["refs"][0]["rel"] == "preRegisteredBy"


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


# run


def notarium(*arguments, **options):
    return subprocess.run([*NOTARIUM, *arguments], capture_output=True, text=True, timeout=60, check=False, **options)


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
    statement = json.loads(Path("fit.run.bundle.json").read_bytes())["predicate"]
    assert statement["params"] == {"lr": 3, "exit_code": 7}
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
def test_run_of_what_is_no_command_ends_as_in_a_shell_and_records_nothing(study, ledger, cli, strict):
    before = sorted(os.listdir(study))
    code, _, err = cli("run", *strict, "--", "no-such-command-here")
    assert code == 127
    assert "command not found" in err
    assert cli("run", *strict, "--", "./data.receipt.json")[0] == 126
    assert json.loads(cli("run", *strict, "--json", "--", "no-such-command-here")[2])["exit_code"] == 127
    assert sorted(os.listdir(study)) == before
    assert len(ledger.entries) == 1


@pytest.mark.parametrize(("code", "status"), [(130, "interrupted"), (3, "failed"), (0, "completed")])
def test_run_leaves_an_interrupt_to_the_command_and_records_what_it_makes_of_it(study, code, status):
    script = f"""
import signal, sys, time
try:
    print("up", flush=True)
    signal.pause()
except KeyboardInterrupt:
    time.sleep(0.2)  # An end in good order takes a moment, and nobody may cut it short.
    sys.exit({code})
"""
    process = subprocess.Popen(
        [*NOTARIUM, "run", "--name", "long", "--", sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with present(process.stdout) as stdout:
        assert stdout.readline() == "up\n"
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(60) == code
    assert json.loads(Path("long.run.bundle.json").read_bytes())["predicate"]["status"] == status


def test_run_tells_a_death_by_signal_as_the_shell_does(study):
    assert notarium("run", "--name", "dies", "--", "sh", "-c", "kill -9 $$").returncode == 137


# verify


def test_verify_offline_needs_no_project_and_prints_a_line_for_each_receipt(study, tmp_path, ledger, cli, monkeypatch):
    (study / "plan.md").write_text("plan")
    cli("prereg", "plan.md")
    genesis = tmp_path / "genesis.json"
    genesis.write_bytes(ledger.consortium.genesis.encode_json())
    monkeypatch.setenv("NOTARIUM_HOME", str(tmp_path / "nobody"))
    os.rename(study / ".notarium", tmp_path / "away")
    monkeypatch.chdir(tmp_path)
    code, out, _ = cli("verify", "--offline", "--genesis", "genesis.json", *sorted(study.glob("*.receipt.json")))
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["verified", "verified"]
    change_a_byte(study / "data" / "part-3.csv")
    code, out, _ = cli("verify", "--offline", "--genesis", "genesis.json", "study/data")
    assert code == 1
    assert "part-3.csv" in out
    assert "part-2.csv" not in out
    code, out, _ = cli("verify", "--offline", "--genesis", "genesis.json", "study/data", "--json")
    said = json.loads(out)
    assert (code, said["status"]) == (1, "mismatch")
    assert [each["path"] for each in said["results"][0]["findings"]] == ["study/data/part-3.csv"]


def test_verify_exit_codes(study, tmp_path, cli):
    assert cli("verify", "--offline", "data")[0] == 0
    (study / "never").write_text("x")
    assert cli("verify", "--offline", "never")[0] == 3
    os.rename(study / "data.bundle.json", tmp_path / "b")
    assert cli("verify", "--offline", "data")[0] == 4
    assert cli("verify", "--offline", "data.receipt.json")[0] == 4
    assert cli("verify", "--offline", "--receipt-only", "data.receipt.json")[0] == 0
    assert cli("verify", "--offline", "--receipt-only", ".")[0] == 0
    code, _, err = cli("verify", "--offline", "--receipt-only", "data")
    assert code == 2
    assert "data.receipt.json" in err
    assert cli("verify", "--offline", "data", "never")[0] == 3
    os.rename(tmp_path / "b", study / "data.bundle.json")
    change_a_byte(study / "data" / "part-1.csv")
    assert cli("verify", "--offline", "never", "data")[0] == 1
    assert cli("verify", "--offline", "--receipt-only", "data.receipt.json")[0] == 0
    (tmp_path / "other.json").write_bytes(Consortium(4, name="other").genesis.encode_json())
    assert cli("verify", "--offline", "--genesis", tmp_path / "other.json", "data.receipt.json")[0] == 1


def test_verify_asks_the_ledger_where_no_receipt_is_at_hand(project, nodes, cli):
    (project.root / "open.csv").write_text("x")
    cli("anchor", "open.csv", "--disclosure", "public")
    (project.root / "open.csv.receipt.json").unlink()
    assert cli("verify", "--offline", "open.csv")[0] == 3
    code, out, _ = cli("verify", "open.csv")
    assert code == 0
    assert "by the digest on it" in out
    nodes[0].stop()
    assert cli("verify", "open.csv", "--timeout", "0.3")[0] == 5


def test_a_file_name_cannot_play_with_the_terminal(study, cli):
    (study / "data" / "[red]\x1b[31mx").write_text("x")
    _, out, _ = cli("verify", "--offline", "data")
    assert "\x1b" not in out
    assert "[red]" in out


def test_an_unreachable_node_hides_no_mismatch(study, nodes, cli):
    (study / "never").write_text("x")
    change_a_byte(study / "data" / "part-1.csv")
    nodes[0].stop()
    for paths in (("never", "data"), ("data", "never")):
        code, out, _ = cli("verify", *paths, "--timeout", "0.3", "--json")
        said = json.loads(out)
        assert (code, said["status"]) == (1, "mismatch")
        assert {each["path"]: each["status"] for each in said["results"]} == {
            "never": "unreachable",
            "data": "mismatch",
        }
    code, out, _ = cli("verify", "never", "--timeout", "0.3", "--json")
    said = json.loads(out)
    assert (code, said["status"]) == (5, "unreachable")
    assert nodes[0].url in said["results"][0]["reason"]
    assert "part-1.csv" in cli("verify", "never", "data", "--timeout", "0.3")[1]


def test_what_waits_in_the_outbox_is_pending(project, nodes, cli):
    (project.root / "x").write_text("x")
    nodes[0].stop()
    cli("anchor", "x", "--timeout", "0.3")
    for path in ("x", "x.receipt.json"):
        code, out, _ = cli("verify", "--offline", path)
        assert code == 3
        assert out.startswith(f"pending {path}")
        assert "--flush" in out


def test_a_damaged_configuration_is_told_where_only_the_genesis_was_given(project, cli):
    """The outbox and the ledger were not asked, so "not anchored" alone would say too much."""
    (project.root / "x").write_text("never anchored")
    folder = project.root / ".notarium"
    (folder / "config.toml").write_text("[ledger]\nnodes = 3\n")
    code, out, _ = cli("verify", "x", "--genesis", folder / "genesis.json")
    assert code == 2
    assert "neither outbox nor ledger was asked" in out
    assert "config.toml" in out


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


# The frame.


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
        "import notarium; import notarium.tracking; print([callable(getattr(notarium, n)) for n in notarium.__all__])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "False" not in done.stdout
