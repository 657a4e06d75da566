"""The user's own pins: what they hold, and what they refuse."""

from pathlib import Path

import pytest
from tests.support.consortium import Consortium

from notarium.errors import ProjectError
from notarium.pins import add_pin, check_nodes, check_pinned, founders, only_pin, pinned_nodes, read_pins

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


def test_nodes_are_pinned_besides_those_of_the_genesis(tmp_path):
    add_pin(tmp_path, TRUE)
    before = pinned_nodes(tmp_path, TRUE)
    assert before == founders(TRUE)
    add_pin(tmp_path, TRUE, ["https://new.example:1/", "https://new.example:1", *before])
    add_pin(tmp_path, TRUE, ["http://localhost:2"])
    add_pin(tmp_path, TRUE)
    assert pinned_nodes(tmp_path, TRUE) == (*before, "https://new.example:1", "http://localhost:2")
    assert pinned_nodes(tmp_path, FALSE) == founders(FALSE), "of another ledger"
    check_nodes(tmp_path, TRUE, ["http://localhost:2", *before], Path("sub"))
    with pytest.raises(ProjectError, match=r"sub names the node https://evil\.example, .*notarium pin FILE --node"):
        check_nodes(tmp_path, TRUE, ["http://localhost:2", "https://evil.example"], Path("sub"))


@pytest.mark.parametrize("content", [b"ftp://x\n", b"\xff", b"http://x\n" * 10_000])
def test_a_damaged_list_of_nodes_is_named(tmp_path, content):
    add_pin(tmp_path, TRUE, ["http://localhost:2"])
    [path] = tmp_path.glob("*.nodes")
    path.write_bytes(content)
    with pytest.raises(ProjectError, match=f"{path} cannot be used"):
        pinned_nodes(tmp_path, TRUE)


def test_one_pin_is_chosen_and_several_are_a_question():
    assert only_pin([]) is None
    assert only_pin([TRUE]) is TRUE
    with pytest.raises(ProjectError, match="--genesis FILE or NOTARIUM_GENESIS"):
        only_pin([TRUE, FALSE])
