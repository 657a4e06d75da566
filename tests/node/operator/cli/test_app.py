"""The command line as a whole: help, completion, usage errors, and what an installation without the extra says."""

import itertools
import json
import os
import subprocess
import sys
import tarfile
from importlib import metadata
from pathlib import Path

import pytest

COMMANDS = (
    "keygen", "genesis", "init", "run", "status", "equivocations", "check", "enrol", "revoke", "backup", "restore",
    "rebuild", "version",
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


def test_a_pipe_in_the_place_of_a_nodes_own_file_hangs_nothing(ready):
    """As processes, because a thread that hangs cannot be ended."""
    config, folder = Path(ready), Path(ready).parent
    whole = config.read_text()
    (folder / "tls").mkdir(exist_ok=True)
    tls = f'tls_certificate = "{folder / "tls/api.pem"}"\ntls_key = "{folder / "tls/api.key"}"\n'
    for file in ("VOTE-FROM", "keys/validator.key", "keys/transport.key", "tls/api.pem", "tls/api.key"):
        config.write_text(whole.replace("[api]\n", f"[api]\n{tls}") if file.startswith("tls") else whole)
        place, aside = folder / file, folder / "aside"
        if place.exists():
            place.rename(aside)
        os.mkfifo(place)
        for command in ("run", "backup --to backup --passphrase-file pass"):
            done = subprocess.run(
                [NOTARIUM_NODE, *command.split(), "--config", config], capture_output=True, timeout=30, check=False
            )
            assert (done.returncode, done.stderr[:7]) == (2, b"error: "), (file, command, done.stderr)
        place.unlink()
        if aside.exists():
            aside.rename(place)


EVIL = "x\u009b31m\u202ey\x1b]0;z\x07\u2066"


def hostile_files(root, genesis, config):
    """Files whose every name and text has characters that steer a terminal."""
    folder = root / f"h{EVIL}"
    folder.mkdir()
    card = json.loads(next(root.glob("n1/*.card.json")).read_text())
    (folder / "card").write_text(json.dumps({**card, "name": EVIL, EVIL: 1}))
    (folder / "named").write_text(json.dumps({**card, "name": EVIL}))
    (folder / "toml").write_text(f'[node]\n"{json.dumps(EVIL)[1:-1]}" = 1\n')
    (folder / "value").write_text(config.read_text().replace("[log]", f"[log]\nlevel = {json.dumps(EVIL)}\n[other]"))
    (folder / "genesis").write_text(genesis.read_text().replace("Institute 1", EVIL))
    (folder / "text").write_text(EVIL)
    tarfile.open(folder / "tar", "w").close()
    with tarfile.open(folder / "tar", "w", format=tarfile.USTAR_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo("evil\x1b[31m"))
    return {each.name: each for each in folder.iterdir()} | {
        "folder": folder,
        "config": config,
        "genesis_file": genesis,
    }


HOSTILE = """
frobnicate{evil}
--{evil}
keygen --dir {folder}/k --member {evil} --name N --address h:1
keygen --dir {folder}/k --member m --name {evil} --address h:1
keygen --dir {folder}/k --member m --name N --address {evil}
keygen --dir {folder}/k --member m --name N --address h:1 --role {evil}
keygen --dir {folder}/k --member m --name N --address h:1 --api {evil}
genesis {card} --name X --out {folder}/g
genesis {named} --name X --out {folder}/g
genesis {text} --name {evil} --out {folder}/g
genesis {named} --name {evil} --out {folder}/{evil}/g
genesis {named} --name X --researcher {evil}={evil}
genesis {named} --name X --parameter {evil}=1
init --dir {folder} --genesis {genesis} --genesis-hash {evil}
init --dir {folder} --genesis {text} --genesis-hash aa
run --config {toml}
run --config {value}
run --config {text}
run --config {folder}/{evil}
check --config {toml}
check --config {value}
status --config {toml}
status --url {evil}
status --url http://127.0.0.1:9/{evil}
equivocations {evil} --url http://127.0.0.1:9
equivocations --verify {text} --genesis {genesis_file}
equivocations --verify {text} --genesis {genesis}
equivocations --config {value}
enrol --key {evil} --config {config}
enrol --key {evil} --config {config} --admin-key {text}
enrol --key aa --config {value}
enrol --key aa --genesis {genesis} --member {evil}
revoke --key {evil} --config {config}
revoke --key aa --genesis {text}
backup --config {value} --to {folder}/b
backup --config {config} --to {text} --without-keys
backup --config {config} --to {folder}/b --passphrase-file {text}
restore {text} --dir {folder}/new
restore {tar} --dir {folder}/new
restore {folder} --dir {folder}/new
restore {tar} --dir {folder}
rebuild --config {value} --url {evil}
rebuild --config {config} --url {evil}
version {evil}
"""
"""Each subcommand, with names and files from whoever wishes an operator ill."""


def test_nothing_from_outside_steers_the_operators_terminal(notarium_node, ceremony, ready):
    root, genesis, _ = ceremony
    places = hostile_files(root, genesis, Path(ready)) | {"evil": EVIL}
    commands = [line.split() for line in HOSTILE.strip().splitlines()]
    assert {words[0] for words in commands} >= set(COMMANDS)
    for words, more in itertools.product(commands, ([], ["--json"])):
        code, out, err = notarium_node(*(each.format(**places) for each in words), *more)
        assert code in (0, 1, 2, 5), (words, err)
        for each in out + err:
            assert each == "\n" or each.isprintable(), (words, hex(ord(each)), out, err)
        if code:
            assert all(line.startswith("error: ") for line in err.splitlines() if line), (words, err)
