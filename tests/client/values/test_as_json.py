"""Any value as nested JSON: exactly, or as text, a name or a digest; never with an address of memory."""

import math

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from notarium.evidence.json_text import canonical_json
from notarium.values.as_json import HIDDEN, to_json

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (2**53 - 1, 2**53 - 1),
        (2**53, "9007199254740992"),
        (math.inf, "inf"),
        (math.nan, "nan"),
        (0.1, 0.1),
        (-0.0, "-0.0"),
        (2.0**53, "9007199254740992.0"),
        (1e300, 1e300),
        (True, True),
        ((1, 2), [1, 2]),
        ({3, 10, 9}, [3, 9, 10]),
        ({1: None}, {"1": None}),
        ("\ud800", "\\ud800"),
        (complex(1, 2), "(1+2j)"),
        (len, "len"),
        (object(), "object"),
        ({"a": numpy.float32(0.5), "b": numpy.bool_(True)}, {"a": 0.5, "b": True}),
    ],
)
def test_values_that_json_cannot_say_become_text_or_names(value, expected):
    assert to_json(value) == expected


@given(plain)
def test_whatever_it_is_it_has_a_canonical_form_and_stays_as_it_is(value):
    once = to_json(value)
    assert canonical_json(to_json(once)) == canonical_json(once)


def test_an_array_is_there_by_its_digest():
    assert to_json({"x": numpy.zeros(2)})["x"].keys() == {"dtype", "shape", "sha256"}


def test_what_its_class_hides_stays_hidden():
    pydantic = pytest.importorskip("pydantic")
    assert to_json([pydantic.SecretStr("the password of all")]) == [HIDDEN]
