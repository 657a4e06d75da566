"""Arrays by what they hold: equal content has one digest, whatever the layout; nothing is cut off."""

import hashlib
import sys
import types

import numpy
import pytest
from tests.client.values.test_scalars import named

from notarium.values.arrays import described, is_array, json_digest
from notarium.values.as_json import to_json

NUMBERS = numpy.arange(6, dtype="<f8").reshape(2, 3)


def of(value):
    assert is_array(value)
    found, problem = described(value, to_json)
    assert problem == ""
    return found


@pytest.mark.parametrize(
    "same",
    [NUMBERS, numpy.asfortranarray(NUMBERS), NUMBERS.astype(">f8"), numpy.repeat(NUMBERS, 2, axis=1)[:, ::2]],
)
def test_the_digest_is_of_the_bytes_in_c_order_and_little_endian(same):
    digest = hashlib.sha256(NUMBERS.tobytes()).hexdigest()
    assert of(same) == {"dtype": "float64", "shape": [2, 3], "sha256": digest}


def test_one_element_among_a_million_shows():
    first = numpy.zeros(1_000_000)
    second = first.copy()
    second[500_000] = 1e-300
    assert repr(first) == repr(second), "as cut-off text they are equal"
    assert of(first) != of(second)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint64", "complex64", "S3", "U3", "datetime64[ns]", "V4"])
def test_every_kind_of_element(dtype):
    array = numpy.zeros((2, 2), dtype=dtype)
    assert of(array) == {
        "dtype": array.dtype.name,
        "shape": [2, 2],
        "sha256": hashlib.sha256(array.tobytes()).hexdigest(),
    }


def test_an_array_without_elements():
    assert of(numpy.zeros((0, 3)))["sha256"] == hashlib.sha256(b"").hexdigest()


@pytest.mark.parametrize(
    "array", [numpy.array(["a", "bc"], dtype=object), numpy.array(["a", "bc"], dtype=numpy.dtypes.StringDType())]
)
def test_elements_without_bytes_of_their_own(array):
    assert of(array)["json_sha256"] == json_digest(["a", "bc"])


def test_padding_is_not_part_of_the_value():
    padded = numpy.dtype([("a", "i1"), ("b", "f8")], align=True)
    first = numpy.frombuffer(b"\x01" + b"x" * 7 + bytes(8), dtype=padded)
    second = numpy.frombuffer(b"\x01" + b"y" * 7 + bytes(8), dtype=padded)
    assert first.tobytes() != second.tobytes()
    assert of(first) == of(second)
    extended = numpy.array([1.5], dtype=numpy.longdouble)
    assert of(extended)["json_sha256"] == json_digest(["1.5"])


def test_what_is_masked_does_not_count_and_that_it_is_masked_does():
    def masked(value, mask):
        return of(numpy.ma.array([1, value], mask=mask, fill_value=9))

    assert masked(2, [0, 1]) == masked(3, [0, 1])
    assert masked(2, [0, 1]) != masked(2, [0, 0])


class Tensor:
    """As a tensor of PyTorch behaves."""

    def __init__(self, array, dtype, shape):
        self._array, self.dtype, self.shape = array, dtype, shape

    def detach(self):
        return self

    cpu = resolve_conj = resolve_neg = contiguous = detach

    def reshape(self, *_):
        return self

    def view(self, dtype):
        assert dtype == "uint8"
        return self

    def numpy(self):
        return numpy.ascontiguousarray(self._array).reshape(-1).view("u1")


def test_a_tensor_has_the_digest_of_the_same_array(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(uint8="uint8"))
    tensor = named("torch", "Tensor", **{name: each for name, each in vars(Tensor).items() if name != "__module__"})
    assert of(tensor(NUMBERS, "torch.float64", (2, 3))) == of(NUMBERS)


def test_a_real_tensor():
    torch = pytest.importorskip("torch")
    assert of(torch.arange(6, dtype=torch.float64).reshape(3, 2).T.contiguous().T)["shape"] == [3, 2]
    assert of(torch.zeros(3, dtype=torch.bfloat16))["sha256"] == hashlib.sha256(bytes(6)).hexdigest()


def test_an_array_that_cannot_be_read_says_why():
    class Remote:
        dtype, shape = "float32", (2, 3)

        def __array__(self, *_, **__):
            raise RuntimeError("the device is gone")

    assert is_array(Remote())
    assert described(Remote(), to_json) == ({"dtype": "float32", "shape": [2, 3]}, "RuntimeError: the device is gone")


def test_an_array_of_another_library_is_read_as_numpy_reads_it():
    class Wrapped:
        dtype, shape = NUMBERS.dtype, NUMBERS.shape

        def __array__(self, *_, **__):
            return NUMBERS

    assert of(Wrapped()) == of(NUMBERS)


@pytest.mark.parametrize("value", [1, "x", [1], numpy.float64(1), numpy.ndarray])
def test_what_is_no_array(value):
    assert not is_array(value)


def test_a_data_frame_has_a_digest_for_each_column():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1, 2], "b": ["x", None]})
    found = of(frame)
    assert (found["shape"], [each["name"] for each in found["columns"]]) == ([2, 2], ["a", "b"])
    assert found["columns"][0]["sha256"] == of(numpy.array([1, 2]))["sha256"]
    assert "json_sha256" in found["columns"][1]
    assert of(frame) == of(frame.copy()) != of(frame.iloc[::-1])


class Column:
    """As a column of Polars behaves."""

    def __init__(self, name, items, dtype, nulls=0):
        self.name, self.dtype, self._items, self._nulls = name, dtype, items, nulls
        self.shape = (len(items),)

    def null_count(self):
        return self._nulls

    def to_numpy(self):
        return numpy.array(self._items)

    def to_list(self):
        return self._items


class Kind:
    def __init__(self, name, is_number):
        self._name, self._is_number = name, is_number

    def __str__(self):
        return self._name

    def is_integer(self):
        return self._is_number

    def is_float(self):
        return False


def test_a_frame_of_polars_where_numbers_with_nulls_stay_whole():
    column = named("polars.series.series", "Series", **{k: v for k, v in vars(Column).items() if k != "__module__"})
    columns = [
        column("a", [1, 2], Kind("Int64", True)),
        column("b", [1, None], Kind("Int64", True), nulls=1),
        column("c", ["x", "y"], Kind("String", False)),
    ]
    frame = named("polars.dataframe.frame", "DataFrame", shape=(2, 3), get_columns=lambda _: columns)()
    found = of(frame)["columns"]
    assert found[0] == {"name": "a", "dtype": "Int64", "shape": [2], "sha256": of(numpy.array([1, 2]))["sha256"]}
    assert found[1]["json_sha256"] == json_digest([1, None])
    assert found[2]["json_sha256"] == json_digest(["x", "y"])
