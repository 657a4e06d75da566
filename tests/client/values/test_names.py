"""Names of classes and functions: as one would import them, and the same in each process."""

import functools

import numpy
import pytest

from notarium.values.names import class_name, is_a, is_named, names_of, qualified_name


class Model:
    def fit(self):
        """Nothing."""


class Deep(Model):
    """One that inherits."""


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (Model, f"{__name__}.Model"),
        (Model.fit, f"{__name__}.Model.fit"),
        (Model().fit, f"{__name__}.Model.fit"),
        (len, "len"),
        (numpy.log, "numpy.log"),
        (numpy.mean, "numpy.mean"),
        ([].append, "list.append"),
        (int, "int"),
    ],
)
def test_names(value, name):
    assert is_named(value)
    assert qualified_name(value) == name


@pytest.mark.parametrize("value", [Model(), functools.partial(int), 1, "int", None])
def test_what_has_no_name_of_its_own(value):
    assert not is_named(value)


def test_a_class_is_known_by_what_it_inherits_from():
    assert class_name(Deep) == f"{__name__}.Deep"
    assert names_of(Deep()) == {f"{__name__}.Deep", f"{__name__}.Model", "object"}
    assert is_a(Deep(), "other.Model", f"{__name__}.Model")
    assert not is_a(Deep(), "other.Model")
