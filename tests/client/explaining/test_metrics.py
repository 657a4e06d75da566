"""Metrics: their course in one line, and where two runs part."""

import base64
import zlib

import pytest

from notarium.explaining import metrics as module
from notarium.explaining.metrics import WIDTH, course_of, metric_differences


def rows(*values, name="loss", first=0):
    return {"metrics": [{"name": name, "value": value, "step": first + number} for number, value in enumerate(values)]}


def column(lines):
    return base64.b64encode(zlib.compress("".join(f"{line}\n" for line in lines).encode())).decode()


def test_rows_and_columns_say_the_same():
    values = [str(number / 7) for number in range(200)]
    packed = {
        "name": "loss",
        "count": 200,
        "last": values[-1],
        "values": column(values),
        "steps": column([5, *[1] * 199]),
        "times": column([0] * 200),
    }
    assert course_of({"metrics": [packed]}) == course_of(rows(*values, first=5))


@pytest.mark.parametrize(
    "metrics",
    [
        None,
        3,
        [3],
        [{"name": 3, "value": "1"}],
        [{"value": "1"}],
        [{"name": "a", "values": "no base64", "steps": ""}],
        [{"name": "a", "values": base64.b64encode(b"no zlib").decode(), "steps": ""}],
    ],
)
def test_what_cannot_be_read_is_left_out(metrics):
    assert course_of({"metrics": metrics}) == {}


def packed(lines, name="loss", **more):
    return {"name": name, "last": "0.5", "values": column(lines), "steps": column([1] * len(lines)), **more}


def test_of_more_points_than_are_read_the_last_number_counts(monkeypatch):
    """A column of 250 million empty lines has 330 KB, and took gigabytes."""
    monkeypatch.setattr(module, "MAX_POINTS", 10)
    found = course_of({"metrics": [packed(["0.1"] * 6, "a"), packed(["0.1"] * 5, "b"), packed(["0.1"] * 3, "c")]})
    assert [len(found[name].values) for name in "abc"] == [6, 1, 3]
    assert found["b"].last == "0.5"
    long = course_of({"metrics": [packed([""] * 100_000), packed(["0." + "1" * 500], "d")]})
    assert {name: each.values for name, each in long.items()} == {"loss": ("0.5",), "d": ("0.5",)}


def test_a_step_that_is_no_number_is_no_step():
    found = course_of({"metrics": [packed(["0.1", "0.2", "0.3"], steps=column(["--5", "2", "²"]))]})
    assert found["loss"].steps == (0, 2, 2)


@pytest.mark.parametrize(
    ("values", "line"),
    [
        (("1",), ""),
        (("1", "1"), "▁▁"),
        (("0", "1", "2", "3", "4", "5", "6", "7"), "▁▂▃▄▅▆▇█"),
        (("1", "nan", "0"), "█ ▁"),
        (("inf", "0", "1"), " ▁█"),
        (("no number", "0", "1"), " ▁█"),
        (("1e400", "0", "1"), " ▁█"),
        (("-1.7e308", "0", "1.7e308"), "▁▅█"),
        (("sNaN", "0", "1"), " ▁█"),
    ],
)
def test_a_line_to_see_the_course(values, line):
    assert course_of(rows(*values))["loss"].sparkline() == line


def test_a_long_course_has_its_last_number_and_a_bound():
    line = course_of(rows(*map(str, [0] * 10_000 + [1])))["loss"].sparkline()
    assert (len(line), line[-1]) == (WIDTH, "█")


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (("1", "2"), ("1.0", "2"), []),
        (("0.5",), ("0.4",), [("0.5", "0.4", "20 % apart")]),
        (("3", "2", "1"), ("3", "2.5", "1"), [("1", "1", "apart since step 1")]),
        (("1", "2"), ("1", "2", "3"), [("2", "3", "2 and 3 numbers, 33 % apart")]),
        (
            ("2.3", "2.2545127868652344"),
            ("2.3", "2.2545130252838135"),
            [("2.2545127868652344", "2.2545130252838135", "apart since step 1, 0.000011 % apart")],
        ),
        (("nan",), ("1",), [("nan", "1", "")]),
        (("nan",), ("nan",), []),
        (("sNaN",), ("1",), [("sNaN", "1", "")]),
        (("1e99999999",), ("2e99999999",), [("1e99999999", "2e99999999", "")]),
        ((), ("1",), [(None, "1", "")]),
    ],
)
def test_where_two_runs_part(before, after, expected):
    found = metric_differences(course_of(rows(*before)), course_of(rows(*after)))
    assert [(each.before, each.after, each.note) for each in found] == expected
