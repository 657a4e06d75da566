"""A certificate has no unchecked bytes."""

import pytest
from tests.ledger.flipping import flip
from tests.vectors.chain import chain

from notarium_ledger.blocks.certificate import QuorumCertificate
from notarium_ledger.errors import (
    InvalidCertificate,
)


def test_any_flipped_bit_of_a_certificate_is_rejected() -> None:
    decision = chain().decisions[1]
    validators = chain().states[1].registry.validators
    data = decision.certificate.encode()
    for bit in range(8 * len(data)):
        with pytest.raises(InvalidCertificate):
            QuorumCertificate.decode(flip(data, bit)).verify(
                chain().consortium.genesis.hash, validators, decision.height, decision.block.hash
            )
