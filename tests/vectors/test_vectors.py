"""The committed vectors are what the code makes, and what it reads, accepts and rejects."""

import json
from typing import Any

import pytest
from tests.vectors import generate
from tests.vectors.notation import from_json
from tests.vectors.registry import shown

from notarium_ledger.blocks.block import Block, Decision, Header
from notarium_ledger.blocks.certificate import QuorumCertificate
from notarium_ledger.blocks.statements import StatementKind, round_change_bytes, vote_bytes
from notarium_ledger.blocks.validators import ValidatorSet
from notarium_ledger.encoding import canonical
from notarium_ledger.entries.commitment import check_body
from notarium_ledger.entries.entry import decode_entry, sign_entry, verify_signature
from notarium_ledger.errors import (
    InvalidBlock,
    InvalidCertificate,
    InvalidEntry,
    InvalidEquivocationFile,
    InvalidGenesis,
    InvalidReceipt,
    InvalidSnapshot,
    LedgerError,
    NotCanonical,
)
from notarium_ledger.signing import SigningKey, is_valid_key, verify
from notarium_ledger.state.chain_state import ChainState, apply_block
from notarium_ledger.state.genesis import Genesis
from notarium_ledger.state.merkle_map import MerkleMap
from notarium_ledger.state.registry import Registry
from notarium_ledger.trust.equivocation_file import EquivocationFile
from notarium_ledger.trust.receipt import Receipt, ReceiptVerifier
from notarium_ledger.trust.receipt_batch import decode_receipts, encode_receipts
from notarium_ledger.trust.snapshot import Snapshot
from notarium_ledger.types import Hash, Height, Round

DOCUMENTS = generate.documents()


def load(name: str) -> Any:
    return json.loads((generate.FOLDER / name).read_bytes())


def cases(name: str, part: str) -> list[Any]:
    return [pytest.param(case, id=case.get("name", str(number))) for number, case in enumerate(load(name)[part])]


def unhex(text: str) -> bytes:
    return bytes.fromhex(text)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_code_still_makes_the_committed_file(name: str) -> None:
    committed = (generate.FOLDER / name).read_bytes()
    assert generate.encode(DOCUMENTS[name]) == committed, (
        f"{name} would change, and a public format is permanent. If you mean it, run python -m tests.vectors.generate"
    )


def test_every_committed_file_is_made() -> None:
    assert {path.name for path in generate.FOLDER.glob("*.json")} == set(DOCUMENTS)


@pytest.mark.parametrize("case", cases("canonical.json", "valid"))
def test_canonical_both_ways(case: Any) -> None:
    value, encoded = from_json(case["value"]), unhex(case["hex"])
    assert canonical.encode(value) == encoded
    decoded = canonical.decode(encoded)
    assert decoded == value
    assert type(decoded) is type(value)


@pytest.mark.parametrize("case", cases("canonical.json", "invalid"))
def test_not_canonical(case: Any) -> None:
    with pytest.raises(NotCanonical):
        canonical.decode(unhex(case["hex"]))


@pytest.mark.parametrize("case", cases("ed25519.json", "cases"))
def test_signature_acceptance(case: Any) -> None:
    key = unhex(case["key"])
    assert verify(key, unhex(case["message"]), unhex(case["signature"])) is case["valid"]
    assert is_valid_key(key) is case["enrollable"]


@pytest.mark.parametrize("case", cases("entries.json", "valid"))
def test_entry(case: Any) -> None:
    document = load("entries.json")
    genesis = Hash(unhex(document["genesis"]))
    entry = decode_entry(unhex(case["hex"]))
    verify_signature(entry, genesis)
    assert entry.id.hex() == case["id"]
    assert entry.body == from_json(case["body"])
    assert entry.key.hex() == case["key"]
    assert entry.signed_message(genesis).hex() == case["signed"]
    assert entry.signature.hex() == case["signature"]
    if entry.batch is None:
        assert sign_entry(SigningKey(unhex(document["seed"])), genesis, entry.body) == entry.raw


@pytest.mark.parametrize("case", cases("entries.json", "invalid"))
def test_invalid_entry(case: Any) -> None:
    genesis = Hash(unhex(load("entries.json")["genesis"]))
    with pytest.raises(InvalidEntry) as caught:
        verify_signature(decode_entry(unhex(case["hex"])), genesis)
    assert caught.value.field == case["field"]


@pytest.mark.parametrize("case", cases("bodies.json", "valid"))
def test_body(case: Any) -> None:
    body = canonical.decode(unhex(case["hex"]))
    assert body == from_json(case["body"])
    assert check_body(body) == body


@pytest.mark.parametrize("case", cases("bodies.json", "invalid"))
def test_invalid_body(case: Any) -> None:
    body = canonical.decode(canonical.encode(from_json(case["body"])))
    with pytest.raises(InvalidEntry) as caught:
        check_body(body)
    assert caught.value.field == case["field"]


@pytest.mark.parametrize("case", cases("genesis.json", "valid"))
def test_genesis(case: Any) -> None:
    genesis = Genesis.from_document(case["document"])
    assert Genesis.decode_json(genesis.encode_json()) == genesis
    assert genesis.hash.hex() == case["hash"]
    assert genesis.registry.hash.hex() == case["state_root"]
    assert genesis.registry.validators.hash.hex() == case["validators"]
    assert Registry.decode(unhex(case["registry"])) == genesis.registry


@pytest.mark.parametrize("case", cases("genesis.json", "invalid"))
def test_invalid_genesis(case: Any) -> None:
    with pytest.raises(InvalidGenesis) as caught:
        Genesis.from_document(case["document"])
    assert caught.value.field == case["field"]


@pytest.mark.parametrize("case", cases("genesis.json", "later_registries"))
def test_later_registry(case: Any) -> None:
    registry = Registry.decode(unhex(case["registry"]))
    assert registry.encode().hex() == case["registry"]
    assert registry.hash.hex() == case["state_root"]
    assert registry.validators.hash.hex() == case["validators"]


@pytest.mark.parametrize("case", cases("registry.json", "maps"))
def test_merkle_map(case: Any) -> None:
    records = {unhex(key): unhex(value) for key, value in case["records"]}
    whole = MerkleMap().updated(records)
    assert whole.root.hex() == case["root"]
    assert list(whole.items()) == sorted(records.items())
    one_by_one = MerkleMap()
    for key, value in records.items():
        one_by_one = one_by_one.updated({key: value})
    assert one_by_one.root.hex() == case["root"]


@pytest.mark.parametrize("case", cases("registry.json", "valid"))
def test_registry(case: Any) -> None:
    registry = Registry.decode(unhex(case["hex"]))
    assert registry.encode().hex() == case["hex"]
    assert registry.hash.hex() == case["state_root"]
    assert shown(registry) == case["content"]


@pytest.mark.parametrize("case", cases("registry.json", "invalid"))
def test_invalid_registry(case: Any) -> None:
    with pytest.raises(LedgerError):
        Registry.decode(unhex(case["hex"]))


@pytest.mark.parametrize("case", load("validators.json")["sets"], ids=lambda case: f"n={case['n']}")
def test_validator_set(case: Any) -> None:
    validators = ValidatorSet.from_value(from_json(case["value"]))
    assert len(validators) == case["n"]
    assert validators.hash.hex() == case["hash"]
    assert (validators.faulty, validators.quorum, validators.honest_minimum) == (
        case["faulty"],
        case["quorum"],
        case["honest_minimum"],
    )
    assert [validators.proposer(Height(10), Round(each)).hex() for each in range(5)] == case["proposers"]


def test_blocks_follow_from_genesis() -> None:
    """The whole chain of the vectors, applied from the committed bytes alone."""
    genesis = Genesis.from_document(load("genesis.json")["valid"][0]["document"])
    state = ChainState.initial(genesis.hash, genesis.registry)
    for case in load("blocks.json")["valid"]:
        header = Header.decode(unhex(case["raw"]))
        assert header.hash.hex() == case["hash"]
        for name, value in case["header"].items():
            assert getattr(header, name) == from_json(value)
        block = Block.decode(unhex(case["block"]))
        assert block.encode().hex() == case["block"]
        decision = Decision.from_value(canonical.decode(unhex(case["decision"])))
        assert decision.block == block
        decision.certificate.verify(genesis.hash, state.registry.validators, header.height, header.hash)
        state = apply_block(state, block, lambda _: False).state
        assert state.tip == header.hash


@pytest.mark.parametrize("case", cases("blocks.json", "invalid"))
def test_invalid_header(case: Any) -> None:
    with pytest.raises(InvalidBlock) as caught:
        Header.decode(unhex(case["hex"]))
    assert caught.value.field == case["field"]


@pytest.mark.parametrize("case", load("votes.json")["votes"], ids=lambda case: f"{case['type']}-{case['round']}")
def test_vote(case: Any) -> None:
    context = load("votes.json")
    genesis, validators, block = (Hash(unhex(context[name])) for name in ("genesis", "validators", "block"))
    height = Height(from_json(case["height"]))
    message = vote_bytes(StatementKind[case["type"]], genesis, validators, height, Round(case["round"]), block)
    assert message.hex() == case["signed"]
    assert verify(unhex(context["key"]), message, unhex(case["signature"]))


@pytest.mark.parametrize("case", load("votes.json")["round_changes"], ids=lambda case: str(case["round"]))
def test_round_change(case: Any) -> None:
    context = load("votes.json")
    genesis, validators = Hash(unhex(context["genesis"])), Hash(unhex(context["validators"]))
    prepared = case["prepared"] and (Round(case["prepared"]["round"]), Hash(unhex(case["prepared"]["block"])))
    height = Height(from_json(case["height"]))
    message = round_change_bytes(genesis, validators, height, Round(case["round"]), prepared)
    assert message.hex() == case["signed"]
    assert verify(unhex(context["key"]), message, unhex(case["signature"]))


def test_nothing_signed_means_two_things() -> None:
    votes = load("votes.json")
    signed = [case["signed"] for case in votes["votes"] + votes["round_changes"]]
    signed += [case["signed"] for case in load("entries.json")["valid"]]
    batches = {case["signed"] for case in load("entries.json")["valid"] if case["name"].startswith("batch")}
    assert len(batches) == 3, "one signature for each batch"
    assert len(set(signed)) == len(votes["votes"]) + len(votes["round_changes"]) + 1 + len(batches)


@pytest.mark.parametrize("case", cases("certificates.json", "valid"))
def test_certificate(case: Any) -> None:
    _verify_certificate(unhex(case["hex"]))
    assert QuorumCertificate.decode(unhex(case["hex"])).encode().hex() == case["hex"]


@pytest.mark.parametrize("case", cases("certificates.json", "invalid"))
def test_invalid_certificate(case: Any) -> None:
    with pytest.raises(InvalidCertificate) as caught:
        _verify_certificate(unhex(case["hex"]))
    assert caught.value.field == case["field"]


def _verify_certificate(data: bytes) -> None:
    context = load("certificates.json")
    validators = ValidatorSet.from_value(from_json(context["validators"]))
    certificate = QuorumCertificate.decode(data)
    genesis, block = Hash(unhex(context["genesis"])), Hash(unhex(context["block"]))
    certificate.verify(genesis, validators, Height(context["height"]), block)


@pytest.fixture(scope="module")
def verifier() -> ReceiptVerifier:
    return ReceiptVerifier(Genesis.from_document(load("receipts.json")["genesis"]))


@pytest.mark.parametrize("text", load("receipts.json")["valid"], ids=str.__len__)
def test_receipt(verifier: ReceiptVerifier, text: str) -> None:
    verified = verifier.verify_json(text.encode())
    assert json.loads(text)["about"]["id"] == verified.entry.id.hex()
    assert Receipt.decode_json(text.encode()).encode_json() == text.encode()


@pytest.mark.parametrize("case", cases("receipts.json", "invalid"))
def test_invalid_receipt(verifier: ReceiptVerifier, case: Any) -> None:
    with pytest.raises(InvalidReceipt) as caught:
        verifier.verify_json(case["text"].encode())
    assert caught.value.step == case["step"], caught.value


def test_receipt_batch(verifier: ReceiptVerifier) -> None:
    document = load("receipts.json")
    batch = document["batch"]
    entries = [unhex(each) for each in batch["entries"]]
    receipts = decode_receipts(unhex(batch["hex"]), entries)
    assert [receipt and receipt.encode_json().decode() for receipt in receipts] == [*document["valid"], None]
    assert encode_receipts(receipts).hex() == batch["hex"]


@pytest.fixture(scope="module")
def genesis() -> Genesis:
    return Genesis.from_document(load("equivocation.json")["genesis"])


@pytest.mark.parametrize("case", cases("equivocation.json", "valid"))
def test_equivocation(genesis: Genesis, case: Any) -> None:
    file = EquivocationFile.decode_json(case["text"].encode())
    file.verify(genesis)
    assert file.equivocation.id.hex() == case["id"] == json.loads(case["text"])["about"]["id"]
    assert file.encode_json() == case["text"].encode()


@pytest.mark.parametrize("case", cases("equivocation.json", "invalid"))
def test_invalid_equivocation(genesis: Genesis, case: Any) -> None:
    with pytest.raises(InvalidEquivocationFile) as caught:
        EquivocationFile.decode_json(case["text"].encode()).verify(genesis)
    assert caught.value.step == case["step"], caught.value


@pytest.mark.parametrize("case", load("snapshots.json")["valid"], ids=lambda case: str(case["height"]))
def test_snapshot(case: Any) -> None:
    genesis = Genesis.from_document(load("snapshots.json")["genesis"])
    snapshot = Snapshot.decode(unhex(case["hex"]))
    assert snapshot.encode().hex() == case["hex"]
    state = snapshot.verify(genesis)
    assert (state.height, state.tip.hex(), state.time_ms) == (case["height"], case["tip"], case["time_ms"])
    assert (state.frontier.size, state.frontier.root().hex()) == (case["size"], case["root"])
    assert state.registry.hash.hex() == case["state_root"]
    assert state.registry.validators.hash.hex() == case["next_validators"]


@pytest.mark.parametrize("case", cases("snapshots.json", "invalid"))
def test_invalid_snapshot(case: Any) -> None:
    genesis = Genesis.from_document(load("snapshots.json")["genesis"])
    with pytest.raises(InvalidSnapshot) as caught:
        Snapshot.decode(unhex(case["hex"])).verify(genesis)
    assert caught.value.step == case["step"], caught.value
