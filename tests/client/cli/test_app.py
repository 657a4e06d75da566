"""The command line: exit codes, streams, --json, and never a traceback."""

import importlib.metadata
import json
import os
import subprocess

import pytest
from tests.client.helpers import NOTARIUM, notarium, present

from notarium.cli.anchor import KindChoice
from notarium.cli.app import main
from notarium_ledger.entries.commitment import RESEARCH_KINDS


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["anchor", "nowhere"], "does not exist"),
        (["anchor", "data.receipt.json"], "is itself a receipt"),
        (["anchor", "data", "--ref", "madeBy=x"], "expected REL=TARGET"),
        (["anchor", "data", "--ref", "derivedFrom=x"], "is not an entry id"),
        (["anchor", "data", "--set", "x"], "expected NAME=VALUE"),
        (["anchor", "data", "--set", "color=red"], "unknown field"),
        (["anchor", "data", "--kind", "essay"], "Invalid value for '--kind': 'essay'"),
        (["anchor"], "Missing argument 'PATH...'"),
        (["prereg"], "Missing argument 'FILE'"),
        (["show"], "Missing argument 'ID|RECEIPT|ARTIFACT'"),
        (["anchor", "data", "--timeout", "soon"], "Invalid value for '--timeout'"),
        (["init"], "Missing option '--genesis'"),
        (["frobnicate"], "frobnicate"),
        (["verify", "data", "--genesis", "nowhere.json"], "cannot read the genesis"),
        (["verify", "data", "--genesis", "data.receipt.json"], "not a valid genesis file"),
        (["verify"], "Missing argument 'PATH|RECEIPT|ID...'"),
        (["show", "12ab"], "no such file or folder: 12ab, and not an id: 64 hexadecimal digits"),
        (["show", "work"], "no such file or folder: work, and not an id: 64 hexadecimal digits"),
        (["find", "nofile"], "no such file or folder: nofile, and not a digest or an id: 64 hexadecimal digits"),
        (["find", "12ab"], "no such file or folder: 12ab, and not a digest or an id: 64 hexadecimal digits"),
        (["run"], "Missing argument '-- CMD...'"),
    ],
)
def test_wrong_use_is_one_clear_line_and_exit_code_2(study, cli, arguments, message):
    code, out, err = cli(*arguments)
    assert code == 2
    assert message in err
    assert out == ""
    code, out, _ = cli(arguments[0], "--json", *arguments[1:])
    assert code == 2
    if arguments[0] != "run":
        assert message in json.loads(out)["error"]


def test_outside_of_a_project_the_remedy_is_named(tmp_path, home, cli, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").write_text("x")
    for arguments in (["anchor", "x"], ["status"], ["log"], ["verify", "x"], ["show", "ab" * 32]):
        code, _, err = cli(*arguments)
        assert code == 2
        assert "'notarium init --genesis FILE --genesis-hash HASH --issuer ID'" in err
        assert ("'notarium pin FILE --genesis-hash HASH'" in err) is (arguments[0] == "verify"), (
            "nothing else is verified"
        )


def test_an_auditor_without_a_project_is_pointed_at_the_genesis_file_first(tmp_path, home, cli, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.receipt.json").write_text("{}")
    for command in ("verify", "show"):
        code, _, err = cli(command, "x.receipt.json")
        assert code == 2
        assert "no project here: give the consortium's genesis file with --genesis FILE" in err


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


# What help and completion print.


def test_without_arguments_the_help_is_printed_line_by_line(cli):
    code, out, err = cli()
    assert (code, out) == (2, "")
    lines = err.splitlines()
    assert lines[0].startswith("Usage: notarium")
    assert len(lines) > 10
    assert "\N{REPLACEMENT CHARACTER}" not in err
    assert "error:" not in err
    assert any(line.strip().startswith("verify ") for line in lines)


@pytest.mark.parametrize(
    "command", [[], *([each] for each in (
        "init", "prereg", "anchor", "run", "verify", "equivocation", "show", "find", "log", "status"
    ))]
)  # fmt: skip
def test_h_is_short_for_help(cli, command):
    code, out, _ = cli(*command, "-h")
    assert (code, out) == cli(*command, "--help")[:2]
    assert code == 0
    assert out.startswith("Usage: notarium")
    assert "-h, --help" in out


def test_h_after_the_command_to_run_belongs_to_it(study):
    done = notarium("run", "--name", "echo", "--", "echo", "-h")
    assert (done.returncode, done.stdout) == (0, "-h\n")


def test_a_shell_completes_commands(tmp_path):
    environment = {**os.environ, "HOME": str(tmp_path), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    script = notarium("--show-completion", "bash", env=environment)
    assert script.returncode == 0
    assert "complete -o default -F _notarium_completion notarium" in script.stdout
    asked = {"_NOTARIUM_COMPLETE": "complete_bash", "COMP_WORDS": "notarium ver", "COMP_CWORD": "1"}
    assert notarium(env={**environment, **asked}).stdout.split() == ["verify"]
    assert notarium("--install-completion", "bash", env=environment).returncode == 0
    assert "notarium" in (tmp_path / ".bashrc").read_text()
