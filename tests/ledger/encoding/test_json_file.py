"""Proof files are read in one form only."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notarium_ledger.encoding import json_file
from notarium_ledger.encoding.json_file import (
    base64_text,
    iso_time,
    read_base64,
    read_document,
    read_hex_hash,
    read_time_ms,
)
from notarium_ledger.entries.commitment import MAX_TIME_MS
from notarium_ledger.entries.entry import MAX_ENTRY_BYTES
from notarium_ledger.errors import LedgerError

TYPE = "application/x-test"
FIELDS = ("mediaType", "a", "b")
GOOD = json.dumps({"mediaType": TYPE, "a": 1, "b": "two"}).encode()


def read(data: bytes):
    return read_document(data, TYPE, FIELDS, 200)


def test_a_file_with_its_fields_in_order_is_read():
    assert read(GOOD) == {"mediaType": TYPE, "a": 1, "b": "two"}


@pytest.mark.parametrize(
    ("data", "reason", "field"),
    [
        (GOOD + b" " * 200, f"{len(GOOD) + 200} bytes, at most 200 allowed", ""),
        (GOOD[:-1], "not JSON: ", ""),
        (b"\xff", "not JSON: ", ""),
        (b"[" * 150, "not JSON: ", ""),
        (b"[]", "not a JSON object", ""),
        (GOOD.replace(b"x-test", b"x-other"), f"not {TYPE}", "mediaType"),
        (b'{"a": 1, "mediaType": "application/x-test", "b": 2}', "fields are not mediaType, a, b, in this order", ""),
        (GOOD.replace(b"}", b', "c": 3}'), "fields are not mediaType, a, b, in this order", ""),
    ],
)
def test_any_other_file_is_refused(data, reason, field):
    with pytest.raises(LedgerError) as caught:
        read(data)
    assert caught.value.reason.startswith(reason)
    assert caught.value.field == field
    assert caught.value.limit == (200 if "allowed" in reason else None)


@pytest.mark.parametrize("part", [b"[],", b"{},", b'"",', b"1,", b"["])
def test_a_file_of_more_values_than_any_has_is_refused_before_it_is_parsed(part, monkeypatch):
    monkeypatch.setattr(json_file, "parse_json", lambda _: pytest.fail("parsed"))
    data = part * (1024 * 1024 // len(part))
    with pytest.raises(LedgerError, match="brackets and commas, at most") as caught:
        read_document(data, TYPE, FIELDS, len(data))
    assert caught.value.limit == len(data) // 64 + json_file.MAX_ABOUT_BYTES


@pytest.mark.parametrize("text", ["," * MAX_ENTRY_BYTES, "[{,"])
def test_no_valid_file_has_too_many_values(text):
    """As many hashes as the size allows, and texts in `about` as long as an entry, of nothing but commas."""
    document = {"mediaType": TYPE, "a": ["0" * 64] * 200_000, "b": {f"name {n}": "," for n in range(40)}, "c": text}
    data = json.dumps(document, separators=(",", ":")).encode()
    assert read_document(data, TYPE, tuple(document), len(data)) == document
    document["a"] = [{"header": "0" * 100, "certificate": "0" * 100, "validators": "0" * 100}] * 40_000
    data = json.dumps(document, separators=(",", ":")).encode()
    assert read_document(data, TYPE, tuple(document), len(data)) == document


@given(st.binary(max_size=80))
def test_base64_both_ways(data):
    assert base64_text(data) == base64.standard_b64encode(data).decode()
    assert read_base64({"x": base64_text(data)}, "x") == data


@pytest.mark.parametrize("value", ["?", "YQ", "YQ==\n", "é", "a b=", None, 1, ["YQ=="]])
def test_what_is_not_base64_is_named(value):
    with pytest.raises(LedgerError) as caught:
        read_base64({"x": value}, "x")
    assert caught.value.field == "x"


def test_a_hash_in_hex():
    assert read_hex_hash("ab" * 32, "path") == b"\xab" * 32


@pytest.mark.parametrize("value", ["ab" * 31, "ab" * 33, "x" * 64, "", None, 5, b"ab" * 32])
def test_what_is_not_a_hash_in_hex_is_named(value):
    with pytest.raises(LedgerError) as caught:
        read_hex_hash(value, "path")
    assert (caught.value.reason, caught.value.field) == ("not a hash in hex", "path")


@given(st.integers(0, MAX_TIME_MS))
def test_times_are_written_to_the_millisecond(time_ms):
    written = datetime.strptime(iso_time(time_ms), "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    assert written == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time_ms)
    assert len(iso_time(time_ms)) == 24


@pytest.mark.parametrize("time", [-1, MAX_TIME_MS + 1, 1.0, True, "1", None])
def test_a_time_that_cannot_be_written_is_none(time):
    with pytest.raises(ValueError, match="is not a time"):
        read_time_ms(time)


@pytest.mark.parametrize("time", [0, MAX_TIME_MS])
def test_a_time_that_is_read_can_be_written(time):
    assert iso_time(read_time_ms(time)).endswith("Z")
