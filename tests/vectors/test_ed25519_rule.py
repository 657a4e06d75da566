"""The rule for signatures as docs/formats.md states it, worked out over the integers, judges as the vectors say."""

import json
from typing import Any

import pytest
from tests.support import edwards
from tests.vectors import generate

CASES = json.loads((generate.FOLDER / "ed25519.json").read_bytes())["cases"]
SMALL = set(edwards.small_order_points())


def decoded(encoding: bytes) -> edwards.Point | None:
    """The point, its y modulo p; None where there is none."""
    number = int.from_bytes(encoding, "little")
    y, sign = (number & (1 << 255) - 1) % edwards.P, number >> 255
    x = edwards.recover_x(y, sign)
    if x is None:  # x = 0 with a sign: the point is of small order all the same
        x = edwards.recover_x(y, 0)
    return None if x is None else (x, y)


def is_valid(key: bytes, message: bytes, signature: bytes) -> bool:
    """The four steps of the page."""
    commitment, s = signature[:32], int.from_bytes(signature[32:], "little")
    if s >= edwards.L:  # 1
        return False
    point = decoded(key)
    if point is None or int.from_bytes(key, "little") & (1 << 255) - 1 >= edwards.P:  # 2
        return False
    if point in SMALL or decoded(commitment) in SMALL:  # 3
        return False
    k = edwards.challenge(commitment, key, message)
    minus = (-point[0] % edwards.P, point[1])
    found = edwards.add(edwards.multiply(s, edwards.BASE), edwards.multiply(k, minus))
    return edwards.encode(found) == commitment  # 4


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_the_page_s_rule_judges_as_the_vectors_say(case: Any) -> None:
    key, message, signature = (bytes.fromhex(case[name]) for name in ("key", "message", "signature"))
    assert is_valid(key, message, signature) is case["valid"]
