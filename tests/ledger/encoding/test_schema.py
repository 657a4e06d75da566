"""Checkers accept what their schema says and name the path and the limit of anything else."""

import pytest

from notarium_ledger.encoding import schema
from notarium_ledger.errors import InvalidEntry

NAME = schema.text(4)
CODE = schema.text(4, "[a-z]+")
PERSON = schema.record({"name": NAME}, {"tags": schema.list_of(CODE, 2)})
SHAPE = schema.variant(
    "type",
    {
        "dot": schema.record({"type": schema.one_of("dot")}),
        "line": schema.record({"length": schema.integer(1, 9), "type": schema.one_of("line")}),
    },
)


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (NAME, "äöü€"),
        (CODE, "abcd"),
        (schema.blob(2), b"ab"),
        (schema.blob(1, 2), b"a"),
        (schema.integer(-1, 1), -1),
        (schema.boolean, False),
        (schema.one_of("a", 1), 1),
        (PERSON, {"name": "n"}),
        (PERSON, {"name": "n", "tags": ["a", "b"]}),
        (SHAPE, {"type": "dot"}),
        (SHAPE, {"length": 9, "type": "line"}),
    ],
)
def test_what_the_schema_says_passes(check, value):
    check(value)


@pytest.mark.parametrize(
    ("check", "value", "error", "limit"),
    [
        (NAME, "", "0 characters, 1 to 4 allowed", 4),
        (NAME, "abcde", "5 characters, 1 to 4 allowed", 4),
        (NAME, b"a", "not a string", None),
        (CODE, "ABC", "does not match [a-z]+", None),
        (schema.blob(2), b"a", "1 bytes, 2 allowed", 2),
        (schema.blob(1, 2), b"abc", "3 bytes, 1 to 2 allowed", 2),
        (schema.blob(1), "a", "not bytes", None),
        (schema.integer(0, 1), 2, "2 is not from 0 to 1", 1),
        (schema.integer(2, 3, of="pace"), 1, "1 is not from 2 to 3, the limits of pace", 3),
        (schema.integer(0, 1), True, "not an integer", None),
        (schema.boolean, 1, "not a boolean", None),
        (schema.one_of("a", 1), True, "not one of a, 1", None),
        (PERSON, [], "not a map", None),
        (PERSON, {}, "name: is missing", None),
        (PERSON, {"name": "n", "other": 1}, "other: unknown field; known: name, tags", None),
        (PERSON, {"tags": ["a"], "name": "n"}, "name: map keys are not in ascending order", None),
        (PERSON, {"name": "n", "tags": []}, "tags: 0 items, 1 to 2 allowed", 2),
        (PERSON, {"name": "n", "tags": ["a", "abcde"]}, "tags[1]: 5 characters, 1 to 4 allowed", 4),
        (SHAPE, {"type": "cube"}, "type: not one of dot, line", None),
        (SHAPE, {"type": ["dot"]}, "type: not one of dot, line", None),
        (SHAPE, {"length": 10, "type": "line"}, "length: 10 is not from 1 to 9", 9),
    ],
)
def test_anything_else_is_named_by_path_and_limit(check, value, error, limit):
    with pytest.raises(InvalidEntry) as caught:
        check(value)
    assert (str(caught.value), caught.value.limit) == (error, limit)


@pytest.mark.parametrize(
    "bad", ["\0", "\n", "\x1f", "\x7f", "\x80", "\x9b", "\x9f", "\u061c", "\u200e", "\u2028", "\u202e", "\u2069"]
)
def test_a_forbidden_character_is_named_by_its_code_point(bad):
    with pytest.raises(InvalidEntry, match=rf"^name: contains U\+{ord(bad):04X}; remove it"):
        PERSON({"name": f"a{bad}b"})


def test_the_neighbours_of_forbidden_characters_pass():
    for good in "\x20", "\x7e", "\xa0", "\u061b", "\u200d", "\u2010", "\u2027", "\u202f", "\u2065", "\u206a":
        NAME(good)


def test_the_list_of_known_fields_is_bounded():
    many = schema.record({f"field{number:03}": NAME for number in range(500)})
    with pytest.raises(InvalidEntry) as caught:
        many({"other": 1})
    assert len(caught.value.reason) < schema.MAX_KNOWN_CHARS + 40
