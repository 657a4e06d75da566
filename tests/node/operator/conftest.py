"""A founded node, and a cheap password hash."""

import pytest
from nacl.pwhash import argon2id

from notarium_node.identity.card import read_card
from notarium_node.operator.ceremony import make_genesis
from notarium_node.operator.setup import NodeDescription, initialise, make_keys

MERCY = NodeDescription("mercy", "Mercy Hospital", "validator", "node.mercy.example:7470", "https://node.mercy.example")


@pytest.fixture(autouse=True)
def cheap(monkeypatch):
    """Argon2id with the least work: no test is about its cost."""
    monkeypatch.setattr(argon2id, "OPSLIMIT_MODERATE", argon2id.OPSLIMIT_MIN)
    monkeypatch.setattr(argon2id, "MEMLIMIT_MODERATE", argon2id.MEMLIMIT_MIN)


@pytest.fixture
def founded_node(tmp_path):
    """The directory of a node that is ready to run, its governance key moved away."""
    made = make_keys(tmp_path / "node", MERCY)
    genesis = make_genesis("Demo", [read_card(made.card)])
    path = tmp_path / "genesis.json"
    path.write_bytes(genesis.encode_json())
    initialise(tmp_path / "node", path, genesis.hash.hex())
    return tmp_path / "node"
