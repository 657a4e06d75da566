"""The user's own pins: what they hold, and what they refuse."""

from pathlib import Path

import pytest
from tests.support.consortium import Consortium

from notarium.errors import ProjectError
from notarium.pins import add_pin, check_pinned, only_pin, read_pins

TRUE = Consortium(4).genesis
FALSE = Consortium(4, observers=1).genesis
"""With the same names."""


def test_what_was_pinned_is_read_once(tmp_path):
    folder = tmp_path / "pins"
    assert read_pins(folder) == []
    add_pin(folder, TRUE)
    add_pin(folder, TRUE)
    assert [each.hash for each in read_pins(folder)] == [TRUE.hash]


def test_a_pin_that_was_exchanged_is_named(tmp_path):
    path = add_pin(tmp_path, TRUE)
    path.write_bytes(FALSE.encode_json())
    with pytest.raises(ProjectError, match=f"{path} has the hash {FALSE.hash.hex()}"):
        read_pins(tmp_path)


def test_only_a_pinned_ledger_passes_and_without_pins_any_does():
    check_pinned([], FALSE, Path("sub"))
    check_pinned([FALSE, TRUE], TRUE, Path("sub"))
    with pytest.raises(ProjectError, match=f"sub brings the ledger .*{FALSE.hash.hex()}.*{TRUE.hash.hex()}"):
        check_pinned([TRUE], FALSE, Path("sub"))


def test_one_pin_is_chosen_and_several_are_a_question():
    assert only_pin([]) is None
    assert only_pin([TRUE]) is TRUE
    with pytest.raises(ProjectError, match="--genesis FILE or NOTARIUM_GENESIS"):
        only_pin([TRUE, FALSE])
