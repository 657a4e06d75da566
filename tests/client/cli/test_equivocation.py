"""`notarium equivocation`: for anyone who has the file and the genesis, and nothing else."""

import json
import subprocess
import sys

import pytest
from tests.vectors import generate

from notarium.cli.app import run_command
from notarium.errors import ExitCode

VECTORS = json.loads((generate.FOLDER / "equivocation.json").read_bytes())


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The genesis, one valid file, and one whose second signature is another."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "genesis.json").write_text(json.dumps(VECTORS["genesis"]))
    (tmp_path / "good.json").write_bytes(VECTORS["valid"][2]["text"].encode())
    bad = next(each for each in VECTORS["invalid"] if each["name"] == "signatures swapped")
    (tmp_path / "bad.json").write_bytes(bad["text"].encode())
    return tmp_path


def test_a_valid_equivocation_is_reported_with_what_it_does_not_prove(folder, capsys):
    assert run_command(["equivocation", "good.json", "--genesis", "genesis.json"]) == ExitCode.OK
    out, err = capsys.readouterr()
    assert "m1 signed two different commits · height 3 · round 0" in out
    assert "It does not prove who used the key" in err


def test_one_that_proves_nothing_is_a_mismatch_and_names_the_step(folder, capsys):
    code = run_command(["equivocation", "good.json", "bad.json", "--genesis", "genesis.json", "--json"])
    said = json.loads(capsys.readouterr().out)
    assert (code, said["status"]) == (ExitCode.MISMATCH, "mismatch")
    good, bad = said["results"]
    assert (good["status"], good["about"]["member"]) == ("verified", "m1")
    assert (bad["status"], bad["step"], bad["about"]) == ("mismatch", 6, None)
    assert "signature is invalid" in bad["reason"]


def test_equivocation_of_another_ledger_or_none_at_all(folder, capsys):
    other = {**VECTORS["genesis"], "name": "another"}
    (folder / "other.json").write_text(json.dumps(other))
    assert run_command(["equivocation", "good.json", "--genesis", "other.json"]) == ExitCode.MISMATCH
    assert "step 2" in capsys.readouterr().out
    assert run_command(["equivocation", "genesis.json", "--genesis", "genesis.json"]) == ExitCode.MISMATCH
    assert run_command(["equivocation", "gone.json", "--genesis", "genesis.json"]) == ExitCode.USAGE
    assert run_command(["equivocation", "good.json"]) == ExitCode.USAGE, "no genesis is pinned here"


@pytest.mark.parametrize("order", [("good", "bad", "gone", "."), ("gone", "good", ".", "bad")])
def test_a_file_that_cannot_be_read_hides_no_other(folder, capsys, order):
    names = [each if each == "." else f"{each}.json" for each in order]
    code = run_command(["equivocation", *names, "--genesis", "genesis.json", "--json"])
    said = json.loads(capsys.readouterr().out)
    assert (code, said["status"]) == (ExitCode.MISMATCH, "mismatch")
    status = {"good": "verified", "bad": "mismatch", "gone": "unreadable", ".": "unreadable"}
    assert [each["status"] for each in said["results"]] == [status[each] for each in order]
    assert run_command(["equivocation", "gone.json", "good.json", "--genesis", "genesis.json"]) == ExitCode.USAGE
    out, err = capsys.readouterr()
    assert "unreadable gone.json  No such file" in out
    assert "verified good.json" in out
    assert "It does not prove who used the key" in err


def test_markup_and_control_characters_in_a_name_do_no_harm(folder, capsys):
    name = "[red]x\x1b[2J.json"
    (folder / name).write_bytes((folder / "bad.json").read_bytes())
    run_command(["equivocation", name, "--genesis", "genesis.json"])
    assert "\x1b[2J" not in capsys.readouterr().out


def test_it_takes_no_node_no_consensus_and_no_store(folder):
    program = (
        "import sys\nfrom notarium.cli.app import run_command\n"
        "code = run_command(['equivocation', 'good.json', '--genesis', 'genesis.json'])\n"
        "used = {name.split('.')[0] for name in sys.modules}\n"
        "sys.exit(code or bool(used & {'notarium_node', 'notarium_consensus', 'notarium_store', 'plyvel'}))\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, capture_output=True).returncode == 0
