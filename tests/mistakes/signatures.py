"""Further valid signatures of one key for one message: what a liar with its own Ed25519 code can make."""

from __future__ import annotations

from hashlib import sha256

from tests.support import edwards

from notarium_ledger.signing import SigningKey, verify
from notarium_ledger.types import PublicKey, Signature

_SEEDS = {SigningKey(seed).public: seed for seed in (sha256(f"validator {n}".encode()).digest() for n in range(16))}
"""Of tests.simulation.chain.validator_keys."""


def another_signature(key: PublicKey, message: bytes, number: int) -> Signature:
    """A valid signature of `message` with a nonce of our choice (RFC 8032 derives it, but no verifier can see that)."""
    scalar = edwards.secret_scalar(_SEEDS[key])
    nonce = 1000 + number
    commitment = edwards.encode(edwards.multiply(nonce, edwards.BASE))
    s = (nonce + edwards.challenge(commitment, key, message) * scalar) % edwards.L
    result = Signature(edwards.signature(commitment, s))
    if not verify(key, message, result):
        raise ValueError("the signature is not valid")
    return result
