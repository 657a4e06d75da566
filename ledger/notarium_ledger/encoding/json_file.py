"""Proof files: one JSON object in one form only, so that no byte of a file is unchecked.

One field a line in a fixed order, no spaces, hashes in hex, bytes in standard base64 with padding. A reader decodes the
file, writes what it read once more, and compares the bytes.
"""

from __future__ import annotations

import base64
import binascii
import json
from datetime import UTC, datetime
from typing import Any

from notarium_ledger.errors import LedgerError
from notarium_ledger.types import HASH_BYTES, Hash

MAX_ABOUT_BYTES = 66_560
"""Of the texts in `about`: those of one entry (65,535 bytes), and a kilobyte for the names."""
_LAST_MS = 253_402_300_799_999
"""The end of the year 9999."""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

compact_json = json.JSONEncoder(separators=(",", ":")).encode
"""Without spaces."""


def is_same_json(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON, in any order of names. `==` would take true for 1, and 1.0 too."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def base64_text(data: bytes) -> str:
    """Standard base64 with padding."""
    return base64.b64encode(data).decode()


def iso_time(time_ms: int) -> str:
    """2026-11-22T10:30:00.123Z"""
    seconds, millis = divmod(time_ms, 1000)
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{millis:03d}Z"


def read_time_ms(value: Any) -> int:
    """`value` as a time that `iso_time` can write. Raises ValueError."""
    if type(value) is not int or not 0 <= value <= _LAST_MS:
        raise ValueError(f"{str(value)[:40]!r} is not a time")
    return value


def parse_json(data: bytes) -> Any:
    """The value of a JSON text (RFC 8259): UTF-8 without a byte order mark, no name twice in an object, no NaN.

    The one reader of foreign JSON. A library's default takes more, such as UTF-16, so that two programs could read one
    file differently. Raises ValueError, or RecursionError where the text is nested too deep.
    """
    if data.startswith(_BYTE_ORDER_MARK):
        raise ValueError("begins with a byte order mark; save it as UTF-8 without one")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start} is not UTF-8; save it as UTF-8 without a byte order mark") from error
    return json.loads(text, object_pairs_hook=_distinct, parse_constant=_not_json)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a name appears twice in one object")
    return result


def _not_json(constant: str) -> Any:
    raise ValueError(f"{constant} is no number of JSON")


def read_document(data: bytes, media_type: str, fields: tuple[str, ...], max_bytes: int) -> dict[str, Any]:
    """A file of one JSON object with exactly these fields in this order. Raises LedgerError."""
    document = read_fields(data, media_type, fields, max_bytes)
    if tuple(document) != fields:
        raise LedgerError(f"fields are not {', '.join(fields)}, in this order")
    return document


def read_fields(data: bytes, media_type: str, fields: tuple[str, ...], max_bytes: int) -> dict[str, Any]:
    """A file of one JSON object with exactly these fields, in any order. Raises LedgerError."""
    if len(data) > max_bytes:
        raise LedgerError(f"{len(data)} bytes, at most {max_bytes} allowed", limit=max_bytes)
    _check_density(data)
    try:
        document = parse_json(data)
    except (ValueError, RecursionError) as error:
        raise LedgerError(f"not JSON: {error}") from error
    if not isinstance(document, dict):
        raise LedgerError("not a JSON object")
    if document.get("mediaType") != media_type:
        raise LedgerError(f"not {media_type}", "mediaType")
    if document.keys() != set(fields):
        raise LedgerError(f"fields are not {', '.join(fields)}, in this order")
    return document


def _check_density(data: bytes) -> None:
    """Raise LedgerError for a text with more values than any proof file has: each takes some 70 bytes in memory.

    A value of a list is a hash or an object of base64 texts, so there is at most one bracket or comma for 64 bytes. The
    rest is in `about`: a fixed number of names, and texts from one entry, which may hold any character.
    """
    if len(data) <= MAX_ABOUT_BYTES:
        return
    limit = len(data) // 64 + MAX_ABOUT_BYTES
    count = sum(map(data.count, (b"[", b"{", b",")))
    if count > limit:
        raise LedgerError(f"{count} brackets and commas, at most {limit} allowed in {len(data)} bytes", limit=limit)


def read_base64(document: dict[str, Any], name: str) -> bytes:
    """The bytes of a field in standard base64. Raises LedgerError."""
    value = document[name]
    if not isinstance(value, str):
        raise LedgerError("not a string", name)
    try:
        return base64.b64decode(value.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise LedgerError("not base64", name) from error


def read_hex_hash(value: Any, path: str) -> Hash:
    """A hash in hex. Raises LedgerError."""
    try:
        decoded = bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        decoded = b""
    if len(decoded) != HASH_BYTES:
        raise LedgerError("not a hash in hex", path)
    return Hash(decoded)
