"""Errors carry their data: field, limit and step, also when a format raises them as its own."""

import pytest
from tests.support.consortium import Consortium, digest, valid_body

from notarium_ledger.entries.entry import decode_entry, encode_body
from notarium_ledger.errors import (
    InvalidBlock,
    InvalidEntry,
    InvalidReceipt,
    LedgerError,
    NotCanonical,
    errors_as,
    join_path,
)
from notarium_ledger.state.chain_state import advance


def test_a_format_raises_the_errors_of_its_parts_as_its_own():
    with pytest.raises(InvalidBlock) as caught, errors_as(InvalidBlock, field="header"):
        raise NotCanonical("too long", "height", limit=7)
    assert (caught.value.reason, caught.value.field, caught.value.limit) == ("too long", "header.height", 7)
    assert str(caught.value) == "header.height: too long"
    assert isinstance(caught.value.__cause__, NotCanonical)


def test_a_numbered_format_adds_its_step():
    with pytest.raises(InvalidReceipt) as caught, errors_as(InvalidReceipt, 5):
        raise LedgerError("does not lead to the root", "path")
    assert (caught.value.step, caught.value.field) == (5, "path")


def test_its_own_errors_and_those_of_others_pass_unchanged():
    own = InvalidReceipt(6, "signature is not valid", "sig")
    with pytest.raises(InvalidReceipt) as caught, errors_as(InvalidReceipt, 1, field="entry"):
        raise own
    assert caught.value is own
    with pytest.raises(ZeroDivisionError), errors_as(InvalidReceipt, 1):
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("left", "right", "joined"),
    [("", "", ""), ("body", "", "body"), ("", "key", "key"), ("body", "refs", "body.refs"), ("refs", "[0]", "refs[0]")],
)
def test_paths_join_as_they_are_read(left, right, joined):
    assert join_path(left, right) == joined


def _too_long_entry() -> None:
    consortium = Consortium(4)
    decode_entry(consortium.entry().raw, 100)


def _too_long_role() -> None:
    encode_body(valid_body("dataset", 1, subjects=[{"digest": digest("data"), "role": "r" * 33}]))


def _a_float() -> None:
    encode_body({"v": 1, "kind": "propose", "action": {"type": "set-parameter", "value": 3.5}})


def _too_many_entries() -> None:
    consortium = Consortium(4, max_block_entries=2)
    advance(consortium.state, consortium.entries(3), 1, consortium.state.registry.validators.validators[0].key)


@pytest.mark.parametrize(
    ("fail", "error_class", "field", "limit"),
    [
        (_too_long_entry, InvalidEntry, "entry", 100),
        (_too_long_role, InvalidEntry, "body.subjects[0].role", 32),
        (_too_many_entries, InvalidBlock, "entries", 2),
        (_a_float, InvalidEntry, "body.action.value", None),
    ],
)
def test_what_is_too_much_says_how_much_is_allowed(fail, error_class, field, limit):
    with pytest.raises(error_class) as caught:
        fail()
    assert (caught.value.field, caught.value.limit) == (field, limit)
