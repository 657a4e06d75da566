"""Canonical msgpack: one value, one encoding.

Shortest forms, maps with string keys in ascending order of their UTF-8 bytes, no floats, no extension types, no
duplicate keys, no trailing bytes. The decoder rejects everything else, so that no statement has two encodings, and thus
two hashes.
"""

from __future__ import annotations

import msgpack

from notarium_ledger.encoding.value_count import check_value_count
from notarium_ledger.errors import NotCanonical, join_path

_SCALARS = frozenset({bool, int, str, bytes, type(None)})

Value = None | bool | int | str | bytes | list["Value"] | dict[str, "Value"]

MAX_DEPTH = 16
MAX_BYTES = 64 * 1024 * 1024
"""Bound on any canonical value; a block with its entries is the largest."""


SMALL_BYTES = 65_536
_pack_small = msgpack.Packer(use_bin_type=True).pack
"""One packer for all small values, because `packb` allocates 256 KiB each time. Safe: packing holds the GIL."""


def encode(value: Value) -> bytes:
    """Encode `value`; sorts its maps. Raises NotCanonical, with the path of the part that has no canonical form."""
    try:
        return msgpack.packb(_sorted(value, 0), use_bin_type=True)
    except NotCanonical as error:
        if error.limit is None:  # One level too many is an error of the whole.
            _encode_parts(value)
        raise
    except (OverflowError, UnicodeEncodeError) as error:
        _encode_parts(value)
        raise NotCanonical(f"cannot be encoded: {error}") from error


def _encode_parts(value: Value) -> None:
    """Find what is wrong, in the order in which it was met, so that the search ends there. Raises NotCanonical."""
    parts: list[tuple[str, Value]] = []
    if isinstance(value, list):
        parts = [(f"[{number}]", each) for number, each in enumerate(value)]
    elif isinstance(value, dict) and all(type(name) is str for name in value):
        parts = [(name, value[name]) for name in sorted(value)]
    for name, part in parts:
        try:
            encode(part)
        except NotCanonical as error:
            raise NotCanonical(error.reason, join_path(name, error.field), limit=error.limit) from None


def decode(data: bytes, max_values: int = MAX_BYTES) -> Value:
    """Decode `data` if, and only if, it is canonical. Raises NotCanonical.

    `max_values` bounds the number of values (value_count.py). A caller that reads foreign bytes knows the bound from
    its format, and with it the memory that they can take.
    """
    if len(data) <= MAX_BYTES:
        check_value_count(data, max_values)
    value = decode_shortest(data)
    _check(value, 0)
    return value


def decode_shortest(data: bytes, max_length: int = -1) -> Value:
    """Decode `data` if it is the shortest form of its value, without trailing bytes. Raises NotCanonical.

    For callers whose schema checks every type and the order of every map itself: types without a canonical form and
    unsorted maps pass here. `max_length` bounds each list and map; -1 where check_value_count was called before.
    """
    if len(data) > MAX_BYTES:
        raise NotCanonical(f"{len(data)} bytes, at most {MAX_BYTES} allowed", limit=MAX_BYTES)
    try:
        value: Value = msgpack.unpackb(
            data, raw=False, strict_map_key=True, max_array_len=max_length, max_map_len=max_length
        )
        pack = _pack_small if len(data) <= SMALL_BYTES else msgpack.packb
        if pack(value) == data:
            return value
    except (ValueError, TypeError, OverflowError, RecursionError, msgpack.exceptions.UnpackException) as error:
        raise NotCanonical(f"not msgpack: {type(error).__name__}") from error
    raise NotCanonical("not the shortest form, or a repeated map key")


def _sorted(value: Value, depth: int) -> Value:
    kind = type(value)
    if kind is dict or kind is list:
        if depth >= MAX_DEPTH:
            raise NotCanonical(f"nested deeper than {MAX_DEPTH}", limit=MAX_DEPTH)
        if isinstance(value, list):
            return [item if type(item) in _SCALARS else _sorted(item, depth + 1) for item in value]
        mapping: dict[str, Value] = value  # type: ignore[assignment]
        for key in mapping:
            if type(key) is not str:
                raise NotCanonical("a map key is not a string")
        return {key: _sorted(mapping[key], depth + 1) for key in sorted(mapping)}
    if kind not in _SCALARS:
        raise NotCanonical(f"type {kind.__name__} has no canonical form; use an integer, a string or bytes")
    return value


def _check(value: Value, depth: int) -> None:
    kind = type(value)
    if kind is bytes or kind is str or kind is int:
        return
    if kind is dict or kind is list:
        if depth >= MAX_DEPTH:
            raise NotCanonical(f"nested deeper than {MAX_DEPTH}", limit=MAX_DEPTH)
        if isinstance(value, dict):
            # Code point order is UTF-8 byte order.
            last = None
            for key, item in value.items():
                if type(key) is not str:
                    raise NotCanonical("a map key is not a string")
                if last is not None and key <= last:
                    raise NotCanonical("map keys are not in ascending order")
                last = key
                _check(item, depth + 1)
        else:
            for item in value:  # type: ignore[union-attr]
                _check(item, depth + 1)
    elif kind not in _SCALARS:
        raise NotCanonical(f"type {kind.__name__} is not allowed")
