"""Ed25519 with domain tags, by libsodium's acceptance rule (PyNaCl). The rule is part of validity and never changes.

Every signature covers a tag that names its purpose, and the genesis hash, so that a signature made for one ledger or
one purpose is not valid for another.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from typing import Final

import nacl.bindings as sodium
from nacl.exceptions import BadSignatureError

from notarium_ledger.types import KEY_BYTES, SIGNATURE_BYTES, Hash, PublicKey, Signature

ENTRY_TAG = b"notarium/entry/v1\0"
BATCH_TAG = b"notarium/batch/v1\0"
BLOCK_TAG = b"notarium/block/v1\0"
VALIDATORS_TAG = b"notarium/validators/v1\0"
REGISTRY_TAG = b"notarium/registry/v1\0"
GENESIS_TAG = b"notarium/genesis/v1\0"
VOTE_TAG = b"notarium/vote/v1\0"
ROUND_CHANGE_TAG = b"notarium/round-change/v1\0"
EQUIVOCATION_TAG = b"notarium/equivocation/v1\0"
SEED_TAG = b"notarium/seed/v1\0"

_CACHED_KEYS: Final = 4_096
"""How many checked keys are remembered: those of 21 blocks full of enrolments."""


def tagged_hash(tag: bytes, data: bytes) -> Hash:
    """SHA-256(tag ‖ data)."""
    return Hash(sha256(tag + data).digest())


class SigningKey:
    """An Ed25519 secret key. Its repr shows the public key only."""

    __slots__ = ("_secret", "public")

    def __init__(self, seed: bytes) -> None:
        """`seed`: 32 secret bytes (RFC 8032, 5.1.5). Raises ValueError for another length."""
        if len(seed) != KEY_BYTES:
            raise ValueError(f"an Ed25519 seed has {KEY_BYTES} bytes, not {len(seed)}")
        public, self._secret = sodium.crypto_sign_seed_keypair(seed)
        self.public = PublicKey(public)

    def sign(self, message: bytes) -> Signature:
        """Sign `message`. Deterministic: the same message gives the same 64 bytes."""
        return Signature(sodium.crypto_sign(message, self._secret)[:SIGNATURE_BYTES])

    def __repr__(self) -> str:
        return f"SigningKey(public={self.public.hex()})"


def verify(key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` (64 bytes) of `message` by `key` (32 bytes) is valid by libsodium's rule."""
    if len(key) != KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        return False
    try:
        sodium.crypto_sign_open(signature + message, key)
    except BadSignatureError:
        return False
    return True


# Cached, because a check costs two thirds of what a signature's check costs, and a node checks an enrolment up to three
# times: at admission, in a block that it builds, and in a block that it checks.
@lru_cache(maxsize=_CACHED_KEYS)
def is_valid_key(key: bytes) -> bool:
    """Whether `key` may be enrolled: canonical, on the curve, in the main subgroup (thus not of small order)."""
    return len(key) == KEY_BYTES and bool(sodium.crypto_core_ed25519_is_valid_point(key))
