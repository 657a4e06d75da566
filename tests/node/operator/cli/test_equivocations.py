"""`equivocations --verify`: offline, against the pinned genesis. Nodes are asked in tests/node/equivocation."""

import json

import pytest
from tests.support.consortium import Consortium
from tests.support.liars import lie

from notarium_ledger.trust.equivocation_file import EquivocationFile


@pytest.fixture
def proof(tmp_path):
    """A genesis file, and a file that proves an equivocation of its first validator."""
    consortium = Consortium(4)
    genesis, path = tmp_path / "genesis.json", tmp_path / "proof.json"
    genesis.write_bytes(consortium.genesis.encode_json())
    file = EquivocationFile(lie(consortium, consortium.validator_keys[0]), consortium.genesis.registry.validators, None)
    path.write_bytes(file.encode_json())
    return genesis, path, consortium.validator_keys[0].public.hex()


def test_a_proof_is_verified_and_shown(proof, notarium_node):
    genesis, path, key = proof
    code, out, err = notarium_node("equivocations", "--verify", path, "--genesis", genesis, "--json")
    assert code == 0, err
    assert json.loads(out)["key"] == key
    code, out, _ = notarium_node("equivocations", "--verify", path, "--genesis", genesis)
    assert (code, key in out) == (0, True)


def test_a_changed_proof_fails_the_check_at_a_step(proof, notarium_node):
    genesis, path, _ = proof
    document = json.loads(path.read_bytes())
    document["validators"] = document["equivocation"]
    path.write_text(json.dumps(document))
    code, out, err = notarium_node("equivocations", "--verify", path, "--genesis", genesis)
    assert (code, out) == (1, "")
    assert "step " in err
    assert "does not prove an equivocation" in err


def test_without_a_genesis_nothing_is_verified(proof, notarium_node):
    code, _, err = notarium_node("equivocations", "--verify", proof[1])
    assert (code, "--config or --genesis" in err) == (2, True)
