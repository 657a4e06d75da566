"""An artifact is what it was when its inventory was taken, or it is not recorded."""

import os
import socket

import pytest

from notarium.errors import UnreadableArtifact
from notarium.evidence.contents import Item
from notarium.evidence.inventory import Inventory


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "data"
    root.mkdir()
    (root / "a").write_text("a")
    (root / "b").write_text("b")
    return root


def test_a_file_that_changes_before_it_is_read_is_never_recorded_with_its_later_content(folder):
    taken = Inventory.take(folder / "a")
    (folder / "a").write_text("longer")
    with pytest.raises(UnreadableArtifact, match="a: changed after it was named and before it was hashed"):
        taken.contents()
    with pytest.raises(UnreadableArtifact):
        taken.contents(is_lenient=True)


def test_in_a_folder_it_is_one_gap_and_the_others_are_recorded(folder):
    taken = Inventory.take(folder)
    (folder / "a").write_text("longer")
    (folder / "c").write_text("new")
    with pytest.raises(UnreadableArtifact):
        taken.contents()
    first, second = taken.contents(is_lenient=True).items
    assert first == Item("a", 1, unread="changed after it was named and before it was hashed")
    assert (second.path, second.has_content) == ("b", True)


def test_a_file_replaced_by_one_of_the_same_size_and_times_is_another(folder):
    taken = Inventory.take(folder / "a")
    status = (folder / "a").stat()
    (folder / "x").write_text("x")
    os.utime(folder / "x", ns=(status.st_atime_ns, status.st_mtime_ns))
    os.replace(folder / "x", folder / "a")
    with pytest.raises(UnreadableArtifact, match="changed after it was named"):
        taken.contents()


def test_what_is_no_file_is_refused_or_named(folder):
    os.mkfifo(folder / "pipe")
    with pytest.raises(UnreadableArtifact, match="pipe: neither a regular file nor a folder"):
        Inventory.take(folder).contents()
    unread = {item.path: item.unread for item in Inventory.take(folder).contents(is_lenient=True).items if item.unread}
    assert unread == {"pipe": "neither a regular file nor a folder; leave it out"}
    with pytest.raises(UnreadableArtifact, match="neither a regular file"):
        Inventory.take(folder / "pipe")


def test_a_socket_behind_a_link_is_no_file_either(folder, monkeypatch):
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("s")
        (folder / "link").symlink_to("s")
        found = Inventory.take(folder).contents(is_lenient=True)
    assert {item.path for item in found.items if item.unread} == {"s"}


def test_names_that_look_alike_are_both_recorded(folder):
    names = ["caf\u00e9", "cafe\u0301", "A", "tab\there", "line\nfeed", 'quote"']
    for name in names:
        (folder / name).write_text(name)
    found = {item.path: item.size for item in Inventory.take(folder).contents().items}
    assert found == {"a": 1, "b": 1, **{name: len(name.encode()) for name in names}}


def test_digests_that_are_known_are_not_read(folder, monkeypatch):
    taken = Inventory.take(folder)
    before = {item.path: item.sha256 for item in taken.contents().items}
    assert (taken.size, set(taken.states)) == (2, {"a", "b"})
    monkeypatch.setattr("notarium.evidence.hashing.open_regular", lambda path: pytest.fail(f"{path} is read"))
    assert {item.path: item.sha256 for item in taken.contents(known=before).items} == before
