"""A value has one encoding: values and bytes go both ways without a difference, and no other bytes are accepted."""

import json
import struct
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.properties.strategies import values

from notarium_ledger.encoding import canonical
from notarium_ledger.errors import (
    NotCanonical,
)


@given(values)
def test_canonical_round_trip(value: Any) -> None:
    encoded = canonical.encode(value)
    decoded = canonical.decode(encoded)
    assert decoded == value
    assert canonical.encode(decoded) == encoded


@given(st.dictionaries(st.text(max_size=4), st.integers(0, 9), min_size=2), st.randoms())
def test_the_order_in_which_a_map_was_built_does_not_matter(value: Any, rng: Any) -> None:
    items = list(value.items())
    rng.shuffle(items)
    assert canonical.encode(dict(items)) == canonical.encode(value)


@given(st.binary(max_size=60))
@example(b"\xcf\x00\x00\x00\x01\x00\x00\x00\x00")
@example(b"\x82\xa1b\x01\xa1a\x02")
def test_any_bytes_are_canonical_or_rejected(data: bytes) -> None:
    try:
        value = canonical.decode(data)
    except NotCanonical:
        return
    assert canonical.encode(value) == data


@given(values, st.data())
def test_no_other_bytes_decode_to_the_same_value(value: Any, data: st.DataObject) -> None:
    encoded = bytearray(canonical.encode(value))
    at = data.draw(st.integers(0, len(encoded) - 1))
    encoded[at] ^= data.draw(st.integers(1, 255))
    try:
        other = canonical.decode(bytes(encoded))
    except NotCanonical:
        return
    assert json.dumps(other, default=repr) != json.dumps(value, default=repr) or repr(other) != repr(value)


def _cyclic() -> Any:
    value: dict[str, Any] = {"z": 1.5}
    value["a"] = value
    return value


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (1.5, ""),
        ([0, [1, 1.5]], "[1][1]"),
        ({"b": 1.5, "a": {"c": [{}, {"d": {1}}]}}, "a.c[1].d"),
        ({"a": {"b": 2**64}}, "a.b"),
        ({"a": ["\ud800"]}, "a[0]"),
        ({"a": {1: 2, "b": 1.5}}, "a"),
        ({1: {"b": 1.5}}, ""),
        (_cyclic(), ""),
        ({"x": _cyclic(), "b": 1.5}, "b"),
    ],
)
def test_what_cannot_be_encoded_is_named(value: Any, field: str) -> None:
    with pytest.raises(NotCanonical) as caught:
        canonical.encode(value)
    assert caught.value.field == field


@given(st.floats())
def test_no_floats(value: float) -> None:
    with pytest.raises(NotCanonical):
        canonical.encode([value])  # type: ignore[list-item]
    with pytest.raises(NotCanonical):
        canonical.decode(b"\x91\xcb" + struct.pack(">d", value))
