"""Paths: each has one meaning."""

from enum import Enum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notarium.values.paths import below


class Color(Enum):
    RED = 1


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("width", "m.width"),
        ("train/loss", "m.train/loss"),
        ("größe", "m.größe"),
        ("a.b", 'm["a.b"]'),
        ("a b", 'm["a b"]'),
        ("", 'm[""]'),
        ("[0]", 'm["[0]"]'),
        ('"', 'm["\\""]'),
        ("1", "m.1"),
        (1, "m[1]"),
        (0.5, "m[0.5]"),
        (True, "m[true]"),
        (None, "m[null]"),
        ((1, "a"), 'm[[1, "a"]]'),
        (Color.RED, f"m[{__name__}.Color.RED]"),
        ("\udcff", 'm["\\udcff"]'),
    ],
)
def test_paths(key, path):
    assert below("m", key) == path


KEYS = st.text(max_size=5) | st.integers() | st.booleans() | st.none()


@given(st.lists(KEYS, max_size=3), st.lists(KEYS, max_size=3))
def test_different_keys_have_different_paths(first, second):
    def path(keys):
        result = "m"
        for key in keys:
            result = below(result, key)
        return result

    same = [(type(each), each) for each in first] == [(type(each), each) for each in second]
    assert (path(first) == path(second)) == same
