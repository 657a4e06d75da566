"""Values on the command line: numbers are numbers in the record, and the ledger holds no fractions."""

import pytest

from notarium.cli.options import parse_fields, parse_refs, parse_values
from notarium.errors import ProjectError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3), ("-3", -3), ("0.1", 0.1), ("-2.5", -2.5), ("1e-3", 0.001), ("1.0", 1.0), ("2.5e-05", 0.000025),
        ("1E5", 100000.0), (".5", 0.5),
        ("true", True), ("false", False), ("True", "True"), ("", ""), ("nan", "nan"), ("inf", "inf"),
        ("1e999", "1e999"), ("1.10", "1.10"), ("1234e56", "1234e56"), ("12e5", "12e5"), ("5.", "5."),
        ("1.2.3", "1.2.3"), ("0x10", "0x10"), ("1_000", "1_000"), ("٣", "٣"), ("a=b", "a=b"),
        ("12345678901234567890", "12345678901234567890"), ("-", "-"), (".", "."),
    ],
)  # fmt: skip
def test_a_parameter_is_the_number_that_it_looks_like(text, value):
    read = parse_values([f"x={text}"], "--param")["x"]
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(("text", "value"), [("3", 3), ("0.1", "0.1"), ("1e-3", "1e-3"), ("true", "true")])
def test_a_field_of_the_commitment_is_an_integer_or_text(text, value):
    read = parse_fields([f"x={text}"], "--set")["x"]
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize("text", ["x", "=3", ""])
def test_what_is_not_a_pair_is_refused_with_its_option(text):
    for parse in (parse_values, parse_fields):
        with pytest.raises(ProjectError, match=r"--what .*expected NAME=VALUE"):
            parse([text], "--what")


def test_references():
    assert parse_refs(["derivedFrom=a=b"]) == [("derivedFrom", "a=b")]
    for text in ("derivedFrom", "derivedFrom=", "madeBy=x"):
        with pytest.raises(ProjectError, match="expected REL=TARGET"):
            parse_refs([text])
