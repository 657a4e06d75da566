"""Headers, blocks and decisions read back as they were written; a flipped bit makes another block or none."""

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.ledger.flipping import flip
from tests.properties.strategies import certificates, headers
from tests.vectors.chain import chain

from notarium_ledger.blocks.block import Block, Decision, Header
from notarium_ledger.blocks.certificate import QuorumCertificate
from notarium_ledger.encoding import canonical
from notarium_ledger.errors import (
    InvalidBlock,
)
from notarium_ledger.state.chain_state import apply_block


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


@given(st.data())
@settings(max_examples=300)
def test_any_flipped_bit_of_a_block_is_rejected_or_makes_another_hash(draw: st.DataObject) -> None:
    block = chain().decisions[2].block
    data = block.encode()
    changed = flip(data, draw.draw(st.integers(0, 8 * len(data) - 1)))
    try:
        other = Block.decode(changed)
        apply_block(chain().states[2], other, lambda _: False)
    except InvalidBlock:
        return
    assert other.hash != block.hash
