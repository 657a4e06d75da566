"""Valid bytes spoiled: by flipped bits, cuts, splices, lying lengths and deep nesting.

Most are blind. Some know msgpack and JSON, because a random change hardly ever makes a length that lies by gigabytes, a
list in a list in a list, or a whole message with one value of another kind, and these are what an attacker sends.
"""

from __future__ import annotations

import base64
import json
import random
import struct
from collections.abc import Callable, Sequence

import msgpack

Mutation = Callable[[random.Random, bytes, Sequence[bytes], str], bytes]
"""(randomness, what to spoil, material to splice in, dialect) -> spoiled."""

_HEADS: dict[str, list[bytes]] = {
    "msgpack": [
        *(bytes((head,)) + b"\xff" * width for head, width in ((0xDC, 2), (0xDD, 4), (0xDE, 2), (0xDF, 4))),
        *(bytes((head,)) + b"\xff" * width for head, width in ((0xD9, 1), (0xDA, 2), (0xDB, 4))),
        *(bytes((head,)) + b"\xff" * width for head, width in ((0xC4, 1), (0xC5, 2), (0xC6, 4), (0xC9, 4))),
        b"\xdd\x00\xff\xff\xff",
        b"\xc6\x03\xff\xff\xff",
    ],
    "json": [b"1e999", b"-1e999", b"NaN", b"9" * 30, b"9" * 5000, b'"\\ud800"', b'"\\u0000"', b"1.0", b"true", b"null"],
    "text": [b"9" * 5000, b"\\u0000", b"inf", b"~nobody-here", b"\x00", b"\xff\xfe", b"=", b"[", b"0x", b'"""'],
}
_OPENERS: dict[str, list[tuple[bytes, bytes]]] = {
    "msgpack": [(b"\x91", b""), (b"\x81\xa1k", b""), (b"\xdc\x40\x00", b""), (b"\xdd\x00\x00\x10\x00", b"")],
    "json": [(b"[", b"]"), (b'{"k":', b"}"), (b"[[],", b"]")],
    "text": [(b"[", b"]"), (b"{a=", b"}"), (b"a.", b"")],
}
_DEPTHS = (2, 15, 17, 60, 200, 520, 900, 985, 1100, 20_000)
"""Around the limits: the canonical 16, the interpreter's 1000, and far beyond."""


def flip(draw: random.Random, data: bytes, others: Sequence[bytes], dialect: str) -> bytes:
    """A few bits."""
    spoiled = bytearray(data or b"\0")
    for _ in range(draw.randrange(1, 5)):
        spoiled[draw.randrange(len(spoiled))] ^= 1 << draw.randrange(8)
    return bytes(spoiled)


def replace(draw: random.Random, data: bytes, others: Sequence[bytes], dialect: str) -> bytes:
    """A byte set to one that means something: an edge, or a head of another type."""
    spoiled = bytearray(data or b"\0")
    meaningful = (
        b"\x00\x01\x7f\x80\x8f\x90\x9f\xa0\xbf\xc0\xc2\xc3\xc4\xca\xcb\xcf\xd3\xdf\xe0\xff" + b'"[]{}:,.-0e\\\n '
    )
    spoiled[draw.randrange(len(spoiled))] = draw.choice(meaningful)
    return bytes(spoiled)


def cut(draw: random.Random, data: bytes, others: Sequence[bytes], dialect: str) -> bytes:
    """The beginning only, or something left out in the middle."""
    start = draw.randrange(len(data) + 1)
    return data[:start] if draw.random() < 0.5 else data[:start] + data[start + draw.randrange(1, 40) :]


def splice(draw: random.Random, data: bytes, others: Sequence[bytes], dialect: str) -> bytes:
    """A part of another valid input in the place of a part of this one."""
    other = draw.choice(others)
    start, end = sorted((draw.randrange(len(data) + 1), draw.randrange(len(data) + 1)))
    first, last = sorted((draw.randrange(len(other) + 1), draw.randrange(len(other) + 1)))
    return data[:start] + other[first:last] + data[end:]


def repeat(draw: random.Random, data: bytes, others: Sequence[bytes], dialect: str) -> bytes:
    """A part many times over."""
    start, end = sorted((draw.randrange(len(data) + 1), draw.randrange(len(data) + 1)))
    return data[:end] + data[start:end] * draw.choice((1, 2, 10, 100)) + data[end:]


def inflate(draw: random.Random, data: bytes, others: Sequence[bytes], dialect: str) -> bytes:
    """A head that promises more than there is, or a number that no program likes."""
    at = draw.randrange(len(data) + 1)
    head = draw.choice(_HEADS[dialect])
    return data[:at] + head + data[at + draw.choice((0, 1, len(head))) :]


def claim(draw: random.Random, data: bytes, others: Sequence[bytes], dialect: str) -> bytes:
    """Heads of lists that each promise as many items as there are bytes, one inside the other."""
    depth, size = draw.choice(_DEPTHS[:-1]), draw.choice((600, 5000, 40_000))
    head = b"\xdd" + struct.pack(">I", size) if dialect == "msgpack" else _OPENERS[dialect][0][0]
    return _placed(draw, data, head * depth + b"\xc0" * size)


def nest(draw: random.Random, data: bytes, others: Sequence[bytes], dialect: str) -> bytes:
    """Something deep in the place of a byte."""
    opener, closer = draw.choice(_OPENERS[dialect])
    depth = draw.choice(_DEPTHS)
    if draw.random() < 0.5:
        depth = max(1, depth + draw.randrange(-20, 20))
    inner = b"\xc0" if dialect == "msgpack" else b"1"
    return _placed(draw, data, opener * depth + inner + closer * depth)


def rubbish(draw: random.Random, data: bytes, others: Sequence[bytes], dialect: str) -> bytes:
    """Nothing of what was."""
    return draw.randbytes(draw.choice((0, 1, 2, 5, 40, 1000)))


def _placed(draw: random.Random, data: bytes, bomb: bytes) -> bytes:
    at = draw.randrange(len(data) + 1)
    return bomb if draw.random() < 0.3 else data[:at] + bomb + data[at + 1 :]


BLIND: tuple[Mutation, ...] = (flip, replace, cut, splice, repeat, rubbish)
KNOWING: tuple[Mutation, ...] = (inflate, claim, nest)


def spoil(draw: random.Random, seeds: Sequence[bytes], dialect: str, max_bytes: int) -> bytes:
    """A valid input after one to three mutations, at most `max_bytes` long."""
    if draw.random() < 0.35 and (other := restructure(draw, seeds, dialect)) is not None:
        return other[:max_bytes]
    data = draw.choice(seeds)
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        mutation = draw.choice(BLIND) if draw.random() < 0.6 else draw.choice(KNOWING)
        data = mutation(draw, data, seeds, dialect)[:max_bytes]
    return data


def restructure(draw: random.Random, seeds: Sequence[bytes], dialect: str) -> bytes | None:
    """A valid input in which one value, wherever it stands, is of another kind; None where it has no values."""
    data = draw.choice(seeds)
    try:
        if dialect == "json":
            return json.dumps(_other_value(draw, json.loads(data), _ODD_JSON)).encode()
        if dialect == "msgpack":
            return _packed(_other_value(draw, msgpack.unpackb(data), _ODD_MSGPACK))
    except _UNREADABLE:
        pass  # Several documents in one file, a fixed-width format, or spoiled already.
    return None


_UNREADABLE = (ValueError, TypeError, OverflowError, RecursionError)
_ODD: list[object] = [
    None,
    True,
    False,
    0,
    1,
    -1,
    2**32,
    2**63 - 1,
    2**64 - 1,
    0.5,
    "",
    "1",
    "\0",
    "é" * 300,
    [],
    {},
    [[]],
]
_ODD_JSON = [*_ODD, 2**70, float("inf"), float("nan"), "\ud800", [1], {"a": 1}, "0" * 64, " " + "00" * 32, "AAAA"]
_ODD_MSGPACK = [*_ODD, b"", bytes(31), bytes(32), bytes(64), b"\x80", b"\x90", {"v": 1}, [b""], [[], []]]


def _packed(value: object) -> bytes:
    packed: bytes = msgpack.packb(value, use_bin_type=True)
    return packed


def _other_value(draw: random.Random, value: object, odd: Sequence[object]) -> object:
    if isinstance(value, dict) and value and draw.random() < 0.85:
        name = draw.choice(sorted(value))
        if draw.random() < 0.1:
            return {key: each for key, each in value.items() if key != name}
        return {key: _other_value(draw, each, odd) if key == name else each for key, each in value.items()}
    if isinstance(value, list) and value and draw.random() < 0.85:
        at = draw.randrange(len(value))
        if draw.random() < 0.1:
            return [*value[:at], *value[at : at + 1] * draw.choice((0, 2, 300)), *value[at + 1 :]]
        return [*value[:at], _other_value(draw, value[at], odd), *value[at + 1 :]]
    if isinstance(value, bytes) and len(value) > 64 and draw.random() < 0.8:
        # Canonical bytes inside a byte string: a body in an entry, a header in a block.
        try:
            return _packed(_other_value(draw, msgpack.unpackb(value), odd))
        except _UNREADABLE:
            return value[:-1]
    if isinstance(value, str) and len(value) > 64 and draw.random() < 0.8:
        try:
            inner = _other_value(draw, msgpack.unpackb(base64.b64decode(value, validate=True)), _ODD_MSGPACK)
            return base64.b64encode(_packed(inner)).decode()
        except _UNREADABLE:
            return value[:-1]
    return draw.choice(odd)
