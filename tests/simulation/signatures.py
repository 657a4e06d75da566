"""Signatures that cost a microsecond: a keyed hash in place of Ed25519, for the length of a simulation.

A member signs with its secret; whoever verifies looks the secret up by the public key. As with Ed25519 nobody can sign
for a key whose seed it has not got, provided that simulated liars keep to their own SigningKey, and the same
message gives the same signature. Some seeds run with the real thing (scenario.py), so that nothing hides behind this.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b, sha256
from types import SimpleNamespace

from nacl.exceptions import BadSignatureError
from tests.simulation.oracles import sodium_verify
from tests.simulation.oracles.formats import Verify

from notarium_ledger import signing

_secrets: dict[bytes, bytes] = {}


def _keypair(seed: bytes) -> tuple[bytes, bytes]:
    public = sha256(b"simulated key" + seed).digest()
    _secrets[public] = seed
    return public, seed


def _sign(message: bytes, secret: bytes) -> bytes:
    return blake2b(message, key=secret).digest() + message


def _open(signed: bytes, public: bytes) -> bytes:
    secret = _secrets.get(public)
    message = signed[64:]
    if secret is None or blake2b(message, key=secret).digest() != signed[:64]:
        raise BadSignatureError("not its signature")
    return message


_STAND_IN = SimpleNamespace(
    crypto_sign_seed_keypair=_keypair,
    crypto_sign=_sign,
    crypto_sign_open=_open,
    crypto_core_ed25519_is_valid_point=lambda key: len(key) == 32,
)


@contextmanager
def stand_in() -> Iterator[None]:
    """Within it, notarium_ledger.signing signs and verifies by the keyed hash."""
    real = signing.sodium  # type: ignore[attr-defined]
    signing.sodium = _STAND_IN  # type: ignore[attr-defined,assignment]
    try:
        yield
    finally:
        signing.sodium = real  # type: ignore[attr-defined]


def verifier() -> Verify:
    """What the oracles check the present kind of signatures with: not the product's `verify`, which may be wrong."""
    return _verify if signing.sodium is _STAND_IN else sodium_verify  # type: ignore[attr-defined,comparison-overlap]


def _verify(key: bytes, message: bytes, signature: bytes) -> bool:
    secret = _secrets.get(key)
    return secret is not None and blake2b(message, key=secret).digest() == signature
