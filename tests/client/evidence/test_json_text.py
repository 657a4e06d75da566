"""The two forms of a record's JSON."""

import json

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from notarium.evidence.json_text import canonical_json, readable_json


def test_the_canonical_form_is_that_of_rfc_8785():
    """The example of its section 3.2.2, with the numbers of 3.2.2.3."""
    value = {"numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 1e-27], "string": '\u20ac$\u000f\nA\'B"\\\\"/'}
    assert canonical_json({**value, "literals": [None, True, False]}) == (
        b'{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        b'"string":"\xe2\x82\xac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )


@pytest.mark.parametrize("value", [2**53, float("nan"), "\ud800"])
def test_what_has_no_canonical_form_is_refused(value):
    with pytest.raises(ValueError, match=r".+"):
        canonical_json(value)


def test_the_readable_form_has_one_field_a_line():
    value = {"a": 1, "b": ["é"]}
    assert readable_json(value).decode() == '{\n "a": 1,\n "b": [\n  "é"\n ]\n}\n'
    assert json.loads(readable_json(value)) == value


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)  # fmt: skip


@given(_JSON)
def test_the_fast_way_and_the_reference_give_the_same_bytes(value):
    try:
        expected = rfc8785.dumps(value)
    except ValueError:
        with pytest.raises(ValueError, match=r".*"):
            canonical_json(value)
    else:
        assert canonical_json(value) == expected
