"""Whatever can be encoded is decoded to the same; whatever is decoded encodes to the same bytes."""

import json
import struct
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from tests.properties.strategies import hashes, values
from tests.support.consortium import Consortium, digest, key, valid_body
from tests.vectors.chain import chain
from tests.vectors.receipts import edited

from notarium_ledger.blocks.block import Block, Decision, Header
from notarium_ledger.blocks.certificate import QuorumCertificate, Seal
from notarium_ledger.encoding import canonical
from notarium_ledger.entries.commitment import MAX_TIME_MS
from notarium_ledger.entries.entry import decode_entry, sign_batch, sign_entry, verify_signature
from notarium_ledger.errors import (
    InvalidBlock,
    InvalidCertificate,
    InvalidEntry,
    InvalidReceipt,
    LedgerError,
    NotCanonical,
)
from notarium_ledger.state.genesis import Genesis
from notarium_ledger.state.registry import Member, MembershipProposal, NodeRecord, Parameters, Registry, Researcher
from notarium_ledger.trust.receipt import Receipt, ReceiptVerifier
from notarium_ledger.trust.receipt_batch import decode_receipts, encode_receipts
from notarium_ledger.types import Hash, Height, PublicKey, Round, Signature

GENESIS = Hash(digest("genesis"))


@given(values)
def test_canonical_round_trip(value: Any) -> None:
    encoded = canonical.encode(value)
    decoded = canonical.decode(encoded)
    assert decoded == value
    assert canonical.encode(decoded) == encoded


@given(st.dictionaries(st.text(max_size=4), st.integers(0, 9), min_size=2), st.randoms())
def test_the_order_in_which_a_map_was_built_does_not_matter(value: Any, rng: Any) -> None:
    items = list(value.items())
    rng.shuffle(items)
    assert canonical.encode(dict(items)) == canonical.encode(value)


@given(st.binary(max_size=60))
@example(b"\xcf\x00\x00\x00\x01\x00\x00\x00\x00")
@example(b"\x82\xa1b\x01\xa1a\x02")
def test_any_bytes_are_canonical_or_rejected(data: bytes) -> None:
    try:
        value = canonical.decode(data)
    except NotCanonical:
        return
    assert canonical.encode(value) == data


@given(values, st.data())
def test_no_other_bytes_decode_to_the_same_value(value: Any, data: st.DataObject) -> None:
    encoded = bytearray(canonical.encode(value))
    at = data.draw(st.integers(0, len(encoded) - 1))
    encoded[at] ^= data.draw(st.integers(1, 255))
    try:
        other = canonical.decode(bytes(encoded))
    except NotCanonical:
        return
    assert json.dumps(other, default=repr) != json.dumps(value, default=repr) or repr(other) != repr(value)


@given(st.floats())
def test_no_floats(value: float) -> None:
    with pytest.raises(NotCanonical):
        canonical.encode([value])  # type: ignore[list-item]
    with pytest.raises(NotCanonical):
        canonical.decode(b"\x91\xcb" + struct.pack(">d", value))


texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=100)


@given(texts, st.integers(1, 2**32), st.sampled_from(["public", "consortium", "sealed"]), hashes)
def test_entry_round_trip(project: str, partitions: int, disclosure: str, bundle: bytes) -> None:
    body = valid_body("dataset", 1, project=project, partitions=partitions, disclosure=disclosure, bundle=bundle)
    raw = sign_entry(key("author"), GENESIS, body)
    entry = decode_entry(raw)
    verify_signature(entry, GENESIS)
    assert entry.raw == raw
    assert entry.body == body
    assert canonical.encode(body) == entry.body_bytes


@given(st.integers(1, 70))
def test_every_entry_of_a_batch_proves_its_author_alone(size: int) -> None:
    bodies = [valid_body("run", number) for number in range(size)]
    raws = sign_batch(key("author"), GENESIS, bodies)
    for raw, body in zip(raws, bodies, strict=True):
        entry = decode_entry(raw)
        verify_signature(entry, GENESIS)
        assert entry.body == body
    assert len({decode_entry(raw).signed_message(GENESIS) for raw in raws}) == 1


headers = st.builds(
    Header,
    genesis=hashes,
    height=st.integers(1, 2**63 - 1).map(Height),
    parent=hashes,
    time_ms=st.integers(0, MAX_TIME_MS),
    proposer=hashes.map(PublicKey),
    tree_size=st.integers(0, 2**63 - 1),
    tree_root=hashes,
    validators=hashes,
    next_validators=hashes,
    state_root=hashes,
)
seals = st.builds(Seal, hashes.map(PublicKey), st.binary(min_size=64, max_size=64).map(Signature))
certificates = st.builds(
    QuorumCertificate,
    st.integers(1, 2**63 - 1).map(Height),
    st.integers(0, 2**32 - 1).map(Round),
    hashes,
    st.lists(seals, max_size=5).map(tuple),
)


@given(headers, st.lists(st.binary(max_size=40), max_size=20), certificates)
def test_block_certificate_and_decision_round_trip(
    header: Header, entries: list[bytes], certificate: QuorumCertificate
) -> None:
    assert Header.decode(header.raw) == header
    assert Header.decode(header.raw).hash == header.hash
    block = Block(header, tuple(entries))
    assert Block.decode(block.encode()) == block
    assert QuorumCertificate.decode(certificate.encode()) == certificate
    decision = Decision(block, certificate)
    assert Decision.from_value(canonical.decode(canonical.encode(decision.to_value()))) == decision


@given(headers, headers)
def test_different_headers_have_different_hashes(one: Header, other: Header) -> None:
    assume(one != other)
    assert one.raw != other.raw
    assert one.hash != other.hash


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_rejected_by_name(data: bytes) -> None:
    """No decoder of what comes from outside lets another exception out."""
    for decode, error in (
        (Block.decode, InvalidBlock),
        (Header.decode, InvalidBlock),
        (QuorumCertificate.decode, InvalidCertificate),
        (decode_entry, InvalidEntry),
        (Receipt.decode_json, InvalidReceipt),
        (Genesis.decode_json, LedgerError),
    ):
        with pytest.raises(error):
            decode(data)


@given(values)
def test_any_value_is_read_or_rejected_by_name(value: Any) -> None:
    encoded = canonical.encode(value)
    for decode in (Block.decode, Header.decode, QuorumCertificate.decode, decode_entry):
        with pytest.raises(LedgerError):
            decode(encoded)
    nested: Any
    for nested in ([1, encoded, bytes(32), bytes(64)], [2, encoded, bytes(32), bytes(64), 0, 1, []]):
        with pytest.raises(InvalidEntry):
            decode_entry(canonical.encode(nested))
    with pytest.raises(InvalidReceipt):
        decode_receipts(encoded, [b""] * 3)


json_scalars: st.SearchStrategy[Any] = st.none() | st.booleans() | st.integers() | st.floats() | st.text()


@given(st.recursive(json_scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_any_json_is_no_receipt_and_no_genesis(document: Any) -> None:
    data = json.dumps(document).encode()
    with pytest.raises(InvalidReceipt):
        Receipt.decode_json(data)
    with pytest.raises(LedgerError):
        Genesis.decode_json(data)


@given(st.sampled_from(["header", "certificate", "entry", "index", "path", "handovers", "genesis", "about"]), st.data())
def test_a_receipt_with_any_field_of_another_type_is_rejected_by_name(name: str, data: st.DataObject) -> None:
    text = chain().receipt(3, 4).encode_json().decode()
    value: Any = data.draw(json_scalars | st.lists(st.text()) | st.just({}) | st.just([{}]))
    assume(value != json.loads(text)[name])
    edit = edited(text, lambda document: document.update({name: value})).encode()
    with pytest.raises(InvalidReceipt):
        # Verified, not only read: an empty path has the right type.
        ReceiptVerifier(chain().consortium.genesis).verify_json(edit)


@given(
    members=st.lists(st.tuples(st.text(max_size=5), hashes), max_size=4),
    researchers=st.dictionaries(
        hashes.map(PublicKey), st.builds(Researcher, st.text(max_size=5), st.booleans()), max_size=4
    ),
    proposals=st.dictionaries(
        hashes,
        st.builds(
            MembershipProposal,
            st.text(max_size=5),
            st.dictionaries(st.text(max_size=5), st.integers(0, 9), max_size=3),
            st.frozensets(st.text(max_size=5), max_size=3),
        ),
        max_size=3,
    ),
    roles=st.lists(st.sampled_from(["validator", "observer"]), max_size=6),
)
def test_registry_round_trip(members: Any, researchers: Any, proposals: Any, roles: list[str]) -> None:
    nodes = [NodeRecord("first", "validator", PublicKey(digest(0)), b"certificate", "a:1")]
    nodes += [
        NodeRecord(f"m{number}", role, PublicKey(digest(number)), digest(-number), "b:2", "https://c")
        for number, role in enumerate(roles, 1)
    ]
    registry = Registry(
        members={id_: Member(id_, id_, PublicKey(public)) for id_, public in members},
        nodes={node.key: node for node in nodes},
        researchers=researchers,
        parameters=Parameters(),
        proposals=proposals,
    )
    again = Registry.decode(registry.encode())
    assert again == registry
    assert again.hash == registry.hash
    assert again.validators.hash == registry.validators.hash


@given(st.integers(1, 6), st.integers(0, 3), st.integers(0, 4), st.sampled_from(["", " ", "\n\n"]))
def test_genesis_round_trip_whatever_its_white_space(n: int, observers: int, researchers: int, space: str) -> None:
    genesis = Consortium(n, observers, researchers).genesis
    again = Genesis.decode_json(genesis.encode_json())
    assert again == genesis
    loose = json.dumps(genesis.document, indent=3).replace(",", space + ",").encode()
    assert Genesis.decode_json(loose).hash == genesis.hash
    renamed = Genesis.from_document({**genesis.document, "name": "another"})
    assert renamed.hash != genesis.hash


@given(st.lists(st.sampled_from([(1, 0), (1, 2), (2, 1), (3, 0), (3, 4), None]), max_size=8))
def test_receipts_round_trip_alone_and_together(wanted: list) -> None:
    receipts = [each and chain().receipt(*each) for each in wanted]
    entries = [each.entry if each else b"" for each in receipts]
    assert decode_receipts(encode_receipts(receipts), entries) == receipts
    for receipt in receipts:
        if receipt:
            assert Receipt.decode_json(receipt.encode_json()) == receipt
