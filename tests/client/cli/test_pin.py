"""`notarium pin`: an auditor without a project, and a folder that brings its own ledger along."""

import json
import socket

import pytest
from tests.client.fake_node import FakeLedger, FakeNode
from tests.support.consortium import Consortium

from notarium.anchoring.outbox import Outbox, Waiting
from notarium.project import create_project


@pytest.fixture
def genesis_file(ledger, tmp_path):
    path = tmp_path / "true.json"
    path.write_bytes(ledger.consortium.genesis.encode_json())
    return path


def test_a_pin_needs_no_project_to_verify(study, genesis_file, ledger, cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli("verify", "--offline", "study/data")[0] == 2
    hash_ = ledger.consortium.genesis.hash.hex()
    assert cli("pin", genesis_file, "--genesis-hash", "00" * 32)[0] == 2
    assert json.loads(cli("pin", "--json")[1]) == {"pins": []}
    assert cli("pin", genesis_file, "--genesis-hash", hash_)[0] == 0
    assert f"pinned test  genesis {hash_}" in cli("pin")[1]
    code, out, _ = cli("verify", "--offline", "study/data")
    assert code == 0
    assert hash_ in out


def test_in_the_folder_of_a_submission_an_unpinned_ledger_is_refused(
    ledger, genesis_file, home, cli, tmp_path, monkeypatch
):
    with FakeNode(FakeLedger(Consortium(4, observers=2))) as forged:
        false = forged.ledger.consortium.genesis
        submission = tmp_path / "sub"
        submission.mkdir()
        create_project(submission, false, [forged.url], "m0", "study-12")
        (submission / "plan.md").write_text("plan")
        monkeypatch.chdir(submission)
        assert cli("prereg", "plan.md")[0] == 0
        assert cli("pin", genesis_file)[0] == 0
        forged.requests.clear()
        for command in (
            ["verify", "plan.md"],
            ["show", "plan.md"],
            ["find", "plan.md"],
            ["status"],
            ["anchor", "plan.md"],
        ):
            code, _, err = cli(*command)
            assert code == 2, command
            assert "you have not pinned" in err
            assert false.hash.hex() in err
            assert ledger.consortium.genesis.hash.hex() in err
        assert forged.requests == []


def test_init_pins_for_the_user_too(genesis_file, ledger, home, cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli("init", "--genesis", genesis_file, "--issuer", "m0", "--node", "http://localhost:1")[0] == 0
    [pinned] = json.loads(cli("pin", "--json")[1])["pins"]
    assert (pinned["ledger"], pinned["genesis_hash"]) == ("test", ledger.consortium.genesis.hash.hex())
    assert "http://localhost:1" in pinned["nodes"]
    assert cli("status", "--timeout", "0.3")[0] == 5, "and its node may be asked"


COMMANDS = (
    "verify plan.md", "verify plan.md --issuer m0", "verify plan.md.receipt.json", "verify .", "verify plan.md --json",
    "show plan.md", "show plan.md.receipt.json", f"show {'ab' * 32}", "find plan.md", f"find {'ab' * 32}",
    "anchor plan.md", "prereg plan.md", "status", "status --flush", "log", "run --name x -- true",
    "complete x.run.draft.json", "pin .notarium/genesis.json", "equivocation plan.md",
)  # fmt: skip
"""Every command that reads a path or looks for a project."""


@pytest.fixture
def listening():
    """An address that counts who connects."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def connections(server):
    server.setblocking(False)
    try:
        server.accept()
    except BlockingIOError:
        return 0
    return 1


@pytest.fixture
def submission(ledger, listening, genesis_file, home, cli, tmp_path, monkeypatch):
    """A folder of the true ledger that names a node of somebody else; its reader has pinned the ledger."""
    folder = tmp_path / "editor" / "inbox" / "sub"
    folder.mkdir(parents=True)
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    create_project(folder, ledger.consortium.genesis, [address], "m0", "study-12")
    (folder / "plan.md").write_text("plan")
    (folder / "plan.md.receipt.json").write_text("{}")
    outbox = Outbox(folder / ".notarium" / "outbox", ledger.consortium.genesis)
    raw = ledger.consortium.raw(ledger.consortium.body("dataset"))
    outbox.put(Waiting(raw, folder / "never.md.receipt.json", "dataset", 5))
    assert cli("pin", genesis_file)[0] == 0
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_connects_to_an_address_that_only_a_submission_names(
    submission, listening, cli, command, monkeypatch
):
    """Neither in the submission's folder nor beside it; with a pinned ledger, the folder may name its own nodes."""
    monkeypatch.chdir(submission)
    cli(*command.split())
    assert connections(listening) == 0
    monkeypatch.chdir(submission.parent)
    words = [f"sub/{each}" if (submission / each).exists() else each for each in command.split()]
    cli(*words)
    assert connections(listening) == 0


def test_the_address_of_a_submission_is_named_and_asked_once_it_is_pinned(
    submission, listening, genesis_file, cli, monkeypatch
):
    monkeypatch.chdir(submission)
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    code, _, err = cli("status")
    assert code == 2
    assert f"names the node {address}" in err
    assert cli("pin", "--node", address)[0] == 2
    assert cli("pin", genesis_file, "--node", address)[0] == 0
    assert address in cli("pin")[1]
    assert cli("status", "--timeout", "0.3")[0] == 5
    assert connections(listening) == 1


def test_the_nodes_of_another_ledger_are_not_asked(submission, listening, cli, tmp_path, monkeypatch):
    """NOTARIUM_GENESIS names one ledger, the folder's configuration the nodes of another one."""
    other = tmp_path / "other.json"
    other.write_bytes(Consortium(4, name="other").genesis.encode_json())
    monkeypatch.chdir(submission)
    monkeypatch.setenv("NOTARIUM_GENESIS", str(other))
    cli("status", "--timeout", "0.3")
    assert connections(listening) == 0
