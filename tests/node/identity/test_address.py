"""HOST:PORT."""

import pytest

from notarium_node.identity.address import split_address


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a.example:1", ("a.example", 1)), ("[::1]:65535", ("::1", 65535)), ("10.0.0.1:80", ("10.0.0.1", 80))],
)
def test_addresses(text, expected):
    assert split_address(text) == expected


@pytest.mark.parametrize(
    "text", ["", ":1", "a", "a:", "a:0", "a:65536", "a:-1", "a:x", "::1:70", "a/b:1", "u@a:1", "a:²"]
)
def test_what_is_not_an_address_is_refused(text):
    with pytest.raises(ValueError, match="HOST:PORT"):
        split_address(text)
