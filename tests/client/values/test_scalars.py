"""Single values: exact, and typed where JSON does not show it; numbers as decimals that read back as the same."""

import datetime
import enum
import hashlib
import math
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from uuid import UUID

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from notarium.values.scalars import Scalar, decimal_text, number, scalar


class Optimizer(enum.StrEnum):
    ADAM = "adam"


class Stage(enum.Enum):
    LAST = ("a", "b")


class Tensor:
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


def named(module: str, name: str, **members):
    """A class as another library has it, which is not installed here."""
    return type(name, (), {"__module__": module, "__qualname__": name, **members})


@pytest.mark.parametrize(
    ("value", "shown", "type_"),
    [
        (1, 1, ""),
        (0.5, 0.5, ""),
        (1.0, 1.0, "float"),
        (-0.0, "-0.0", "float"),
        (math.nan, "nan", "float"),
        ("nan", "nan", ""),
        (2**53, "9007199254740992", "integer"),
        pytest.param(10**5000, hex(10**5000), "integer", id="more digits than Python prints"),
        (True, True, ""),
        (None, None, ""),
        ("\udcff", "\\udcff", "escaped text"),
        (b"\x00\x01", "0001", "bytes"),
        (b"x" * 65, {"size": 65, "sha256": hashlib.sha256(b"x" * 65).hexdigest()}, "bytes"),
        (Path("a/b"), "a/b", "path"),
        (Decimal("0.10"), "0.10", "decimal"),
        (Fraction(1, 3), "1/3", "Fraction"),
        (datetime.date(2026, 11, 28), "2026-11-28", "date"),
        (datetime.timedelta(seconds=1), "0:00:01", "timedelta"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001", "UUID"),
        (Optimizer.ADAM, "adam", f"{__name__}.Optimizer.ADAM"),
        (Stage.LAST, "LAST", f"{__name__}.Stage.LAST"),
        (numpy.float32(0.1), 0.10000000149011612, "float32"),
        (numpy.int64(3), 3, "int64"),
        (numpy.float64(2), 2.0, "float"),
        (numpy.datetime64("2026-11-28T00:00:00.123456789"), "2026-11-28T00:00:00.123456789", "datetime64[ns]"),
        (numpy.dtype("float32"), "float32", "numpy.dtypes.Float32DType"),
        (Tensor(0.5), 0.5, ""),
        (named("pandas.api.typing", "NAType")(), None, "missing"),
        (named("torch", "dtype", __str__=lambda _: "torch.bfloat16")(), "torch.bfloat16", "torch.dtype"),
    ],
)
def test_each_value_is_exact_and_its_type_known(value, shown, type_):
    found = scalar(value)
    assert found == Scalar(shown, type_)
    assert type(found.value) is type(shown)


def test_an_extended_float_keeps_all_its_digits():
    value = numpy.longdouble(1) / 3
    assert scalar(value) == Scalar(str(value), str(value.dtype))


@pytest.mark.parametrize("value", [[1], {}, object(), len, Array((2,)), numpy.zeros(2), int])
def test_what_has_parts_or_a_name_is_no_scalar(value):
    assert scalar(value) is None


def test_a_class_can_say_that_its_value_is_a_secret():
    hidden = named("pydantic.types", "SecretStr", get_secret_value=lambda _: "x")()
    assert scalar(hidden) == Scalar("x", "secret", is_secret=True)


@given(st.floats(allow_nan=False))
def test_a_metric_reads_back_as_the_same_number(value):
    assert float(decimal_text(number(value))) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"),
        (10**30, str(10**30)),
        (0.1, "0.1"),
        (Decimal("0.10"), "0.10"),
        (Decimal("NaN"), "nan"),
        (Decimal("-Infinity"), "-inf"),
        (Tensor(0.25), "0.25"),
        (Tensor(7), "7"),
        ("2", "2.0"),
        (numpy.float64(0.1), "0.1"),
        (numpy.float32(0.1), "0.10000000149011612"),
        (numpy.int64(3), "3"),
    ],
)
def test_metrics_as_text(value, text):
    assert decimal_text(number(value)) == text


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (Array((2,)), "an array of shape (2,)"),
        ("good", "the text 'good'"),
        (None, "None"),
        ([1], "a value of type list"),
        (True, "the boolean True"),
        (Tensor(True), "the boolean True"),
        (Decimal("sNaN"), "Decimal"),
    ],
)
def test_what_is_not_a_number_is_described(value, message):
    with pytest.raises(ValueError, match="not a number") as caught:
        number(value)
    assert message in str(caught.value)
