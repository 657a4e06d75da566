"""Values that researchers hand over: kept exactly, or as text."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notarium.evidence.values import decimal_text, to_json


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
