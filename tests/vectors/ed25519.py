"""ed25519.json: libsodium's acceptance rule at its edges (docs: Ed25519 acceptance is part of validity).

The rule: S < L; A and R canonical and not of small order; S·B = R + k·A exactly, not only after multiplication by 8.
Expected results are stated from that rule, not taken from the implementation.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.support import edwards
from tests.support.consortium import digest

from notarium_ledger.signing import SigningKey

RFC_8032 = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]

SEED = digest("ed25519 edge")
SCALAR = edwards.secret_scalar(SEED)
KEY = SigningKey(SEED).public
MESSAGE = b"notarium"


def document() -> dict[str, Any]:
    """The file's content."""
    return {
        "about": "valid: whether the signature is accepted. enrollable: whether the key may be enrolled.",
        "cases": list(_cases()),
    }


def _case(name: str, key: bytes, message: bytes, signature: bytes, valid: bool, enrollable: bool) -> dict[str, Any]:
    return {
        "name": name,
        "key": key.hex(),
        "message": message.hex(),
        "signature": signature.hex(),
        "valid": valid,
        "enrollable": enrollable,
    }


def _cases() -> Iterator[dict[str, Any]]:
    for number, case in enumerate(RFC_8032, 1):
        key, message, signature = map(bytes.fromhex, case)
        yield _case(
            f"RFC 8032 test {number}",
            key,
            message,
            signature,
            True,
            True,
        )
    good = SigningKey(SEED).sign(MESSAGE)
    yield _case("honest", KEY, MESSAGE, good, True, True)
    yield _case("another message", KEY, MESSAGE + b"!", good, False, True)
    scalar = int.from_bytes(good[32:], "little")
    for times in (1, 2, 8):
        too_large = edwards.signature(good[:32], scalar + times * edwards.L)
        yield _case(f"S + {times}L", KEY, MESSAGE, too_large, False, True)
    yield from _small_order_keys()
    yield from _mixed_order_keys()
    yield from _odd_commitments()


def _small_order_keys() -> Iterator[dict[str, Any]]:
    """For a key of small order anybody can make signatures that fulfil the equation."""
    encodings = [
        (f"key of small order {number}", edwards.encode(point), point)
        for number, point in enumerate(edwards.small_order_points())
    ]
    encodings += [
        ("identity with its sign set", edwards.encode_raw(1, 1), edwards.IDENTITY),
        ("identity as p + 1", edwards.encode_raw(edwards.P + 1, 0), edwards.IDENTITY),
        ("order 2 with its sign set", edwards.encode_raw(edwards.P - 1, 1), (0, edwards.P - 1)),
        ("order 4 as p", edwards.encode_raw(edwards.P, 0), (edwards.recover_x(0, 0) or 0, 0)),
    ]
    for name, key, point in encodings:
        s, commitment, message = _forge(key, point)
        yield _case(name, key, message, edwards.signature(commitment, s), False, False)


def _forge(key: bytes, point: edwards.Point) -> tuple[int, bytes, bytes]:
    """S, R and a message with S·B = R + k·A, where 8·A is the identity."""
    s = 12345
    commitment = edwards.encode(edwards.multiply(s, edwards.BASE))
    for counter in range(1000):
        message = b"forged %d" % counter
        if edwards.multiply(edwards.challenge(commitment, key, message), point) == edwards.IDENTITY:
            return s, commitment, message
    raise RuntimeError("no message makes k a multiple of the key's order")


def _mixed_order_keys() -> Iterator[dict[str, Any]]:
    """A = a·B + T: the equation holds exactly where k is a multiple of T's order."""
    torsion = edwards.small_order_points()[1]
    key = edwards.encode(edwards.add(edwards.multiply(SCALAR, edwards.BASE), torsion))
    commitment = edwards.encode(edwards.multiply(777, edwards.BASE))
    wanted = {True: "k a multiple of 8", False: "k not a multiple of 8: only a cofactored check would accept"}
    counter = 0
    while wanted:
        message = b"mixed %d" % counter
        k = edwards.challenge(commitment, key, message)
        exact = k % 8 == 0
        counter += 1
        if exact in wanted:
            signature = edwards.signature(commitment, (777 + k * SCALAR) % edwards.L)
            yield _case(f"key of mixed order, {wanted.pop(exact)}", key, message, signature, exact, False)


def _odd_commitments() -> Iterator[dict[str, Any]]:
    """R of small or mixed order, or not canonical, under an honest key."""
    torsion = edwards.small_order_points()[1]
    mixed = edwards.encode(edwards.add(edwards.multiply(777, edwards.BASE), torsion))
    for name, commitment, r in (
        ("R of mixed order: only a cofactored check would accept", mixed, 777),
        ("R the identity", edwards.encode(edwards.IDENTITY), 0),
        ("R the identity as p + 1", edwards.encode_raw(edwards.P + 1, 0), 0),
    ):
        s = (r + edwards.challenge(commitment, KEY, MESSAGE) * SCALAR) % edwards.L
        yield _case(name, KEY, MESSAGE, edwards.signature(commitment, s), False, True)
