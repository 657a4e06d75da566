"""What a value consists of, whichever library made it."""

import argparse
import collections
import dataclasses
import functools
import sys
import types
from typing import Any

import attrs
import pydantic
import pytest
from sklearn.linear_model import Ridge
from tests.client.values.test_scalars import named

from notarium.values.parts import Parts, parts


@dataclasses.dataclass
class Data:
    width: int = 64


@attrs.define
class Attrs:
    width: int = 64


class Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    width: int = 64


class Named(collections.namedtuple("Named", "width")):
    """A tuple with names."""


def config_of(module: str, name: str):
    return named(module, name, to_dict=lambda _: {"width": 64})()


HERE = __name__


def known(value: Any) -> Parts:
    """The parts of `value`, which has some."""
    found = parts(value)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("value", "type_"),
    [
        ({"width": 64}, ""),
        (collections.OrderedDict(width=64), ""),
        (types.MappingProxyType({"width": 64}), ""),
        (collections.UserDict({"width": 64}), "collections.UserDict"),
        (argparse.Namespace(width=64), "argparse.Namespace"),
        (types.SimpleNamespace(width=64), "types.SimpleNamespace"),
        (Data(), f"{HERE}.Data"),
        (Attrs(), f"{HERE}.Attrs"),
        (Model(), f"{HERE}.Model"),
        (Named(64), f"{HERE}.Named"),
        (config_of("transformers.configuration_utils", "PretrainedConfig"), None),
        (config_of("ml_collections.config_dict.config_dict", "ConfigDict"), None),
    ],
)
def test_the_fields_of_configurations(value, type_):
    found = known(value)
    assert found.items == (("width", 64),)
    assert not found.is_list
    assert type_ in (None, found.type)


def test_an_estimator_is_known_by_its_parameters():
    found = known(Ridge(alpha=0.5))
    assert ("alpha", 0.5) in found.items
    assert found.type == "sklearn.linear_model._ridge.Ridge"


def test_fields_that_were_not_declared_are_there():
    assert dict(known(Model.model_validate({"width": 1, "more": 2})).items) == {"width": 1, "more": 2}


def test_a_field_that_was_never_set_is_left_out():
    value = Data()
    del value.width
    assert "width" not in vars(value)
    assert dict(known(value).items) == {"width": 64}, "the class has a default"


@pytest.mark.parametrize(
    ("value", "items", "type_"),
    [
        ([1, 2], [1, 2], ""),
        ((1, 2), [1, 2], "tuple"),
        (collections.deque([1, 2]), [1, 2], "collections.deque"),
        ({3, 10, 9}, [3, 9, 10], "set"),
        (frozenset("ba"), ["a", "b"], "frozenset"),
        ({None, 1, "a"}, [None, 1, "a"], "set"),
    ],
)
def test_lists(value, items, type_):
    found = known(value)
    assert found.is_list
    assert [each for _, each in found.items] == items
    assert found.type == type_


def test_a_partial_function_has_its_arguments():
    found = known(functools.partial(int, "11", base=2))
    assert dict(found.items) == {"function": int, "arguments": ("11",), "keywords": {"base": 2}}


@pytest.mark.parametrize("value", [object(), Data, iter([1]), memoryview(b"x")])
def test_what_has_no_known_parts(value):
    assert parts(value) is None


class OmegaConf:
    """As the library's class of this name behaves."""

    @staticmethod
    def to_container(value, *, resolve, throw_on_missing):
        assert not throw_on_missing
        if resolve and value.broken:
            raise OmegaConfBaseException
        return {"lr": 0.1 if resolve else "${nowhere}"}


class OmegaConfBaseException(Exception):
    pass


@pytest.mark.parametrize(("broken", "expected"), [(False, 0.1), (True, "${nowhere}")])
def test_references_of_omegaconf_are_resolved_where_they_lead_somewhere(monkeypatch, broken, expected):
    errors = types.SimpleNamespace(OmegaConfBaseException=OmegaConfBaseException)
    library = types.SimpleNamespace(OmegaConf=OmegaConf, errors=errors)
    monkeypatch.setitem(sys.modules, "omegaconf", library)
    value = named("omegaconf.dictconfig", "DictConfig", broken=broken)()
    assert dict(known(value).items) == {"lr": expected}


def test_the_real_omegaconf():
    OmegaConf = pytest.importorskip("omegaconf").OmegaConf
    assert dict(known(OmegaConf.create({"a": 1, "b": "${a}", "c": "???"})).items) == {"a": 1, "b": 1, "c": "???"}
    assert dict(known(OmegaConf.create({"b": "${nowhere}"})).items) == {"b": "${nowhere}"}
