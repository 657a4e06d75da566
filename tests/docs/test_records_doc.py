"""docs/records.md: its tables have exactly the fields of the schema, and its limits are those of the code."""

import re
from pathlib import Path

import pytest
from tests.support.records import SCHEMA

from notarium.anchoring.inputs import AT_ONCE_BYTES, AT_ONCE_FILES
from notarium.observing.variables import ALLOWED
from notarium.values.flatten import MAX_ITEMS, MAX_VALUES
from notarium.values.series import SHORT

PAGE = (Path(__file__).parents[2] / "docs" / "records.md").read_text(encoding="utf-8")
TABLES = dict(re.findall(r"<!-- fields: (\w+) -->\n\n((?:\|.*\n)+)", PAGE))
COLUMNS = "| field | type and unit | comes from | vouches for | and not for |"

OBJECTS = {"file": SCHEMA, **{name: each for name, each in SCHEMA["$defs"].items() if "properties" in each}}


def named(schema):
    """The objects that a field holds: itself, or each of a list or mapping."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        return [name] if name in OBJECTS else named(SCHEMA["$defs"][name])
    inside = [schema[each] for each in ("items", "additionalProperties", "then") if isinstance(schema.get(each), dict)]
    return [name for each in (*inside, *schema.get("anyOf", ())) for name in named(each)]


def fields(name):
    """The fields of an object by their paths, as far as the objects inside have no table of their own."""
    for field, said in OBJECTS[name]["properties"].items():
        yield field
        for inside in named(said):
            if inside not in TABLES:
                yield from (f"{field}.{each}" for each in fields(inside))


def rows(name):
    head, _, *lines = TABLES[name].strip().split("\n")
    assert head == COLUMNS
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))] for line in lines]


@pytest.mark.parametrize("name", TABLES)
def test_a_table_has_each_field_of_the_schema_and_no_other(name):
    of_page = [field for row in rows(name) for field in re.findall(r"`([^`]+)`", row[0])]
    assert sorted(of_page) == sorted(set(fields(name)))


def reached(name, seen):
    if name not in seen:
        seen.add(name)
        for said in OBJECTS[name]["properties"].values():
            for inside in named(said):
                reached(inside, seen)
    return seen


def test_no_object_of_the_schema_is_left_out():
    seen = set[str]()
    for name in TABLES:
        reached(name, seen)
    assert seen == set(OBJECTS)


@pytest.mark.parametrize("name", TABLES)
def test_each_row_says_where_a_field_comes_from_and_what_it_vouches_for(name):
    for row in rows(name):
        assert len(row) == 5, row
        assert all(row), row


def test_the_limits_are_those_of_the_code():
    page = " ".join(PAGE.split())
    assert f"up to {AT_ONCE_BYTES // 1024**2} MiB and {AT_ONCE_FILES:,} files at once" in page
    assert f"more than {MAX_VALUES:,} values" in page
    assert f"more than {MAX_ITEMS:,} items" in page
    assert f"at most {SHORT} points" in page


def test_the_variables_are_those_of_the_code():
    [listed] = re.findall(r"These environment variables are recorded:\n\n(.*?)\n\n", PAGE, re.DOTALL)
    assert set(re.findall(r"`(\w+)`", listed)) == set(ALLOWED)
