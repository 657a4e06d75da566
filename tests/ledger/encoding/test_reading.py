"""Readers return their part with its type, or name the path of what is wrong and the limit."""

import pytest

from notarium_ledger.encoding import reading
from notarium_ledger.errors import LedgerError

H, S = bytes(32), bytes(64)


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (lambda value: reading.read_list(value, "x", 2), [1, "a"]),
        (lambda value: reading.read_items(value, "x"), []),
        (lambda value: reading.read_items(value, "x", 2), [1, 2]),
        (lambda value: reading.read_bytes(value, "x"), b""),
        (lambda value: reading.read_byte_strings(value, "x"), [b"a", b""]),
        (lambda value: reading.read_integer(value, "x", -1, 3), 3),
        (lambda value: reading.read_integer(value, "x", -1, 3), -1),
        (lambda value: reading.read_height(value, "x"), 2**63 - 1),
        (lambda value: reading.read_round(value, "x"), 2**32 - 1),
        (lambda value: reading.read_hash(value, "x"), H),
        (lambda value: reading.read_key(value, "x"), H),
        (lambda value: reading.read_signature(value, "x"), S),
    ],
)
def test_a_right_value_comes_back_as_it_is(read, value):
    assert read(value) is value


def test_joined_hashes_come_apart():
    assert reading.read_hashes(H + bytes(31) + b"\1", "x") == (H, bytes(31) + b"\1")
    assert reading.read_hashes(b"", "x") == ()
    reading.read_version(1, "x", 1)


@pytest.mark.parametrize(
    ("read", "reason", "field", "limit"),
    [
        (lambda: reading.read_list({"a": 1}, "x", 2), "not a list of 2", "x", None),
        (lambda: reading.read_list([1], "x", 2, "[a, b]"), "not [a, b]", "x", None),
        (lambda: reading.read_items({}, "x"), "not a list", "x", None),
        (lambda: reading.read_items([1, 2, 3], "x", 2), "3 items, at most 2 allowed", "x", 2),
        (lambda: reading.read_bytes("a", "x"), "not bytes", "x", None),
        (lambda: reading.read_byte_strings([b"a", "b"], "x"), "not bytes", "x[1]", None),
        (lambda: reading.read_byte_strings(b"ab", "x"), "not a list", "x", None),
        (lambda: reading.read_integer(True, "x", 0, 9), "not an integer from 0 to 9", "x", 9),
        (lambda: reading.read_integer(10, "x", 0, 9), "not an integer from 0 to 9", "x", 9),
        (lambda: reading.read_integer("1", "x", 0, 9), "not an integer from 0 to 9", "x", 9),
        (lambda: reading.read_version(2, "x", 1), "version 2, this software reads 1", "x", None),
        (lambda: reading.read_version(True, "x", 1), "not an integer", "x", None),
        (lambda: reading.read_height(0, "x"), f"not an integer from 1 to {2**63 - 1}", "x", 2**63 - 1),
        (lambda: reading.read_round(2**32, "x"), f"not an integer from 0 to {2**32 - 1}", "x", 2**32 - 1),
        (lambda: reading.read_hash(bytes(31), "x"), "not 32 bytes", "x", None),
        (lambda: reading.read_hash("a" * 32, "x"), "not 32 bytes", "x", None),
        (lambda: reading.read_key(bytes(33), "x"), "not 32 bytes", "x", None),
        (lambda: reading.read_signature(H, "x"), "not 64 bytes", "x", None),
        (lambda: reading.read_hashes(bytes(33), "x"), "33 bytes are not a whole number of hashes", "x", None),
    ],
)
def test_a_wrong_value_is_named_by_its_path(read, reason, field, limit):
    with pytest.raises(LedgerError) as caught:
        read()
    assert (caught.value.reason, caught.value.field, caught.value.limit) == (reason, field, limit)
