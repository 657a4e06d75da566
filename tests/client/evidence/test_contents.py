"""Contents of an artifact: digests by algorithm, of which SHA-256 is computed and the others are vouched for."""

import hashlib
from typing import Any

import pytest
import rfc8785

from notarium.evidence.contents import Contents, Item, gaps_of
from notarium.evidence.links import Leads, SymbolicLink

ITEMS = (Item("a", 1, "cd" * 32), Item("b", 1, "cd" * 32, SymbolicLink("a")))


def test_a_file_has_one_item_and_its_own_digest():
    content = Contents.of_file(3, "ab" * 32)
    assert (content.is_folder, content.size, content.sha256) == (False, 3, "ab" * 32)
    assert content.items == (Item("", 3, "ab" * 32),)
    assert content.to_json() == {"type": "file", "size": 3, "sha256": "ab" * 32}


def test_the_digest_of_a_folder_is_that_of_its_items():
    content = Contents.of_folder(ITEMS)
    files: list[Any] = [
        {"path": "a", "size": 1, "sha256": "cd" * 32},
        {"path": "b", "symlink": "a", "size": 1, "sha256": "cd" * 32},
    ]
    assert content.sha256 == hashlib.sha256(rfc8785.dumps(files)).hexdigest()
    assert content.to_json() == {"type": "folder", "size": 2, "sha256": content.sha256, "files": files}


def test_every_item_reads_back():
    items = [
        Item("a", 1, "cd" * 32),
        Item("b", 1, "cd" * 32, SymbolicLink("a")),
        Item("c", link=SymbolicLink("a", at="a")),
        Item("d", link=SymbolicLink(None, leads=Leads.OUTSIDE)),
        Item("e", 7, unread="is not readable by this user"),
        Item("f", is_folder=True),
    ]
    assert [Item.from_json(item.to_json()) for item in items] == items
    assert [(item.is_link, item.link_target) for item in items[1:4]] == [(True, "a"), (True, "a"), (True, None)]
    assert Contents.of_folder(items).files == 2, "a link whose content is not recorded is no file"


def test_what_is_not_recorded_is_a_gap_that_names_the_file():
    content = Contents.of_folder(
        [
            Item("A.csv", 1, "cd" * 32),
            Item("a.csv", 1, "cd" * 32),
            Item("b", link=SymbolicLink("../x", leads=Leads.OUTSIDE)),
            Item("c", link=SymbolicLink("x", leads=Leads.NOWHERE)),
            Item("d", 7, unread="is not readable by this user"),
        ]
    )
    unread, outside, nowhere, alike = gaps_of(content)
    assert unread == "d is not recorded: is not readable by this user"
    assert "link b leads out of the artifact" in outside
    assert nowhere == "the link c leads nowhere"
    assert alike.startswith("A.csv and a.csv differ in case")
    assert gaps_of(Contents.of_file(1, "cd" * 32)) == []


@pytest.mark.parametrize(
    "make", [lambda more: Contents.of_file(3, "ab" * 32, more), lambda more: Contents.of_folder(ITEMS, more)]
)
def test_other_digests_stand_beside_sha256_and_change_nothing_about_the_bytes(make):
    plain, managed = make(None), make({"md5": "11" * 16})
    assert managed.digests == {"sha256": plain.sha256, "md5": "11" * 16}
    assert managed.vouched == {"md5": "11" * 16}
    assert managed.to_json() == {**plain.to_json(), "digests": {"md5": "11" * 16}}
    assert managed.has_same_bytes(plain)
    assert managed != plain
    with pytest.raises(ValueError, match="sha256"):
        make({"sha256": "00" * 32})


def test_a_file_never_has_the_same_bytes_as_a_folder():
    folder = Contents.of_folder(ITEMS)
    assert not Contents.of_file(1, folder.sha256).has_same_bytes(folder)
