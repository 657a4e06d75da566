"""`notarium pin`: an auditor without a project, and a folder that brings its own ledger along."""

import json

import pytest
from tests.client.fake_node import FakeLedger, FakeNode
from tests.support.consortium import Consortium

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
    assert pinned == {"ledger": "test", "genesis_hash": ledger.consortium.genesis.hash.hex()}
