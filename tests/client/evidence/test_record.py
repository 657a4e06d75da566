"""The record: one meaning, one digest, one signature; nothing guessable, nothing lost."""

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notarium.errors import InvalidRecordFile, ProjectError
from notarium.evidence.artifact import Artifact
from notarium.evidence.author import Author
from notarium.evidence.contents import Contents, Item
from notarium.evidence.envelope import Envelope
from notarium.evidence.json_text import readable_json
from notarium.evidence.links import Leads, SymbolicLink
from notarium.evidence.predicate import RESERVED
from notarium.evidence.record import Record
from notarium_ledger.signing import SigningKey

KEY = SigningKey(bytes(32))
AUTHOR = Author(KEY.public, "m0", "study-12")
FILE = Contents.of_file(3, "ab" * 32)
FOLDER = Contents.of_folder([Item("a", 1, "cd" * 32), Item("b", link=SymbolicLink("a", leads=Leads.NOWHERE))])

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def example(kind="run", **facts):
    return Record.new(kind, [Artifact("x", "output", FILE), Artifact("../data", "input", FOLDER)], facts).by(AUTHOR)


def file_of(statement):
    """As its author would sign it."""
    return readable_json(Envelope.sign(statement, KEY).to_json())


@pytest.mark.parametrize("name", RESERVED)
def test_no_fact_takes_the_place_of_a_part_of_the_record(name):
    with pytest.raises(ProjectError, match=f"cannot be named '{name}'"):
        Record.new("dataset", [], {name: "Jane"})


def test_a_record_without_an_author_has_no_digest():
    with pytest.raises(InvalidRecordFile, match="without an author"):
        _ = Record.new("dataset", [], {}).digest


def test_nobody_signs_the_record_of_another():
    with pytest.raises(InvalidRecordFile, match="by no other"):
        example().encode(SigningKey(bytes(31) + b"1"))


def test_equal_records_have_unguessable_digests():
    assert len({example(name="fit").digest for _ in range(3)}) == 3
    assert len(bytes.fromhex(example().facts["salt"])) == 32


@given(st.sampled_from(["run", "dataset"]), plain)
def test_whatever_is_recorded_reads_back_the_same(kind, value):
    record = example(kind, value=value, params=value, code=value, name=value)
    again = Record.decode(record.encode(KEY))
    assert again == record
    assert again.digest == record.digest


@given(st.data())
def test_white_space_and_order_of_names_change_nothing(data):
    record = example(name="fit", params={"b": 1, "a": [1.5, "é"]})
    document = json.loads(record.encode(KEY))
    indent = data.draw(st.sampled_from([None, 0, 1, 4]))
    text = json.dumps(
        document, indent=indent, sort_keys=data.draw(st.booleans()), ensure_ascii=data.draw(st.booleans())
    )
    ends = data.draw(st.sampled_from(["\n", "\r\n"]))
    again = Record.decode((text.replace("\n", ends) + data.draw(st.sampled_from(["", ends, ends * 3]))).encode())
    assert again.digest == record.digest


def test_it_is_readable():
    lines = example(name="fit").encode(KEY).decode().splitlines()
    assert '     "name": "fit"' in lines


CHANGES = [
    lambda s: s["predicate"]["notarium_record"].pop("artifacts"),
    lambda s: s["predicate"]["notarium_record"].pop("author"),
    lambda s: s["predicate"]["notarium_record"]["author"].pop("issuer"),
    lambda s: s["predicate"]["notarium_record"]["artifacts"][0].update(name="/etc/passwd"),
    lambda s: s["predicate"]["notarium_record"]["artifacts"][1]["files"][0].update(path="../../secret"),
    lambda s: s["predicate"]["notarium_record"]["artifacts"][1]["files"][0].update(path="/etc/passwd"),
    lambda s: s["predicate"]["notarium_record"]["artifacts"][1]["files"][0].update(size="many"),
    lambda s: s["predicate"]["notarium_record"].update(name="another"),
    lambda s: s["predicate"]["buildDefinition"]["resolvedDependencies"].pop(),
    lambda s: s["predicate"]["buildDefinition"]["externalParameters"].update(more=1),
    lambda s: s["predicate"]["buildDefinition"].update(buildType="urn:other"),
    lambda s: s["predicate"]["runDetails"]["metadata"].update(more=1),
    lambda s: s.update(_type="https://in-toto.io/Statement/v0.1"),
    lambda s: s.update(predicateType="urn:notarium:predicate:run:v1"),
    lambda s: s["subject"][0]["digest"].update(sha256="00" * 32),
    lambda s: s["subject"].pop(),
    lambda s: s.update(more=1),
]


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_not_a_record_is_refused_whoever_signs_it(change):
    statement = copy.deepcopy(example(name="fit").statement)
    assert Record.decode(file_of(statement)).facts["name"] == "fit"
    change(statement)
    with pytest.raises(InvalidRecordFile):
        Record.decode(file_of(statement))


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"null", b"[" * 100_000, b"\xff", b'{"_type": 1}', b'{"a":1,"a":1}']
)
def test_bytes_that_are_not_a_record_are_refused(data):
    with pytest.raises(InvalidRecordFile):
        Record.decode(data)


def test_a_record_signed_by_another_than_its_author_is_refused():
    other = SigningKey(bytes(31) + b"1")
    data = readable_json(Envelope.sign(example().statement, other).to_json())
    with pytest.raises(InvalidRecordFile, match="another key than its author's"):
        Record.decode(data)


def test_digests_that_a_tool_vouches_for_are_kept_and_change_no_subject():
    managed = Contents.of_file(3, "ab" * 32, {"md5": "11" * 16})
    record = Record("dataset", (Artifact("x", "subject", managed),), {"salt": "00" * 32}, AUTHOR)
    statement = record.statement
    assert statement["subject"][0]["digest"] == {"sha256": "ab" * 32}
    assert statement["predicate"]["artifacts"][0]["digests"] == {"md5": "11" * 16}
    assert Record.decode(record.encode(KEY)) == record


@pytest.mark.parametrize("digests", [{}, [], "md5", {"md5": 5}, {"sha256": "ab" * 32}])
def test_digests_of_another_form_are_refused(digests):
    statement = example("dataset").statement
    statement["predicate"]["artifacts"][0]["digests"] = digests
    with pytest.raises(InvalidRecordFile, match="digests"):
        Record.decode(file_of(statement))
