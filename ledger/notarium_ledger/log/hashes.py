"""RFC 6962 hashes of leaves and inner nodes."""

from __future__ import annotations

from hashlib import sha256

from notarium_ledger.types import Hash

EMPTY_ROOT = Hash(sha256(b"").digest())


def leaf_hash(data: bytes) -> Hash:
    """SHA-256(0x00 ‖ data): RFC 6962, 2.1."""
    return Hash(sha256(b"\x00" + data).digest())


def node_hash(left: bytes, right: bytes) -> Hash:
    """SHA-256(0x01 ‖ left ‖ right): RFC 6962, 2.1."""
    return Hash(sha256(b"\x01" + left + right).digest())
