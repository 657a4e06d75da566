"""Files of strangers end in a cause or in none, never in an error; what was really done is always found."""

import bz2
import gzip
import hashlib
import json
import lzma
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notarium.evidence.contents import Item
from notarium.explaining.content import content_differences, shapes_of
from notarium.explaining.rewriting import compared, hint, is_pickle, proven
from notarium.explaining.why import Certainty

BEGINNINGS = (b"", b"\x80\x04", b"\x1f\x8b\x08", b"BZh9", b"\xfd7zXZ\x00", b"PK\x03\x04", b"{", b"\x93NUMPY\x01\x00")
NAMES = st.sampled_from(["x", "x.csv", "x.npy", "x.safetensors", "x.json"])
CONTENT = st.tuples(st.sampled_from(BEGINNINGS), st.binary(max_size=300), st.sampled_from([b"", b"."])).map(b"".join)


def item(data):
    return Item("", len(data), hashlib.sha256(data).hexdigest())


@given(NAMES, CONTENT, CONTENT)
def test_whatever_is_in_a_file(name, before, now):
    for cause in (proven(now, item(before)), compared(name, before, now), hint(name, now)):
        assert cause is None or cause.certainty in Certainty
    shapes_of(name, now)
    content_differences(name, before, now)


@given(st.text(alphabet="aü \n\r\t", min_size=1, max_size=60))
def test_line_ends_and_a_final_newline_are_always_undone(text):
    """Of a text whose line ends are all of one kind."""
    before = text.replace("\r", "").encode()
    for now in (before.replace(b"\n", b"\r\n"), before + b"\n", b"\xef\xbb\xbf" + before):
        if now != before:
            cause = proven(now, item(before))
            assert cause is not None
            assert cause.certainty is Certainty.PROVEN


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_what_was_packed_is_known_by_its_content(pack):
    before = b"a,1\n" * 100
    cause = proven(pack(before), item(before))
    assert cause is not None
    assert cause.what == "compression"


def test_a_packed_bomb_is_not_unpacked_to_its_end():
    bomb = gzip.compress(bytes(64 * 1024 * 1024))
    assert proven(bomb, item(b"x")) is None


def test_memory_that_a_packed_file_asks_for_is_bounded():
    """The header of an xz file chooses how much its reader holds."""
    small, large = ([{"id": lzma.FILTER_LZMA2, "dict_size": size << 20}] for size in (64, 512))
    before = b"a,1\n" * 100
    assert proven(lzma.compress(before, filters=small), item(before)) is not None
    assert proven(lzma.compress(before, filters=large), item(before)) is None


def test_json_is_laid_out_again_within_bounds(monkeypatch):
    value = {"a": [1, {"b": [2.5, "é"]}]}
    before = json.dumps(value, indent=4).encode()
    cause = proven(json.dumps(value).encode(), item(before))
    assert cause is not None
    assert cause.what == "JSON layout"
    # Each value of this one would be handed through 900 levels, for each layout.
    monkeypatch.setattr(json, "dumps", lambda *_, **__: pytest.fail("laid out"))
    for deep in (b"[" * 900 + b"1," * 300_000 + b"1" + b"]" * 900, b"[" * 65 + b"]" * 65):
        assert proven(deep, item(before)) is None
    many = b"[" * 9 + b"1," * 100_000 + b"1" + b"]" * 9
    assert proven(many, item(before)) is None


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_objects_pickled_by_another_protocol_are_the_same(protocol):
    value = {"a": [1, 70_000, 2**40], "b": "text", "c": b"bytes", "d": 1.5}
    one, other = pickle.dumps(value, 4), pickle.dumps(value, protocol)
    assert is_pickle(other)
    if one != other and protocol > 2:
        cause = compared("m.pkl", one, other)
        assert cause is not None
        assert cause.what == "re-saved pickle"
    assert compared("m.pkl", one, pickle.dumps({**value, "d": 2.5}, protocol)) is None
