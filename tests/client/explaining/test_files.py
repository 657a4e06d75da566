"""Which files of two records differ, whatever they are called."""

import hashlib

import pytest

from notarium.evidence.artifact import Artifact
from notarium.evidence.contents import Contents, Item
from notarium.evidence.links import SymbolicLink
from notarium.explaining.files import file_differences, pairs_of


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


def file(name, text, role="input"):
    return Artifact(name, role, Contents.of_file(len(text), sha(text)))


def folder(name, role="input", **files):
    items = [Item(path, len(text), sha(text)) for path, text in sorted(files.items())]
    return Artifact(name, role, Contents.of_folder(items))


def nothing(artifact, item):
    return None


def found(before, after, old=nothing, new=nothing):
    return [(each.name, each.before, each.after, each.note) for each in file_differences(before, after, old, new)]


def text(content):
    return f"{len(content)} bytes, sha256 {sha(content)[:12]}…"


def test_the_same_files_differ_in_nothing():
    files = [file("a", "x"), folder("d", a="1", b="2"), file("m", "y", "output")]
    assert found(files, files[::-1]) == []


def test_changed_come_and_gone():
    assert found([file("a", "x"), file("b", "y")], [file("a", "z"), file("c", "1", "config")]) == [
        ("input a", text("x"), text("z"), ""),
        ("input b", text("y"), None, ""),
        ("config c", None, text("1"), ""),
    ]


@pytest.mark.parametrize(
    ("after", "note"),
    [(file("b", "x"), "same content by another name"), (file("b", "y"), "another name, and other content")],
)
def test_a_file_of_another_name_stands_for_the_only_one_of_its_role(after, note):
    assert found([file("a", "x")], [after])[0] == ("input a", "a", "b", note)


def test_a_folder_is_compared_by_its_files():
    """Partitions of a data set."""
    before = folder("d", p1="1", p2="2", p3="3", p4="4")
    after = folder("d", p1="1", p2="other", p5="3", p6="6")
    assert found([before], [after]) == [
        ("input d/p2", text("2"), text("other"), ""),
        ("input d/p3", "p3", "p5", "same content by another name"),
        ("input d/p4", text("4"), None, ""),
        ("input d/p6", None, text("6"), ""),
    ]


def test_a_link_has_a_target():
    links = [
        Artifact("d", "input", Contents.of_folder([Item("l", link=SymbolicLink(target))])) for target in ("a", "b")
    ]
    assert found(links[:1], links[1:]) == [("input d/l", "symlink a", "symlink b", "")]


def test_where_content_is_at_hand_its_lines_are_compared():
    before, after = file("c.yaml", "lr: 1\n", "config"), file("c.yaml", "lr: 2\n", "config")
    rows = found([before], [after], lambda *_: b"lr: 1\n", lambda *_: b"lr: 2\n")
    assert rows[1] == ("c.yaml line 1", "lr: 1", "lr: 2", "")


def test_a_file_that_became_a_folder():
    assert found([file("d", "x")], [folder("d", a="1")])[0][2].startswith("folder of 1 files, ")


def test_artifacts_are_paired_once_each_whatever_they_share():
    """By role and name, by content, by the last part of the name, by role: each takes the first that is left."""
    before = [file("a", "1"), file("a", "2"), file("d/b", "3"), file("c", "4", "output")]
    after = [file("x", "2"), file("a", "9"), file("e/b", "5"), file("z", "6", "output")]
    pairs = [(pair.before and pair.before.name, pair.after and pair.after.name) for pair in pairs_of(before, after)]
    assert pairs == [("a", "a"), ("a", "x"), ("d/b", "e/b"), ("c", "z")]
    assert [pair.after for pair in pairs_of(before, before)] == before
    assert [(pair.before, pair.after) for pair in pairs_of(before[:1], [])] == [(before[0], None)]
