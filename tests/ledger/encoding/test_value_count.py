"""The count of values is that of what a decoder would build, whatever form the heads have."""

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from notarium_ledger.encoding.value_count import check_value_count
from notarium_ledger.errors import NotCanonical

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
    | st.binary(max_size=300)
    | st.builds(msgpack.ExtType, st.integers(0, 127), st.binary(max_size=20))
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=40) | st.dictionaries(st.text(max_size=4), inner, max_size=20)
)


def count(value) -> int:
    if isinstance(value, dict):
        return 1 + sum(1 + count(each) for each in value.values())
    return 1 + (sum(map(count, value)) if isinstance(value, list) else 0)


@given(values)
def test_a_value_passes_at_its_count_and_fails_below(value):
    try:
        data = msgpack.packb(value)
    except UnicodeEncodeError:
        return
    number = count(value)
    check_value_count(data, number)
    if number > 1:
        with pytest.raises(NotCanonical) as caught:
            check_value_count(data, number - 1)
        assert caught.value.limit == number - 1


@pytest.mark.parametrize(
    "data",
    [b"", b"\x91", b"\xdd\xff\xff\xff\xff", b"\xdf\x00\x00\x00\x02\xa0", b"\x92\xc4"],
)
def test_heads_that_promise_more_than_there_is_are_refused(data):
    with pytest.raises(NotCanonical):
        check_value_count(data, 2**40)
