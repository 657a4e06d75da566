"""Named types for plain values, so that the type checker catches a height where a round belongs."""

from __future__ import annotations

from typing import NewType

Hash = NewType("Hash", bytes)
"""32 bytes, SHA-256."""

PublicKey = NewType("PublicKey", bytes)
"""32 bytes, Ed25519."""

Signature = NewType("Signature", bytes)
"""64 bytes, Ed25519."""

Height = NewType("Height", int)
"""Position of a block in the chain; the first block has height 1, genesis is height 0."""

Round = NewType("Round", int)
"""Attempt number within one height, from 0."""

HASH_BYTES = 32
KEY_BYTES = 32
SIGNATURE_BYTES = 64
MAX_HEIGHT = 2**63 - 1
MAX_ROUND = 2**32 - 1
