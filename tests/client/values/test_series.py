"""Metrics: exact, with step and time; many of them in columns that hold the same."""

import base64
import random
import threading
import zlib
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notarium.evidence.json_text import canonical_json
from notarium.values import series as module
from notarium.values.scalars import decimal_text, number
from notarium.values.series import SHORT, Point, Series, points

T = 1_764_000_000_000


def series_of(values):
    made = Series("loss")
    for at, value in enumerate(values):
        made.add(value, at, T + at)
    return made


def column(text: str) -> str:
    return base64.b64encode(zlib.compress(text.encode())).decode()


def test_a_few_points_stand_in_the_record_one_by_one():
    made = Series("auc")
    made.add(0.1 + 0.2, 3, T)
    made.add(1, None, T + 1)
    assert made.to_json() == [
        {"name": "auc", "value": "0.30000000000000004", "time": "2025-11-24T16:00:00.000Z", "step": 3},
        {"name": "auc", "value": "1", "time": "2025-11-24T16:00:00.001Z"},
    ]
    assert points(made.to_json()) == {"auc": [Point("0.30000000000000004", 3, T), Point("1", None, T + 1)]}


@pytest.mark.parametrize("count", [SHORT, SHORT + 1, module._BLOCK, module._BLOCK + 1, 3 * module._BLOCK])
def test_many_points_are_one_object_with_the_same_content(count):
    drawn = random.Random(count)
    values = [drawn.random() for _ in range(count)]
    said = series_of(values).to_json()
    assert len(said) == (count if count <= SHORT else 1)
    expected = [Point(repr(value), number, T + number) for number, value in enumerate(values)]
    assert points(said) == {"loss": expected}


NUMBERS = st.integers(-(10**20), 10**20) | st.floats() | st.decimals(allow_nan=False).map(number)
POINTS = st.lists(
    st.tuples(NUMBERS, st.none() | st.integers(-(2**53) + 1, 2**53 - 1), st.integers(0, 4 * 10**12)), min_size=1
)


@given(POINTS, st.integers(3, 9))
def test_every_number_step_and_time_comes_back(drawn, block):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SHORT", 2)
        patch.setattr(module, "_BLOCK", block)
        made = Series("x")
        for each in drawn:
            made.add(*each)
        said = made.to_json()
        assert made.to_json() == said, "asking twice changes nothing"
        read = points(said)["x"]
    canonical_json(said)
    assert read == [Point(decimal_text(value), step, time_ms) for value, step, time_ms in drawn]


def test_more_points_can_follow_after_it_was_asked():
    made = series_of([0.5] * 200)
    made.to_json()
    made.add(0.25, 200, T)
    assert [each.value for each in points(made.to_json())["loss"]] == ["0.5"] * 200 + ["0.25"]


def test_a_long_series_is_small():
    drawn = random.Random(1)
    [said] = series_of([drawn.random() for _ in range(50_000)]).to_json()
    assert sum(len(said[each]) for each in ("values", "steps", "times")) < 20 * 50_000
    assert len(said["steps"]) < 1000, "steps that follow each other take no room"


def test_threads_may_add_points_at_once():
    made = Series("x")

    def add(start):
        for at in range(start, start + 5000):
            made.add(float(at), at, at)

    threads = [threading.Thread(target=add, args=(5000 * each,)) for each in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    read = points(made.to_json())["x"]
    assert len(read) == 20_000
    assert all(float(each.value) == each.step == each.time_ms for each in read)
    assert {each.step for each in read} == set(range(20_000))


def test_numbers_of_every_kind_in_one_series():
    values = [0.5, 1, Decimal("0.10"), float("nan"), 10**30] * 30
    read = points(series_of(values).to_json())["loss"]
    assert [each.value for each in read] == ["0.5", "1", "0.10", "nan", "1" + "0" * 30] * 30


def long(**over):
    said = {"name": "x", "count": 2, "last": "2", "values": "1\n2\n", "steps": "1\n1\n", "times": "5\n1\n"} | over
    return {name: column(str(each)) if name in ("values", "steps", "times") else each for name, each in said.items()}


def test_the_columns_as_documented():
    assert points([long()]) == {"x": [Point("1", 1, 5), Point("2", 2, 6)]}
    assert points([long(steps="7\n\n")]) == {"x": [Point("1", 7, 5), Point("2", None, 6)]}


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"count": 3}, "count"),
        ({"last": "1"}, "last"),
        ({"values": "1\n"}, "number of lines"),
        ({"steps": "1\n"}, "number of lines"),
        ({"values": "1\n2"}, "number of lines"),
        ({"values": "1\n2\n3"}, "last line"),
        ({"values": "1\n2 \n", "last": "2 "}, "not a decimal"),
        ({"values": "1\n٣\n", "last": "٣"}, "ascii"),
        ({"times": "5\n0.5\n"}, "not a whole number"),
        ({"times": "5\n" + "9" * 20 + "\n"}, "not a whole number"),
    ],
)
def test_columns_that_no_record_has(over, message):
    with pytest.raises(ValueError, match=message):
        points([long(**over)])


@pytest.mark.parametrize(
    "damaged",
    [
        {"values": "%%%"},
        {"values": base64.b64encode(b"no zlib").decode()},
        {"values": column("1\n2\n")[:8]},
        {"values": base64.b64encode(zlib.compress(b"1\n2\n") + b"x").decode()},
        {"values": 3},
        {"values": None},
    ],
)
def test_damaged_columns(damaged):
    with pytest.raises(ValueError, match=r"."):
        points([long() | damaged])


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"name": "x"},
        {"name": "x", "value": "y", "time": "2025-11-24T16:00:00Z"},
        {"name": "x", "count": 1},
        {"name": "x", "value": "1", "time": "2025-11-24T16:00:00"},
    ],
)
def test_rows_that_no_record_has(row):
    with pytest.raises(ValueError, match=r"."):
        points([row])


@pytest.mark.parametrize("step", [0.5, "1", True])
def test_a_step_that_is_no_whole_number(step):
    with pytest.raises(ValueError, match="not a whole number"):
        points([{"name": "x", "value": "1", "time": "2025-11-24T16:00:00Z", "step": step}])


def test_a_column_that_unpacks_to_more_than_any_record_holds(monkeypatch):
    monkeypatch.setattr(module, "MAX_COLUMN_BYTES", 1000)
    with pytest.raises(ValueError, match="too large"):
        points([long(values="1\n" * 1000)])


def test_a_column_of_no_points_is_none():
    with pytest.raises(ValueError, match=r"IndexError"):
        points([long(values="", steps="", times="", count=0)])
