"""Nested configurations as paths: typed, exact, without secrets, and honest about what they do not say."""

import dataclasses
from typing import Any

import numpy
import pytest
from tests.client.values.test_scalars import named

from notarium.values import flatten as module
from notarium.values.arrays import json_digest
from notarium.values.flatten import flatten, same
from notarium.values.secrets import Secrets


@dataclasses.dataclass
class Config:
    width: int = 64
    dropout: float = 0.0


def flat(value, name="p"):
    return flatten(name, value, Secrets())


def test_a_nested_configuration():
    found = flat({"model": Config(), "betas": (0.9, 0.999), "layers": [1, 2], "stages": [{"lr": 0.1}, {"lr": 1.0}]})
    assert found.values == {
        "p.model.width": 64,
        "p.model.dropout": 0.0,
        "p.betas": [0.9, 0.999],
        "p.layers": [1, 2],
        "p.stages[0].lr": 0.1,
        "p.stages[1].lr": 1.0,
    }
    assert found.types == {
        "p.model": f"{__name__}.Config",
        "p.model.dropout": "float",
        "p.betas": "tuple",
        "p.stages[1].lr": "float",
    }
    assert found.gaps == []


@pytest.mark.parametrize(
    ("value", "values", "types"),
    [
        (1.0, {"p": 1.0}, {"p": "float"}),
        ([1.0, 0.5], {"p": [1.0, 0.5]}, {"p": "list[float]"}),
        ([1.0, 2, "x"], {"p[0]": 1.0, "p[1]": 2, "p[2]": "x"}, {"p[0]": "float"}),
        ([1, "x", None], {"p": [1, "x", None]}, {}),
        ({}, {"p": {}}, {}),
        ([], {"p": []}, {}),
        ((), {"p": []}, {"p": "tuple"}),
        ({"a": {}}, {"p.a": {}}, {}),
        ({1: "x", "1": "y"}, {"p[1]": "x", "p.1": "y"}, {}),
        (len, {"p": "len"}, {"p": "function"}),
        (Config, {"p": f"{__name__}.Config"}, {"p": "class"}),
    ],
)
def test_each_value_keeps_its_type(value, values, types):
    found = flat(value)
    assert (found.values, found.types) == (values, types)
    assert all(type(found.values[path]) is type(values[path]) for path in values)


def test_an_array_is_recorded_by_its_digest():
    found = flat({"weights": numpy.zeros(3)})
    assert found.values["p.weights"].keys() == {"dtype", "shape", "sha256"}
    assert found.types == {"p.weights": "numpy.ndarray"}


def test_an_object_is_named_without_its_address_and_that_is_a_gap():
    found = flat(object())
    assert found.values == {"p": "object"}
    assert found.gaps == ["parameter p is an object of the class object: only the class is recorded"]


def test_objects_in_an_array_are_a_gap():
    found = flat(numpy.array([object(), object(), "x"], dtype=object))
    assert found.gaps == ["parameter p holds objects of the class object: only the class is recorded"]


def test_an_array_that_cannot_be_read_is_a_gap():
    array = named("lib", "A", dtype="f4", shape=(2,), __array__=lambda *_: 1 / 0)()
    assert flat(array).gaps == ["parameter p is recorded without its content: ZeroDivisionError: division by zero"]


def test_one_broken_value_does_not_take_the_others_with_it():
    class Broken(dict):
        def items(self):
            raise RuntimeError("no password=hunter2 here")

    found = flat({"x": Broken(), "y": 1})
    assert found.values == {"p.x": None, "p.y": 1}
    assert found.gaps == ["parameter p.x could not be read: RuntimeError: no password=[secret] here"]


@pytest.mark.parametrize("levels", [0, 100])
def test_what_has_no_end_is_a_gap(levels):
    value: Any = {}
    value["me"] = value
    for _ in range(levels):
        value = [value]
    [gap] = flat(value).gaps
    assert "contains itself, or is nested more than 64 deep" in gap


def test_one_value_at_two_places_is_not_endless():
    shared = {"x": 1}
    assert flat({"a": shared, "b": shared}).values == {"p.a.x": 1, "p.b.x": 1}


def test_data_handed_over_as_a_parameter_is_recorded_by_its_digest(monkeypatch):
    found = flat(list(range(5000)))
    assert found.values == {"p": {"length": 5000, "json_sha256": json_digest(list(range(5000)))}}
    assert found.gaps == ["parameter p has 5000 items: they are recorded by their digest only"]
    monkeypatch.setattr(module, "MAX_VALUES", 2)
    found = flat({"a": 1, "b": 2, "c": 3})
    assert (found.values, found.types) == ({"p": None}, {"p": "too large"})
    assert found.gaps == ["parameter p has more than 2 values and is not recorded: name the file of it as an input"]


def test_the_work_is_bounded_where_values_are_shared():
    value: Any = [1, {}]
    for _ in range(60):
        value = [value, value]
    assert flat(value).types == {"p": "too large"}, "written out it has more values than there are atoms"


def test_a_cycle_ends_where_it_begins():
    value: Any = {}
    value["me"] = value
    assert flat(value).values == {"p.me": None}


SECRET = "correct horse battery"


@pytest.mark.parametrize(
    "value",
    [
        {"db_password": SECRET},
        {"credentials": {"user": "x", "value": SECRET}},
        {"credentials": ["user", SECRET]},
        {"x": {"api_keys": ["k1-" + SECRET.replace(" ", "")]}},
        {"args": ["--password", SECRET]},
        {"args": [1, {"password": SECRET}]},
        {"url": "https://jane:correct-horse-battery@example.org/"},
        {f"password={SECRET.replace(' ', '-')}": 1},
        named("pydantic.types", "SecretStr", get_secret_value=lambda _: SECRET)(),
        [named("pydantic.types", "SecretStr", get_secret_value=lambda _: SECRET)()],
    ],
)
def test_secrets_are_left_out_wherever_they_stand(value):
    secrets = Secrets()
    found = flatten("p", value, secrets)
    assert "horse" not in str(found)
    assert "[secret" in str(found)
    assert len(secrets.notices) >= 1


def test_a_secret_has_the_type_of_one():
    found = flat({"password": SECRET})
    assert found.types == {"p.password": "secret"}


def test_the_name_of_the_parameter_itself_counts():
    assert flat("hunter2", "password").values == {"password": "[secret]"}
    assert flat("hunter2", "host").values == {"host": "hunter2"}


def test_equal_parameters_are_the_same():
    assert same(flat({"a": 1}), flat({"a": 1}))
    assert not same(flat({"a": 1}), flat({"a": 1.0})), "typed"
