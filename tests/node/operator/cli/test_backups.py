"""backup, restore and rebuild as an operator meets them: output, exit codes, and no secret on the command line."""

import json

import pytest
from tests.support.chains import grow
from tests.support.consortium import Consortium

from notarium_store import Store


@pytest.fixture
def passphrase(tmp_path):
    path = tmp_path / "passphrase"
    path.write_text("correct horse battery\n")
    path.chmod(0o600)
    return path


def test_a_backup_is_made_checked_and_restored(ready, notarium_node, tmp_path, passphrase):
    target, secret = tmp_path / "b", ("--passphrase-file", passphrase)
    code, out, err = notarium_node("backup", "--config", ready, "--to", target, *secret)
    assert code == 0, err
    assert "keys/validator.key" in out
    assert "the other members have them" in out
    code, out, err = notarium_node("restore", target, "--dir", tmp_path / "new", "--check", *secret)
    assert (code, "can be restored" in out) == (0, True), err
    assert not (tmp_path / "new").exists()
    code, out, err = notarium_node("restore", target, "--dir", tmp_path / "new", *secret, "--json")
    assert code == 0, err
    assert json.loads(out)["height"] == 0
    code, _, err = notarium_node("restore", target, "--dir", tmp_path / "new", *secret)
    assert (code, "nothing is overwritten" in err) == (2, True)


def test_a_backup_without_keys_needs_no_passphrase_and_says_what_it_lacks(ready, notarium_node, tmp_path):
    code, out, err = notarium_node("backup", "--config", ready, "--to", tmp_path / "b", "--without-keys")
    assert code == 0, err
    assert ".key" not in out
    assert "keys are not in it" in err
    code, _, err = notarium_node("restore", tmp_path / "b", "--dir", tmp_path / "new")
    assert (code, "keys are not in this backup" in err) == (0, True)


def test_the_passphrase_comes_from_a_file_of_its_owner_or_a_terminal(ready, notarium_node, tmp_path, passphrase):
    def backup(*more):
        return notarium_node("backup", "--config", ready, "--to", tmp_path / "b", *more)

    code, _, err = backup()
    assert (code, "--passphrase-file" in err) == (2, True)
    passphrase.chmod(0o644)
    code, _, err = backup("--passphrase-file", passphrase)
    assert (code, "chmod 600" in err) == (2, True)
    passphrase.chmod(0o600)
    passphrase.write_text("short\n")
    code, _, err = backup("--passphrase-file", passphrase)
    assert (code, "12 to 1024 needed" in err) == (2, True)
    assert not (tmp_path / "b").exists()


def test_a_wrong_passphrase_or_no_backup_is_an_error_of_one_line(ready, notarium_node, tmp_path, passphrase):
    notarium_node("backup", "--config", ready, "--to", tmp_path / "b", "--passphrase-file", passphrase)
    passphrase.write_text("another horse battery\n")
    code, _, err = notarium_node("restore", tmp_path / "b", "--dir", tmp_path / "new", "--passphrase-file", passphrase)
    assert (code, "passphrase is wrong" in err, err.count("error:")) == (2, True, 1)
    (tmp_path / "junk").write_bytes(b"no backup")
    code, _, err = notarium_node("restore", tmp_path / "junk", "--dir", tmp_path / "new")
    assert (code, "not a backup" in err) == (2, True)


def test_with_the_ledger_the_node_must_answer(ready, notarium_node, tmp_path, passphrase):
    code, _, err = notarium_node(
        "backup", "--config", ready, "--to", tmp_path / "b", "--with-ledger", "--passphrase-file", passphrase
    )
    assert (code, "is the node running?" in err) == (5, True)
    assert not (tmp_path / "b").exists()


def test_rebuild_leaves_the_store_of_a_node_alone(ready, ceremony, notarium_node):
    root = ceremony[0]
    code, _, err = notarium_node("rebuild", "--config", ready, "--url", "http://127.0.0.1:1")
    assert (code, "cannot be reached" in err) == (5, True)
    consortium = Consortium(4)
    store = root / "n1" / "store"
    for path in store.iterdir():
        path.unlink()
    (root / "n1" / "genesis.json").write_bytes(consortium.genesis.encode_json())
    config = root / "n1" / "node.toml"
    config.write_text(config.read_text().replace(ceremony[2], consortium.genesis.hash.hex()))
    with Store.open(store, consortium.genesis) as opened:
        grow(opened, consortium, [1])
        opened.put_owner(consortium.validator_keys[0].public, 2, [])  # type: ignore[arg-type]
    code, _, err = notarium_node("rebuild", "--config", ready, "--url", "http://127.0.0.1:1")
    assert (code, "is the store of a node" in err) == (2, True)
