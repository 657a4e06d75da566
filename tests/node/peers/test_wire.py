"""What nodes say to one another: round trips, bounds, and garbage."""

from contextlib import suppress

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from notarium_ledger.trust.snapshot import MAX_SNAPSHOT_BYTES
from notarium_ledger.types import MAX_HEIGHT, Hash, Height
from notarium_node.health.ability import ENDING_AT_A_HEIGHT, Ability, Cause
from notarium_node.peers import wire
from notarium_node.peers.wire import BadMessage, HeightStatus, Kind, RecallAnswer, SnapshotPart

UNPACKERS = [
    lambda payload: wire.unpack_list(payload, 16),
    wire.unpack_status,
    wire.unpack_get_blocks,
    wire.unpack_get_snapshot,
    wire.unpack_snapshot,
    wire.unpack_recall,
    wire.unpack_recalled,
]
nested = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.binary(max_size=40)
    | st.text(max_size=5)
    | st.floats(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


@given(st.sampled_from([Kind.ENTRIES, Kind.BLOCKS, Kind.EQUIVOCATIONS]), st.lists(st.binary(max_size=300), max_size=16))
def test_lists_come_back_as_they_went(kind, items):
    message = wire.pack_list(kind, items)
    assert message[0] == kind
    assert wire.unpack_list(message[1:], 16) == items


@given(st.lists(st.binary(max_size=8), max_size=40) | st.sampled_from([[b""] * 15, [b""] * 16, [b""] * 70_000]))
def test_a_list_says_at_its_beginning_how_many_items_it_has(items):
    assert wire.announced_items(wire.pack_list(Kind.ENTRIES, items)[1:]) == len(items)


@given(st.binary(max_size=8))
def test_what_is_not_a_list_has_no_items(payload):
    if not payload or not (0x90 <= payload[0] <= 0x9F or payload[0] in (0xDC, 0xDD)):
        assert wire.announced_items(payload) == 0


abilities = st.one_of(
    st.sampled_from([each for each in Cause if each not in ENDING_AT_A_HEIGHT]).map(Ability),
    st.builds(Ability, st.sampled_from(ENDING_AT_A_HEIGHT), st.integers(1, MAX_HEIGHT).map(Height)),
)


@given(
    st.lists(st.integers(0, MAX_HEIGHT), min_size=3, max_size=3).map(sorted),
    st.binary(min_size=32, max_size=32),
    abilities,
)
def test_status_comes_back_as_it_went(heights, tip, ability):
    history, base, height = map(Height, heights)
    if history == base:
        history = base = height
    status = HeightStatus(height, Hash(tip), history, base, ability)
    message = wire.pack_status(status)
    assert message[0] == Kind.STATUS
    assert wire.unpack_status(message[1:]) == status


def status_of(*value):
    return wire.unpack_status(msgpack.packb([9, bytes(32), *value], use_bin_type=True))


def test_a_cause_of_a_later_version_is_another_one():
    for number, votes_from in ((77, 0), (77, 12), (255, 0)):
        assert status_of(9, 9, number, votes_from).ability == Ability(Cause.OTHER)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ((4, 4, 0, 0), "their number is 0"),
        ((9, 9, 256, 0), "a cause above 255"),
        ((9, 9, -1, 0), "a cause above 255"),
        ((9, 9, True, 0), "not numbers"),
        ((9, 9, Cause.FENCED, MAX_HEIGHT + 1), "no height from which"),
        ((9, 9, Cause.FENCED, 0), "or the reverse"),
        ((9, 9, Cause.FORGOTTEN, 12), "or the reverse"),
        ((9, 9, Cause.NONE, 12), "or the reverse"),
        ((9, 9), "not \\[height, tip, history, base, cause, votes from\\]"),
    ],
)
def test_a_status_in_another_form_is_garbage(value, reason):
    with pytest.raises(BadMessage, match=reason):
        status_of(*value)


def test_a_node_holds_what_lies_on_both_sides_of_its_gap():
    status = HeightStatus(Height(9), Hash(bytes(32)), Height(3), Height(6))
    assert [height for height in range(1, 12) if status.holds(height)] == [1, 2, 3, 7, 8, 9]
    whole = HeightStatus(Height(9), Hash(bytes(32)), Height(9), Height(9))
    assert [height for height in range(1, 12) if whole.holds(height)] == list(range(1, 10))


@given(st.integers(0, MAX_HEIGHT), st.integers(0, MAX_SNAPSHOT_BYTES))
def test_a_request_for_a_snapshot_comes_back_as_it_went(height, offset):
    message = wire.pack_get_snapshot(Height(height), offset)
    assert message[0] == Kind.GET_SNAPSHOT
    assert wire.unpack_get_snapshot(message[1:]) == (height, offset)


@given(st.integers(1, MAX_HEIGHT), st.integers(0, 1000), st.binary(min_size=1, max_size=100), st.integers(0, 1000))
def test_a_part_of_a_snapshot_comes_back_as_it_went(height, offset, data, rest):
    part = SnapshotPart(Height(height), offset + len(data) + rest, offset, data)
    message = wire.pack_snapshot(part)
    assert message[0] == Kind.SNAPSHOT
    assert wire.unpack_snapshot(message[1:]) == part


@given(st.binary(min_size=16, max_size=16), st.integers(0, MAX_HEIGHT), st.booleans())
def test_a_recall_and_its_answer_come_back_as_they_went(nonce, height, remembers):
    assert wire.unpack_recall(wire.pack_recall(nonce)[1:]) == nonce
    answer = RecallAnswer(nonce, Height(height), remembers, None)
    assert wire.unpack_recalled(wire.pack_recalled(answer)[1:]) == answer


NO_SNAPSHOT = SnapshotPart(Height(0), 0, 0, b"")


def test_that_there_is_no_snapshot_can_be_said():
    assert wire.unpack_snapshot(wire.pack_snapshot(NO_SNAPSHOT)[1:]) == NO_SNAPSHOT


@pytest.mark.parametrize(
    "part",
    [
        SnapshotPart(Height(1), 10, 9, b"ab"),
        SnapshotPart(Height(1), MAX_SNAPSHOT_BYTES + 1, 0, b"a"),
        SnapshotPart(Height(1), 10, 0, b""),
        SnapshotPart(Height(1), 0, 0, b"a"),
        SnapshotPart(Height(1), 10, -1, b"a"),
        SnapshotPart(Height(-1), 10, 0, b"a"),
        SnapshotPart(Height(1), MAX_SNAPSHOT_BYTES, 0, bytes(wire.SNAPSHOT_PART_BYTES + 1)),
    ],
)
def test_parts_that_fit_no_snapshot_are_refused(part):
    with pytest.raises(BadMessage):
        wire.unpack_snapshot(wire.pack_snapshot(part)[1:])


@given(st.integers(1, MAX_HEIGHT), st.integers(1, wire.MAX_BLOCKS))
def test_a_request_for_blocks_comes_back_as_it_went(first, most):
    message = wire.pack_get_blocks(Height(first), most)
    assert message[0] == Kind.GET_BLOCKS
    assert wire.unpack_get_blocks(message[1:]) == (first, most)


def test_the_kinds_are_the_protocol_and_do_not_change():
    assert {kind.name: kind.value for kind in Kind} == {
        "CONSENSUS": 1, "ENTRIES": 2, "STATUS": 3, "GET_BLOCKS": 4, "BLOCKS": 5, "FOLLOW": 6, "EQUIVOCATIONS": 7,
        "GET_SNAPSHOT": 8, "SNAPSHOT": 9, "RECALL": 10, "RECALLED": 11,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("unpack", "value"),
    [
        (UNPACKERS[0], [b""] * 17),
        (UNPACKERS[0], [b"", "text"]),
        (UNPACKERS[0], [b"", [b""]]),
        (UNPACKERS[0], {"a": b""}),
        (UNPACKERS[0], b""),
        (UNPACKERS[1], [1]),
        (UNPACKERS[1], [1, b"x" * 31]),
        (UNPACKERS[1], [-1, b"x" * 32]),
        (UNPACKERS[1], [MAX_HEIGHT + 1, b"x" * 32]),
        (UNPACKERS[1], [True, b"x" * 32]),
        (UNPACKERS[1], [1.0, b"x" * 32]),
        (UNPACKERS[1], [9, b"x" * 32, 3]),
        (UNPACKERS[1], [9, b"x" * 32, 6, 3]),
        (UNPACKERS[1], [9, b"x" * 32, 3, 10]),
        (UNPACKERS[1], [9, b"x" * 32, -1, 3]),
        (UNPACKERS[1], [9, b"x" * 32, 3, 6, 6]),
        (UNPACKERS[1], [9, b"x" * 32, True, 6]),
        (UNPACKERS[2], [0, 1]),
        (UNPACKERS[2], [1, 0]),
        (UNPACKERS[2], [1, wire.MAX_BLOCKS + 1]),
        (UNPACKERS[2], [MAX_HEIGHT + 1, 1]),
        (UNPACKERS[2], [True, 1]),
        (UNPACKERS[2], [1, 1, 1]),
        (UNPACKERS[3], [-1, 0]),
        (UNPACKERS[3], [MAX_HEIGHT + 1, 0]),
        (UNPACKERS[3], [0, -1]),
        (UNPACKERS[3], [0, MAX_SNAPSHOT_BYTES + 1]),
        (UNPACKERS[3], [0, True]),
        (UNPACKERS[3], [0]),
    ],
)
def test_values_beyond_the_bounds_are_bad(unpack, value):
    with pytest.raises(BadMessage):
        unpack(msgpack.packb(value))


@given(st.sampled_from(UNPACKERS), st.binary(max_size=200) | nested.map(msgpack.packb))
def test_garbage_is_bad_or_well_formed_and_never_anything_else(unpack, payload):
    with suppress(BadMessage):
        unpack(payload)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xc1",
        b"\x91" * 5000 + b"\x90",  # deep
        b"\xdd\xff\xff\xff\xff",  # says it is long
        b"\xc6\xff\xff\xff\xff",
        b"\x90\x00",  # trailing
        b"\xd6\xff\x00\x00\x00\x00",  # a timestamp
        b"\xc7\x01\x05x",  # an extension
        b"\x91\xa1\xff",  # no UTF-8
    ],
)
@pytest.mark.parametrize("unpack", UNPACKERS)
def test_hostile_encodings_are_bad(unpack, payload):
    with pytest.raises(BadMessage):
        unpack(payload)
