"""wire.json: the frames between nodes, from HELLO on."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from tests.support.consortium import START_MS, digest
from tests.support.liars import lie
from tests.vectors import messages, snapshots
from tests.vectors.chain import chain
from tests.vectors.notation import to_json

from notarium_consensus.messages import encode_message, signed_part
from notarium_ledger.encoding import canonical
from notarium_ledger.trust.snapshot import MAX_SNAPSHOT_BYTES
from notarium_ledger.types import Hash
from notarium_node.health.ability import Cause

PROTOCOL = b"notarium-peer/1"
PIECE_BYTES = 32_768
PARCEL = bytes((6,))
"""A message, here as short as can be: it may come in pieces, too."""


def document() -> dict[str, Any]:
    """The file's content."""
    asked, answered = START_MS, START_MS + 7
    return {
        "about": "Frames of the peer wire, for the ledger of genesis.json. A valid one is its kind's byte and the "
        "canonical encoding of `payload` (follow: nothing). Invalid ones drop the peer, ignored ones do not.",
        "genesis": _genesis().hex(),
        "hellos": [{"name": name, "hex": data.hex()} for name, data in _hellos()],
        "invalid_hellos": [
            {"name": name, "reason": reason, "hex": data.hex()} for name, reason, data in _invalid_hellos()
        ],
        "clock": {
            "asked": asked,
            "answered": answered,
            "ask": struct.pack(">BBQ", 0xC1, 1, asked).hex(),
            "answer": struct.pack(">BBQQ", 0xC1, 2, asked, answered).hex(),
        },
        "parcel": {
            "piece_bytes": PIECE_BYTES,
            "message": PARCEL.hex(),
            "last_piece": (b"\xc1\x04" + PARCEL).hex(),
            "arrived": struct.pack(">BBQ", 0xC1, 5, len(PARCEL)).hex(),
        },
        "invalid_pieces": [{"name": name, "hex": data.hex()} for name, data in _invalid_pieces()],
        "valid": [_shown(*each) for each in _valid()],
        "ignored": [{"name": name, "hex": data.hex()} for name, data in _ignored()],
        "invalid": [{"name": name, "hex": data.hex()} for name, data in _invalid()],
    }


def _genesis() -> Hash:
    return chain().consortium.genesis.hash


def _hellos() -> Iterator[tuple[str, bytes]]:
    yield "hello", canonical.encode([PROTOCOL, _genesis()])
    yield "a later version's", canonical.encode([PROTOCOL, _genesis(), {"compression": ["zstd"]}])


def _invalid_hellos() -> Iterator[tuple[str, str, bytes]]:
    good = canonical.encode([PROTOCOL, _genesis()])
    yield "nothing", "bad hello", b""
    yield "trailing byte", "bad hello", good + b"\0"
    yield "a map", "bad hello", canonical.encode({})
    yield "the protocol alone", "bad hello", canonical.encode([PROTOCOL])
    yield "the protocol as text", "bad hello", canonical.encode([PROTOCOL.decode(), _genesis()])
    yield "257 bytes", "bad hello", canonical.encode([PROTOCOL, _genesis(), bytes(203)])
    yield "another protocol", "other protocol", canonical.encode([b"notarium-peer/2", _genesis()])
    yield "another ledger", "foreign genesis", canonical.encode([PROTOCOL, digest("another genesis")])


def _invalid_pieces() -> Iterator[tuple[str, bytes]]:
    yield "a piece that is not full, and more follow", b"\xc1\x03" + bytes(16)
    yield "an empty piece", b"\xc1\x03"
    yield "an empty last piece", b"\xc1\x04"
    yield "an acknowledgement of what was not sent", struct.pack(">BBQ", 0xC1, 5, 1)
    yield "a short acknowledgement", b"\xc1\x05\x01"
    yield "another link frame", b"\xc1\x06"


def _shown(name: str, kind: int, payload: Any) -> dict[str, Any]:
    if payload is None:
        return {"name": name, "kind": kind, "hex": bytes((kind,)).hex()}
    return {"name": name, "kind": kind, "payload": to_json(payload), "hex": _frame(kind, payload).hex()}


def _frame(kind: int, payload: Any) -> bytes:
    return bytes((kind,)) + canonical.encode(payload)


def _valid() -> Iterator[tuple[str, int, Any]]:
    """Name, kind and payload; None for no payload."""
    decisions = chain().decisions
    tip = bytes(decisions[2].block.hash)
    for name in ("prepare", "round change, nothing prepared"):
        yield name, 1, canonical.decode(encode_message(messages.messages()[name]))
    yield "entries", 2, list(decisions[0].block.entries)
    yield "no entries", 2, []
    greatest = 2**63 - 1
    yield "status", 3, [3, tip, 3, 3, 0, 0]
    yield "status before the first block", 3, [0, bytes(_genesis()), 0, 0, 0, 0]
    yield "status with a gap", 3, [3, tip, 0, 2, int(Cause.INCOMPLETE), 0]
    yield "status of a node that votes from a height on", 3, [3, tip, 3, 3, int(Cause.FENCED), 6]
    yield "status, greatest heights", 3, [greatest, tip, greatest, greatest, int(Cause.BY_HAND), greatest]
    yield "get-blocks", 4, [2, 512]
    yield "blocks", 5, [canonical.encode(each.to_value()) for each in decisions[:2]]
    yield "no blocks", 5, []
    yield "follow", 6, None
    yield "equivocation", 7, [lie(chain().consortium, chain().consortium.validator_keys[1]).encode()]
    yield "get-snapshot of the tip", 8, [0, 0]
    yield "get-snapshot, a later part", 8, [3, 1_048_576]
    whole = snapshots.snapshot(1).encode()
    yield "snapshot", 9, [1, len(whole), 0, whole]
    yield "snapshot, its end", 9, [1, len(whole), len(whole) - 5, whole[-5:]]
    yield "no snapshot", 9, [3, 0, 0, b""]
    nonce = digest("nonce")[:16]
    yield "recall", 10, [nonce]
    yield "recalled, nothing heard", 11, [nonce, 0, False, None]
    for name in ("proposal", "commit", "round change, nothing prepared", "round change, prepared in round 0"):
        said = signed_part(messages.messages()[name])
        yield f"recalled, a {name}", 11, [nonce, 2**63 - 1, True, said.to_value()]


def _ignored() -> Iterator[tuple[str, bytes]]:
    yield "kind 0C", b"\x0c"
    yield "kind 3F with a payload", b"\x3f anything"
    for name, data in messages.later().items():
        yield f"consensus, {name}", b"\x01" + data


def _invalid() -> Iterator[tuple[str, bytes]]:
    yield "nothing", b""
    yield "kind 00", b"\0"
    yield "kind 40", b"\x40"
    yield "kind FF", b"\xff"
    yield "consensus, nothing", b"\x01"
    yield "follow with a payload", b"\x06\xc0"
    yield from _invalid_lists()
    for name, kind, payload in (*_invalid_statuses(), *_invalid_questions(), *_invalid_parts(), *_invalid_recalls()):
        yield name, _frame(kind, payload)


def _invalid_lists() -> Iterator[tuple[str, bytes]]:
    for name, kind, most in (("entries", 2, 16_384), ("blocks", 5, 512), ("equivocation", 7, 64)):
        yield f"{name}, nothing", bytes((kind,))
        yield f"{name}, trailing byte", _frame(kind, [b"one"]) + b"\0"
        yield f"{name}, cut short", _frame(kind, [b"one"])[:-1]
        yield f"{name} as a map", _frame(kind, {})
        yield f"{name}, one as text", _frame(kind, [b"one", "two"])
        yield f"{name}, one in place", _frame(kind, [[b"one"]])
        yield f"{name}, {most + 1}", _frame(kind, [b""] * (most + 1))


def _invalid_statuses() -> Iterator[tuple[str, int, Any]]:
    tip = bytes(chain().decisions[2].block.hash)
    yield "status, nil", 3, None
    yield "status without a tip", 3, [3]
    yield "status without a cause", 3, [3, tip, 0, 2]
    yield "status with a field more", 3, [3, tip, 0, 2, 0, 0, 0]
    yield "status, height -1", 3, [-1, tip, -1, -1, 0, 0]
    yield "status, height 2^63", 3, [2**63, tip, 3, 3, 0, 0]
    yield "status, height true", 3, [True, tip, 1, 1, 0, 0]
    yield "status, short tip", 3, [3, tip[:31], 3, 3, 0, 0]
    yield "status, tip in hex", 3, [3, tip.hex(), 3, 3, 0, 0]
    yield "status, a gap of nothing", 3, [3, tip, 2, 2, 0, 0]
    yield "status, a gap upside down", 3, [3, tip, 2, 1, 0, 0]
    yield "status, a gap beyond the tip", 3, [3, tip, 2, 4, 0, 0]
    yield "status, a gap from -1", 3, [3, tip, -1, 2, 0, 0]
    yield "status, cause 256", 3, [3, tip, 3, 3, 256, 0]
    yield "status, cause true", 3, [3, tip, 3, 3, True, 0]
    yield "status, fenced without a height", 3, [3, tip, 3, 3, int(Cause.FENCED), 0]
    yield "status, forgotten up to a height", 3, [3, tip, 3, 3, int(Cause.FORGOTTEN), 6]
    yield "status, votes from 2^63", 3, [3, tip, 3, 3, int(Cause.FENCED), 2**63]


def _invalid_questions() -> Iterator[tuple[str, int, Any]]:
    yield "get-blocks, height alone", 4, [1]
    yield "get-blocks from 0", 4, [0, 1]
    yield "get-blocks from 2^63", 4, [2**63, 1]
    yield "get-blocks, none", 4, [1, 0]
    yield "get-blocks, 513", 4, [1, 513]
    yield "get-blocks, true", 4, [1, True]
    yield "get-snapshot, height alone", 8, [1]
    yield "get-snapshot of height -1", 8, [-1, 0]
    yield "get-snapshot from -1", 8, [1, -1]
    yield "get-snapshot beyond the largest", 8, [1, MAX_SNAPSHOT_BYTES + 1]


def _invalid_parts() -> Iterator[tuple[str, int, Any]]:
    yield "snapshot without its part", 9, [1, 4, 0]
    yield "snapshot, part as text", 9, [1, 4, 0, "part"]
    yield "snapshot of height -1", 9, [-1, 4, 0, b"part"]
    yield "snapshot, size true", 9, [1, True, 0, b"p"]
    yield "snapshot, size beyond the largest", 9, [1, MAX_SNAPSHOT_BYTES + 1, 0, b"part"]
    yield "snapshot, offset -1", 9, [1, 4, -1, b"part"]
    yield "snapshot, part beyond the end", 9, [1, 4, 1, b"part"]
    yield "snapshot, empty part", 9, [1, 4, 4, b""]
    yield "snapshot, none with a part", 9, [1, 0, 0, b"p"]


def _invalid_recalls() -> Iterator[tuple[str, int, Any]]:
    nonce = digest("nonce")[:16]
    said = signed_part(messages.messages()["prepare"]).to_value()
    yield "recall, nil", 10, None
    yield "recall without a nonce", 10, []
    yield "recall, a nonce of 15 bytes", 10, [nonce[:15]]
    yield "recall, a nonce as text", 10, ["0123456789abcdef"]
    yield "recall with a field more", 10, [nonce, 0]
    yield "recalled, nil", 11, None
    yield "recalled without a statement's field", 11, [nonce, 3, True]
    yield "recalled, a nonce of 17 bytes", 11, [nonce + b"x", 3, True, None]
    yield "recalled, height -1", 11, [nonce, -1, True, None]
    yield "recalled, height 2^63", 11, [nonce, 2**63, True, None]
    yield "recalled, height true", 11, [nonce, True, True, None]
    yield "recalled, remembers 1", 11, [nonce, 3, 1, None]
    yield "recalled, a statement of four fields", 11, [nonce, 3, True, said[:4]]
    yield "recalled, a statement as bytes", 11, [nonce, 3, True, b"said"]
    yield "recalled with a field more", 11, [nonce, 3, True, None, None]
