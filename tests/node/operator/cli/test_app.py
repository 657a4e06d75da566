"""The command line as a whole: help, completion, usage errors, and what an installation without the extra says."""

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

COMMANDS = (
    "keygen", "genesis", "init", "run", "status", "equivocations", "check", "enrol", "revoke", "version",
)  # fmt: skip
NOTARIUM_NODE = Path(sys.executable).with_name("notarium-node")


def test_usage_errors_and_help(notarium_node):
    assert notarium_node("frobnicate")[0] == 2
    assert notarium_node("keygen")[0] == 2
    code, out, _ = notarium_node("--help")
    assert code == 0
    for command in COMMANDS:
        assert command in out


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_each_command_explains_itself_by_either_option(notarium_node, option):
    for command in ((), *((each,) for each in COMMANDS)):
        code, out, err = notarium_node(*command, option)
        assert code == 0, err
        assert " ".join(["Usage: notarium-node", *command]) in out


def test_without_a_command_the_help_is_shown_line_by_line(notarium_node):
    code, out, err = notarium_node()
    assert code == 2
    assert len((out + err).splitlines()) > 10
    assert "�" not in out + err
    assert "Usage: notarium-node" in out + err


def test_shells_can_complete_the_commands():
    request = {"_NOTARIUM_NODE_COMPLETE": "complete_bash", "COMP_WORDS": "notarium-node ke", "COMP_CWORD": "1"}
    done = subprocess.run([NOTARIUM_NODE], env=os.environ | request, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["keygen"]


def test_the_version_is_that_of_the_distribution(notarium_node):
    assert notarium_node("version")[1].strip() == metadata.version("notarium")


def test_a_folder_in_the_place_of_a_file_is_an_error_and_no_traceback(notarium_node, ceremony):
    root = ceremony[0]
    code, out, err = notarium_node("genesis", *root.glob("n1/*.card.json"), "--name", "X", "--out", root, "--json")
    assert (code, err.startswith("error: ")) == (2, True)
    assert str(root) in out


@pytest.mark.parametrize(
    "arguments",
    [
        ["genesis", "{pipe}", "--name", "X", "--out", "{folder}/g.json"],
        ["init", "--dir", "{folder}/n1", "--genesis", "{pipe}", "--genesis-hash", "ab" * 32],
        ["equivocations", "--verify", "{pipe}", "--genesis", "{genesis}"],
        ["equivocations", "--verify", "{genesis}", "--genesis", "{pipe}"],
        ["run", "--config", "{pipe}"],
        ["check", "--config", "{pipe}"],
        ["backup", "--config", "{pipe}", "--to", "{folder}/b"],
        ["restore", "{pipe}", "--dir", "{folder}/new"],
        ["restore", "{genesis}", "--dir", "{folder}/new", "--passphrase-file", "{pipe}"],
    ],
)
def test_a_pipe_in_the_place_of_a_file_hangs_no_command(notarium_node, ceremony, arguments):
    root, genesis, _ = ceremony
    os.mkfifo(root / "pipe")
    places = {"pipe": root / "pipe", "folder": root, "genesis": genesis}
    code, _, err = notarium_node(*(each.format(**places) for each in arguments))
    assert code in (1, 2), err
    assert err.lstrip().startswith("error: ")
    assert "Missing" not in err
    assert "No such" not in err


def test_a_command_that_asks_no_node_loads_no_http_client():
    code = "import sys; from notarium_node.operator.cli import app; print('aiohttp' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
