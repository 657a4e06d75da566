"""The record: one canonical form, nothing guessable, nothing lost."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notarium.errors import InvalidRecordFile, ProjectError
from notarium.evidence.author import Author
from notarium.evidence.contents import Contents, Item
from notarium.evidence.record import RESERVED, Artifact, Record, decimal_text, record_digest, relative_name, to_json

AUTHOR = Author(bytes(32), "m0", "study-12")
FILE = Contents.of_file(3, "ab" * 32)
FOLDER = Contents.of_folder([Item("a", 1, "cd" * 32), Item.link("b", "a")])

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def example(**facts):
    return Record.new("run", [Artifact("x", "output", FILE), Artifact("../data", "input", FOLDER)], facts).by(AUTHOR)


def test_it_is_an_in_toto_statement():
    statement = json.loads(example(name="fit").encode())
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "urn:notarium:predicate:run:v1"
    assert statement["subject"] == [
        {"digest": {"sha256": "ab" * 32}, "name": "x"},
        {"digest": {"sha256": FOLDER.sha256}, "name": "../data"},
    ]
    assert statement["predicate"]["artifacts"][1]["files"][0] == {"path": "a", "sha256": "cd" * 32, "size": 1}


@pytest.mark.parametrize("name", RESERVED)
def test_no_fact_takes_the_place_of_a_part_of_the_evidence(name):
    with pytest.raises(ProjectError, match=f"cannot be named '{name}'"):
        Record.new("dataset", [], {name: "Jane"})


def test_evidence_without_an_author_has_no_bytes():
    with pytest.raises(InvalidRecordFile, match="without an author"):
        Record.new("dataset", [], {}).encode()


def test_equal_records_have_unguessable_digests():
    digests = {record_digest(example(name="fit").encode()) for _ in range(3)}
    assert len(digests) == 3
    assert len(bytes.fromhex(json.loads(example().encode())["predicate"]["salt"])) == 32


@given(plain)
def test_whatever_is_recorded_reads_back_the_same(value):
    record = example(value=value)
    again = Record.decode(record.encode())
    assert again == record
    assert again.encode() == record.encode()


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s["predicate"].pop("artifacts"),
        lambda s: s["predicate"].pop("author"),
        lambda s: s["predicate"]["author"].pop("issuer"),
        lambda s: s.update(_type="https://in-toto.io/Statement/v0.1"),
        lambda s: s.update(predicateType="https://slsa.dev/provenance/v1"),
        lambda s: s["subject"][0]["digest"].update(sha256="00" * 32),
        lambda s: s["subject"].pop(),
        lambda s: s["predicate"]["artifacts"][0].update(name="/etc/passwd"),
        lambda s: s["predicate"]["artifacts"][1]["files"][0].update(path="../../secret"),
        lambda s: s["predicate"]["artifacts"][1]["files"][0].update(path="/etc/passwd"),
        lambda s: s["predicate"]["artifacts"][1]["files"][0].update(size="many"),
        lambda s: s.update(more=1),
    ],
)
def test_what_is_not_a_record_is_refused(change):
    statement = json.loads(example().encode())
    change(statement)
    with pytest.raises(InvalidRecordFile):
        Record.decode(json.dumps(statement, sort_keys=True, separators=(",", ":")).encode())


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"null", b"[" * 100_000, b"\xff", b'{"_type": 1}'])
def test_bytes_that_are_not_a_record_are_refused(data):
    with pytest.raises(InvalidRecordFile):
        Record.decode(data)


def test_white_space_makes_another_record():
    with pytest.raises(InvalidRecordFile, match="canonical"):
        Record.decode(example().encode() + b"\n")


class Scalar:
    """As NumPy's and PyTorch's numbers behave."""

    shape = ()

    def __init__(self, value):
        self._value = value

    def item(self):
        return self._value


class Array:
    """As NumPy's arrays behave that are not scalars."""

    def __init__(self, shape):
        self.shape = shape

    def __float__(self):
        raise TypeError("only 0-dimensional arrays can be converted to Python scalars")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (2**53 - 1, 2**53 - 1),
        (2**53, "9007199254740992"),
        (math.inf, "inf"),
        (math.nan, "nan"),
        (0.1, 0.1),
        (2.0**53, "9007199254740992.0"),
        (1e300, 1e300),
        (True, True),
        ((1, 2), [1, 2]),
        ({3, 1}, [1, 3]),
        ({1: None}, {"1": None}),
        (Scalar(0.5), 0.5),
        ("\ud800", "?"),
        (complex(1, 2), "(1+2j)"),
    ],
)
def test_values_that_json_cannot_say_become_text(value, expected):
    assert to_json(value) == expected


@given(st.floats(allow_nan=False))
def test_a_metric_reads_back_as_the_same_number(value):
    assert float(decimal_text(value)) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [(1, "1"), (10**30, str(10**30)), (0.1, "0.1"), (Scalar(0.25), "0.25"), (Scalar(7), "7"), ("2", "2.0")],
)
def test_metrics_as_text(value, text):
    assert decimal_text(value) == text


@pytest.mark.parametrize("value", [True, None, "good", [1], Scalar(True)])
def test_what_is_not_a_number_is_not_a_metric(value):
    with pytest.raises((ValueError, TypeError)):
        decimal_text(value)


def test_numpy_numbers():
    numpy = pytest.importorskip("numpy")
    assert decimal_text(numpy.float64(0.1)) == "0.1"
    assert decimal_text(numpy.int64(3)) == "3"
    assert to_json({"a": numpy.float32(0.5), "b": numpy.bool_(True)}) == {"a": 0.5, "b": True}


def test_names_are_relative_and_posix(tmp_path):
    assert relative_name(tmp_path / "a" / "b", tmp_path) == "a/b"
    assert relative_name(tmp_path / "a", tmp_path / "c") == "../a"


def test_digests_that_a_tool_vouches_for_are_kept_and_change_no_subject():
    managed = Contents.of_file(3, "ab" * 32, {"md5": "11" * 16})
    record = Record("dataset", (Artifact("x", "subject", managed),), {"salt": "00" * 32}, AUTHOR)
    statement = json.loads(record.encode())
    assert statement["subject"] == [{"digest": {"sha256": "ab" * 32}, "name": "x"}]
    assert statement["predicate"]["artifacts"][0]["digests"] == {"md5": "11" * 16}
    assert Record.decode(record.encode()) == record
    assert b'"digests"' not in example().encode()


@pytest.mark.parametrize("digests", [{}, [], "md5", {"md5": 5}, {"sha256": "ab" * 32}])
def test_digests_of_another_form_are_refused(digests):
    statement = json.loads(example().encode())
    statement["predicate"]["artifacts"][0]["digests"] = digests
    with pytest.raises(InvalidRecordFile, match="digests"):
        Record.decode(json.dumps(statement, sort_keys=True, separators=(",", ":")).encode())


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (Array((2,)), "an array of shape (2,)"),
        ("good", "the text 'good'"),
        (None, "None"),
        ([1], "a value of type list"),
        (True, "the boolean True"),
    ],
)
def test_what_is_not_a_number_is_described(value, message):
    with pytest.raises(ValueError, match="not a number") as caught:
        decimal_text(value)
    assert message in str(caught.value)
