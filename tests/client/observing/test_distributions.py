"""Installed distributions, as Python would import them."""

import hashlib
import importlib.metadata
import json
import sys
import zipfile
from pathlib import Path

import pytest

from notarium.observing.distributions import observe_conda, observe_packages


def install(folder, name, version, **files):
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nName: of the description\n"
    )
    for each, text in files.items():
        (info / each.replace("__", ".")).write_text(text)


def test_the_packages_of_this_python_are_those_that_python_itself_lists():
    found = {each["name"]: each for each in observe_packages([])}
    known = {
        each.metadata["Name"].lower().replace("_", "-").replace(".", "-") for each in importlib.metadata.distributions()
    }
    assert found.keys() == known
    pynacl = importlib.metadata.distribution("pynacl")
    assert found["pynacl"]["version"] == pynacl.version
    record = next(each for each in pynacl.files or () if each.name == "RECORD").locate()
    assert found["pynacl"]["record_sha256"] == hashlib.sha256(Path(str(record)).read_bytes()).hexdigest()


def test_the_first_on_the_path_hides_others(tmp_path):
    install(tmp_path / "a", "Some_Lib", "1.0", RECORD="x,,\r\n")
    install(tmp_path / "b", "some.lib", "2.0")
    [found] = observe_packages([], search=[str(tmp_path / "a"), str(tmp_path / "b"), str(tmp_path / "missing")])
    assert found == {"name": "some-lib", "version": "1.0", "record_sha256": hashlib.sha256(b"x,,\r\n").hexdigest()}


@pytest.mark.parametrize(
    ("said", "origin"),
    [
        (
            {"url": "https://u:p@host/x.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}},
            {"kind": "git", "url": "https://host/x.git", "commit": "abc"},
        ),
        (
            {"url": "https://host/x.whl?token=1", "archive_info": {"hashes": {"sha256": "ab"}}},
            {"kind": "archive", "url": "https://host/x.whl", "hashes": {"sha256": "ab"}},
        ),
        ({"url": "file:///home/person/x.whl", "archive_info": {}}, {"kind": "archive", "hashes": {}}),
        ({"url": "file:///home/person/x", "dir_info": {}}, {"kind": "folder", "editable": False}),
        ({"url": "file:///home/person/x", "dir_info": {"editable": True}}, {"kind": "folder", "editable": True}),
        (["no object"], {"kind": "unreadable"}),
        ({"url": "x", "vcs_info": 3}, {"kind": "unreadable"}),
        ({"url": "https://[x", "vcs_info": {"vcs": "git", "commit_id": "ab"}}, {"kind": "git", "commit": "ab"}),
    ],
)
def test_where_a_package_came_from_without_credentials_and_folders(tmp_path, said, origin):
    install(tmp_path, "lib", "1", direct_url__json=json.dumps(said))
    [found] = observe_packages([], search=[str(tmp_path)])
    assert found["origin"] == origin
    assert "person" not in str(found)


def test_an_editable_package_is_a_gap_unless_its_code_is_recorded(tmp_path):
    said = {"url": (tmp_path / "repo").as_uri(), "dir_info": {"editable": True}}
    install(tmp_path / "site", "lib", "1", direct_url__json=json.dumps(said))
    gaps: list[str] = []
    observe_packages(gaps, tmp_path / "other", [str(tmp_path / "site")])
    assert gaps == ["package lib is installed in editable form: its code is not covered by its RECORD"]
    gaps = []
    observe_packages(gaps, tmp_path / "repo", [str(tmp_path / "site")])
    assert gaps == []


def test_a_damaged_installation_is_left_out_and_an_egg_is_not(tmp_path):
    (tmp_path / "gone-1.dist-info").mkdir()
    (tmp_path / "old-1.egg-info").write_text("Name: old\nVersion: 1\n")
    assert [each["name"] for each in observe_packages([], search=[str(tmp_path)])] == ["old"]


def test_a_zip_file_on_the_path_counts(tmp_path):
    with zipfile.ZipFile(tmp_path / "app.zip", "w") as archive:
        archive.writestr("zipped-3.dist-info/METADATA", "Name: zipped\nVersion: 3\n")
        archive.writestr("zipped-3.dist-info/RECORD", "x,,\n")
    [found] = observe_packages([], search=[str(tmp_path / "app.zip")])
    assert found == {"name": "zipped", "version": "3", "record_sha256": hashlib.sha256(b"x,,\n").hexdigest()}


def test_conda_is_an_explicit_list_without_tokens(tmp_path):
    assert observe_conda(tmp_path) is None
    assert observe_conda() is None or sys.prefix
    folder = tmp_path / "conda-meta"
    folder.mkdir()
    rows = {
        "numpy-2": {"url": "https://host/t/secret/main/numpy-2.conda", "sha256": "ab"},
        "blas-1": {"url": "https://host/main/blas-1.tar.bz2", "md5": "cd"},
        "local-1": {"url": "file:///home/person/local-1.conda", "sha256": "ef"},
    }
    for name, said in rows.items():
        (folder / f"{name}.json").write_text(json.dumps(said))
    (folder / "torn-1.json").write_text("{")
    assert observe_conda(tmp_path) == [
        "@EXPLICIT",
        "# torn-1.json could not be read",
        "https://host/main/blas-1.tar.bz2#cd",
        "https://host/t/<token>/main/numpy-2.conda#sha256:ab",
        "local-1.conda#sha256:ef",
    ]


@pytest.mark.parametrize("content", [b"[" * 3000, b"{", b"3", b'{"url": "https://me:secret@[host/x.conda"}'])
def test_what_conda_or_pip_wrote_and_nobody_can_read_is_said_without_its_secrets(tmp_path, content):
    (tmp_path / "conda-meta").mkdir()
    (tmp_path / "conda-meta" / "x-1.json").write_bytes(content)
    assert observe_conda(tmp_path) == ["@EXPLICIT", "# x-1.json could not be read"]
    install(tmp_path / "site", "lib", "1", direct_url__json=content.decode())
    [found] = observe_packages([], search=[str(tmp_path / "site")])
    assert "secret" not in str(found)
    assert found["origin"]["kind"] in ("unreadable", "folder")
