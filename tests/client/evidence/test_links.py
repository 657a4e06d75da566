"""What is behind a link counts, where it belongs to the artifact or its project."""

import os

import pytest

from notarium.errors import InvalidRecordFile
from notarium.evidence.contents import Item, gaps_of
from notarium.evidence.inventory import Selection, hash_path
from notarium.evidence.links import Boundary, Leads, SymbolicLink, is_below


def items_of(path, **selection):
    return {item.path: item for item in hash_path(path, Selection(**selection)).items}


@pytest.mark.parametrize(
    "link",
    [
        SymbolicLink("a"),
        SymbolicLink(None, leads=Leads.OUTSIDE),
        SymbolicLink("x", at="y"),
        SymbolicLink("gone", leads=Leads.NOWHERE),
    ],
)
def test_a_link_reads_back(link):
    assert SymbolicLink.from_json(link.to_json()) == link


@pytest.mark.parametrize(
    "value",
    [{"symlink": 1}, {"symlink": "a", "at": 2}, {"symlink": "a", "at": "b", "leads": "outside"}]
    + [{"symlink": "a", "at": at} for at in ("", "/etc", "../x", "a/../../x", "a\0")],
)
def test_other_links_are_refused(value):
    with pytest.raises(InvalidRecordFile):
        SymbolicLink.from_json(value)
    with pytest.raises(ValueError, match="elsewhere"):
        SymbolicLink.from_json({"symlink": "a", "leads": "elsewhere"})


def test_below_means_whole_names():
    assert is_below("/a/b", "/a")
    assert is_below("/a", "/")
    assert not is_below("/ab", "/a")


def test_the_cache_of_hugging_face(tmp_path):
    repository = tmp_path / "hub" / "models--org--name"
    snapshot = repository / "snapshots" / "abc"
    (repository / "blobs").mkdir(parents=True)
    snapshot.mkdir(parents=True)
    (repository / "blobs" / "123").write_text("weights")
    (snapshot / "model.safetensors").symlink_to("../../blobs/123")
    [item] = items_of(snapshot).values()
    assert (item.size, item.has_content, item.link) == (7, True, SymbolicLink("../../blobs/123"))
    (repository / "blobs" / "123").write_text("tampered")
    assert items_of(snapshot)["model.safetensors"].sha256 != item.sha256


def test_git_annex_whose_objects_are_left_out_by_their_name(tmp_path):
    repository = tmp_path / "repository"
    objects = repository / ".git" / "annex" / "objects"
    objects.mkdir(parents=True)
    (objects / "SHA256E-s3--x").write_text("abc")
    (repository / "sub").mkdir()
    (repository / "sub" / "scan.nii").symlink_to("../.git/annex/objects/SHA256E-s3--x")
    (repository / "not-here.nii").symlink_to(".git/annex/objects/SHA256E-s9--y")
    for root, name in ((repository, "sub/scan.nii"), (repository / "sub", "scan.nii")):
        item = items_of(root)[name]
        assert (item.size, item.has_content) == (3, True)
    content = hash_path(repository)
    assert gaps_of(content) == ["the link not-here.nii leads nowhere"]
    assert content.files == 1


def test_a_folder_in_the_cache_of_dvc(tmp_path):
    repository = tmp_path / "repository"
    cached = repository / ".dvc" / "cache" / "files" / "md5" / "12"
    cached.mkdir(parents=True)
    (cached / "a.csv").write_text("a")
    (repository / "data").mkdir()
    (repository / "data" / "part").symlink_to(cached)  # DVC writes absolute targets.
    found = items_of(repository / "data")
    assert found["part"].link == SymbolicLink(None, at="part"), (
        "an absolute target says how the author's disk is organised"
    )
    assert found["part/a.csv"].has_content


def test_what_is_outside_is_a_gap_until_it_is_to_be_followed(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x.csv").write_text("x")
    root = tmp_path / "artifact"
    root.mkdir()
    (root / "file").symlink_to(tmp_path / "elsewhere" / "x.csv")
    (root / "folder").symlink_to("../elsewhere")
    content = hash_path(root)
    assert content.items == (
        Item("file", link=SymbolicLink(None, leads=Leads.OUTSIDE)),
        Item("folder", link=SymbolicLink("../elsewhere", leads=Leads.OUTSIDE)),
    )
    assert [each.split(" leads ")[0] for each in gaps_of(content)] == ["the link file", "the link folder"]
    assert str(tmp_path) not in str(content.to_json())
    followed = items_of(root, follow=True)
    assert [path for path, item in followed.items() if item.has_content] == ["file", "folder/x.csv"]
    assert gaps_of(hash_path(root, Selection(follow=True))) == []


def test_loops_end_and_each_folder_is_listed_once(tmp_path):
    root = tmp_path / "artifact"
    (root / "sub").mkdir(parents=True)
    (root / "sub" / "x").write_text("x")
    (root / "sub" / "up").symlink_to("..")
    (root / "self").symlink_to("self")
    (root / "a").symlink_to("sub")
    found = items_of(root)
    assert {path: item.link and item.link.at for path, item in found.items()} == {
        "a": "sub", "self": None, "sub/up": ".", "sub/x": None,
    }  # fmt: skip
    assert found["self"].link == SymbolicLink("self", leads=Leads.NOWHERE)


def test_a_maze_of_links_has_an_end(tmp_path):
    outside = tmp_path / "outside"
    for number in range(12):
        (outside / str(number)).mkdir(parents=True)
        (outside / str(number) / "file").write_text(str(number))
        for name in "abc":
            os.symlink(f"../{(number + 1) % 12}", outside / str(number) / name)
    root = tmp_path / "artifact"
    root.mkdir()
    (root / "in").symlink_to(outside / "0")
    content = hash_path(root, Selection(follow=True))
    assert content.files == 12, "three ways from each of twelve folders to the next are 3¹² paths"
    assert content == hash_path(root, Selection(follow=True))


def test_a_link_to_what_is_left_out_has_its_content_recorded(tmp_path):
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "x").write_text("x")
    (tmp_path / "link").symlink_to("__pycache__/x")
    assert items_of(tmp_path)["link"].has_content


def test_the_boundary_is_around_the_innermost_project_of_each_kind(tmp_path):
    for mark in (".notarium", "a/.git", "a/b/.git"):
        (tmp_path / mark).mkdir(parents=True)
    around = Boundary.around(tmp_path / "a" / "b" / "data")
    assert around.roots == (str(tmp_path / "a/b/data"), str(tmp_path / "a/b"), str(tmp_path))
    assert around.holds(str(tmp_path / "x"))
    assert not around.holds(str(tmp_path.parent))
