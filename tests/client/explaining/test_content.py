"""What differs in a file: lines, tables, arrays; bounded, whatever it claims to be."""

import json
import struct

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from notarium.explaining.content import SHOWN, _blocks, content_differences, shapes_of


def found(name, before, after):
    return [(each.name, each.before, each.after) for each in content_differences(name, before, after)]


def npy(tmp_path, array):
    numpy.save(tmp_path / "a.npy", array)
    return (tmp_path / "a.npy").read_bytes()


def safetensors(**tensors):
    header = json.dumps({name: {"dtype": "F32", "shape": shape} for name, shape in tensors.items()}).encode()
    return struct.pack("<Q", len(header)) + header


def test_lines_have_their_numbers():
    before, after = b"a\nb\nc\nd\n", b"a\nB\nc\nd\ne\n"
    assert found("x.yaml", before, after) == [("x.yaml line 2", "b", "B"), ("x.yaml line 5", None, "e")]
    assert found("x.yaml", after, before) == [("x.yaml line 2", "B", "b"), ("x.yaml line 5", "e", None)]


def test_a_table_has_rows_and_columns():
    [shape, line] = found("x.csv", b'a,b\n"1,5",2\n', b"a,b,c\n1,2,3\n3,4,5\n")[:2]
    assert shape == ("x.csv table", "2 rows, 2 columns", "3 rows, 3 columns")
    assert line[0] == "x.csv line 1"
    assert shapes_of("x.tsv", b"a\tb\n") == {"table": "1 rows, 2 columns"}


def test_arrays_have_a_type_and_a_shape(tmp_path):
    one, other = npy(tmp_path, numpy.zeros((3, 4))), npy(tmp_path, numpy.zeros((3, 5), "f4"))
    assert found("x.npy", one, other) == [("x.npy array", "<f8 (3, 4)", "<f4 (3, 5)")]
    assert found("m.safetensors", safetensors(a=[2, 3], b=[1]), safetensors(a=[2, 4])) == [
        ("m.safetensors tensor a", "F32 (2, 3)", "F32 (2, 4)"),
        ("m.safetensors tensor b", "F32 (1,)", None),
    ]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("x.npy", b"\x93NUMPY"),
        ("x.npy", b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 65_535),
        ("x.npy", b"\x93NUMPY\x01\x00\x10\x00__import__('os')"),
        ("x.npy", b"\x93NUMPY\x02\x00\xff\xff\xff\xff"),
        ("x.safetensors", b""),
        ("x.safetensors", b"\xff" * 100),
        ("x.safetensors", struct.pack("<Q", 2) + b"[]"),
        ("x.csv", b"\xff\xfe"),
    ],
)
def test_what_is_not_what_it_claims_has_no_shape(name, data):
    assert shapes_of(name, data) == {}


@pytest.mark.parametrize("value", ["-" * 60_000 + "1", "[" + "[]," * 20_000 + "]", "(3,) + (4,)"])
def test_no_expression_of_an_array_is_evaluated(value):
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {value}, }}\n".encode()
    assert shapes_of("x.npy", b"\x93NUMPY\x02\x00" + struct.pack("<L", len(header)) + header) == {}


def test_fields_of_a_structured_array_are_shown(tmp_path):
    """As NumPy wrote them, whatever the version of the format."""
    array = numpy.zeros(3, dtype=[("a", "<i4"), ("b", "<f8", (2,))])
    assert shapes_of("x.npy", npy(tmp_path, array)) == {"array": "[('a', '<i4'), ('b', '<f8', (2,))] (3,)"}
    assert shapes_of("x.npy", npy(tmp_path, numpy.float32(1))) == {"array": "<f4 ()"}


def test_a_long_name_or_shape_is_cut():
    before, after = safetensors(**{"a" * 5000: [1]}), safetensors(a=[1] * 5000)
    assert all(len(part or "") <= 300 for each in found("m.safetensors", before, after) for part in each)


def test_lines_that_moved_or_repeat_are_found():
    before, after = b"a\nx\nb\nx\nc\n", b"a\nx\nnew\nb\nx\nx\nc\n"
    assert found("x.yaml", before, after) == [("x.yaml line 3", None, "new"), ("x.yaml line 6", None, "x")]
    assert found("x.yaml", b"1\n2\n3\n4\n", b"4\n1\n2\n3\n") == [
        ("x.yaml line 1", None, "4"),
        ("x.yaml line 4", "4", None),
    ]


@given(st.lists(st.sampled_from("abcdefgh"), max_size=12), st.lists(st.sampled_from("abcdefgh"), max_size=12))
def test_the_blocks_that_differ_make_one_text_of_the_other(one, other):
    made, at = [], 0
    for start, end, new_start, new_end in _blocks(one, other):
        made += one[at:start]
        assert len(made) == new_start
        made, at = made + other[new_start:new_end], end
    assert made + one[at:] == other


def test_binary_content_has_no_lines():
    assert found("x.bin", b"a\0\n", b"b\0\n") == found("x.bin", b"\xff\n", b"b\n") == []


def test_large_texts_take_bounded_work_and_few_lines():
    """All lines differ: in any order, that would be 10^10 comparisons."""
    before, after = ("\n".join(f"{word} {number}" for number in range(100_000)).encode() for word in ("a", "b"))
    assert len(found("x.txt", before, after)) == SHOWN
    assert found("x.txt", b"a" * 10_000, b"b")[0][1] == "a" * 200 + "…"
