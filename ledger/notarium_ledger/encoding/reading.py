"""Readers for the parts of decoded foreign values.

Each reader returns its part with the right type, or raises LedgerError with the path of the invalid field, such as
``header.height``. A format with its own error class reads inside ``errors.errors_as(ThatError)``.
"""

from __future__ import annotations

from notarium_ledger.encoding.canonical import Value
from notarium_ledger.errors import LedgerError
from notarium_ledger.types import (
    HASH_BYTES,
    KEY_BYTES,
    MAX_HEIGHT,
    MAX_ROUND,
    SIGNATURE_BYTES,
    Hash,
    Height,
    PublicKey,
    Round,
    Signature,
)


def read_list(value: Value, path: str, length: int, form: str = "") -> list[Value]:
    """A list of exactly `length` values; `form` shows in the error what it should look like."""
    if not isinstance(value, list) or len(value) != length:
        raise LedgerError(f"not {form or f'a list of {length}'}", path)
    return value


def read_items(value: Value, path: str, most: int | None = None) -> list[Value]:
    """A list of any length, or of at most `most` values."""
    if not isinstance(value, list):
        raise LedgerError("not a list", path)
    if most is not None and len(value) > most:
        raise LedgerError(f"{len(value)} items, at most {most} allowed", path, limit=most)
    return value


def read_bytes(value: Value, path: str) -> bytes:
    """A byte string of any length."""
    if not isinstance(value, bytes):
        raise LedgerError("not bytes", path)
    return value


def read_byte_strings(value: Value, path: str) -> list[bytes]:
    """A list of byte strings, such as the entries of a block."""
    items = read_items(value, path)
    for number, each in enumerate(items):
        if not isinstance(each, bytes):
            raise LedgerError("not bytes", f"{path}[{number}]")
    return items  # type: ignore[return-value]


def read_text(value: Value, path: str) -> str:
    """A string."""
    if not isinstance(value, str):
        raise LedgerError("not a string", path)
    return value


def read_integer(value: Value, path: str, minimum: int, maximum: int) -> int:
    """An integer from `minimum` to `maximum`; never a boolean."""
    if type(value) is not int or not minimum <= value <= maximum:
        raise LedgerError(f"not an integer from {minimum} to {maximum}", path, limit=maximum)
    return value


def read_version(value: Value, path: str, supported: int) -> None:
    """The one version of a format that this software reads."""
    if type(value) is not int:
        raise LedgerError("not an integer", path)
    if value != supported:
        raise LedgerError(f"version {value}, this software reads {supported}", path)


def read_height(value: Value, path: str) -> Height:
    """The height of a block: 1 to 2⁶³−1."""
    return Height(read_integer(value, path, 1, MAX_HEIGHT))


def read_round(value: Value, path: str) -> Round:
    """A round: 0 to 2³²−1."""
    return Round(read_integer(value, path, 0, MAX_ROUND))


# These three share no code, for speed: one receipt or block needs dozens of calls.


def read_hash(value: Value, path: str) -> Hash:
    """32 bytes."""
    if isinstance(value, bytes) and len(value) == HASH_BYTES:
        return Hash(value)
    raise LedgerError(f"not {HASH_BYTES} bytes", path)


def read_key(value: Value, path: str) -> PublicKey:
    """32 bytes; whether they are a valid key is for the caller."""
    if isinstance(value, bytes) and len(value) == KEY_BYTES:
        return PublicKey(value)
    raise LedgerError(f"not {KEY_BYTES} bytes", path)


def read_signature(value: Value, path: str) -> Signature:
    """64 bytes; whether they are valid is for the caller."""
    if isinstance(value, bytes) and len(value) == SIGNATURE_BYTES:
        return Signature(value)
    raise LedgerError(f"not {SIGNATURE_BYTES} bytes", path)


def read_hashes(value: Value, path: str) -> tuple[Hash, ...]:
    """Hashes joined into one byte string."""
    joined = read_bytes(value, path)
    if len(joined) % HASH_BYTES:
        raise LedgerError(f"{len(joined)} bytes are not a whole number of hashes", path)
    return tuple(Hash(joined[at : at + HASH_BYTES]) for at in range(0, len(joined), HASH_BYTES))
