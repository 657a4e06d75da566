"""How commands print and fail."""

import json
import re

import pytest
from tests.support.consortium import Consortium
from tests.support.liars import lie

from notarium_ledger.signing import SigningKey
from notarium_ledger.state.genesis import Genesis
from notarium_ledger.trust.equivocation_file import EquivocationFile
from notarium_node.operator.cli.output import NodeExitCode, out, print_error, print_json
from notarium_node.operator.equivocations import table
from notarium_node.operator.node_api import tables
from notarium_store.store import Store

HASH = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")


@pytest.fixture
def printed(notarium_node, monkeypatch):
    """The hashes and keys that a command prints as a whole, in a pipe and with a narrow terminal's width."""
    monkeypatch.setenv("COLUMNS", "30")

    def run(*arguments):
        _, stdout, stderr = notarium_node(*arguments)
        return HASH.findall(stdout + stderr)

    return run


def test_an_error_goes_to_stderr_each_line_marked(capsys):
    print_error("one [wrong]\ntwo", NodeExitCode.USAGE, as_json=False)
    assert capsys.readouterr() == ("", "error: one [wrong]\nerror: two\n")


def test_programs_get_the_error_as_one_object_on_stdout(capsys):
    print_error("no route", NodeExitCode.UNREACHABLE, as_json=True)
    assert json.loads(capsys.readouterr().out) == {"error": "no route", "exit_code": 5}


def test_a_program_gets_every_name_and_every_terminal_can_show_it(capsys):
    print_json({"name": "Västerhav"})
    out = capsys.readouterr().out
    assert out.isascii()
    assert json.loads(out) == {"name": "Västerhav"}


# No hash and no key is broken.


def test_what_a_node_says_is_printed_with_whole_hashes(world, printed, notarium_node):
    node, genesis = world.network.nodes[0], world.network.genesis_file
    config = ("--config", node.directory / "node.toml")
    status = json.loads(notarium_node("status", *config, "--json")[1])
    assert printed("status", *config) == [status[name] for name in ("genesis", "key", "tip", "tree_root")]

    key = SigningKey(b"whole".ljust(32)).public.hex()
    admin = ("--admin-key", node.directory / "keys" / "admin.key", "--url", node.api, "--genesis", genesis)
    for command in ("enrol", "revoke"):
        said = json.loads(notarium_node(command, "--key", key, *admin, "--json")[1])
        assert printed(command, "--key", key, *admin) == [key, said["entry"]]
    assert printed("enrol", "--key", key, *admin) == [key], "the error: it was revoked"


def test_what_is_proven_offline_is_printed_with_whole_hashes(tmp_path, printed):
    consortium = Consortium(4)
    genesis, path = tmp_path / "genesis.json", tmp_path / "proof.json"
    genesis.write_bytes(consortium.genesis.encode_json())
    file = EquivocationFile(lie(consortium, consortium.validator_keys[0]), consortium.genesis.registry.validators, None)
    path.write_bytes(file.encode_json())
    shown = printed("equivocations", "--verify", path, "--genesis", genesis)
    assert shown[:2] == [file.equivocation.id.hex(), file.equivocation.key.hex()]
    assert len(shown) == 4, "and the two blocks"


def test_errors_are_printed_with_whole_hashes(ready, ceremony, printed):
    root, genesis, hash_ = ceremony
    other = "ab" * 32
    assert printed("init", "--dir", root / "n2", "--genesis", genesis, "--genesis-hash", other) == [hash_, other]
    assert printed("enrol", "--config", ready, "--key", other) == [other]
    assert printed("status", other) == [other], "wrong use"
    config = root / "n1" / "node.toml"
    config.write_text(config.read_text().replace(hash_, other))
    assert printed("run", "--config", ready) == [hash_, other]


def test_check_prints_the_whole_tip(ready, ceremony, printed):
    root, path, hash_ = ceremony
    with Store.open(root / "n1" / "store", Genesis.decode_json(path.read_bytes())):
        pass
    assert printed("check", "--config", ready) == [hash_]


def test_tables_are_as_wide_as_they_need_to_be_and_no_line_is_filled_up(capsys):
    row = {"member": "https://ror.org/02mhbdp94", "kind": "round-change", "height": 9**9, "id": "cd" * 32}
    out.print(table([row]))
    for each in tables({"tip": "ab" * 32, "reasons": ["r" * 300, "[red]s"], "peers": [row]}):
        out.print(each)
    lines = capsys.readouterr().out.splitlines()
    assert HASH.findall("\n".join(lines)) == ["cd" * 32, "ab" * 32]
    assert lines[3:6] == ["tip      " + "ab" * 32, "reasons  " + "r" * 300, "         [red]s"]
    assert all(row["member"] in line for line in (lines[2], lines[-1]))
