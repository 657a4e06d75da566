"""Zips of strangers: what comes out stays inside, within bounds, and what is left out is reported."""

import stat
import struct
import zipfile
import zlib

import pytest

from notarium.errors import ProjectError
from notarium.submissions import archive as room
from notarium.submissions.archive import MAX_DEPTH, unpacked


def packed(place, members, **options):
    """A zip with these (name or ZipInfo, content) members."""
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED, **options) as made:
        for name, content in members:
            made.writestr(name, content)
    return place


def unpack(place):
    """Names of what came out, and of what was left out with the reason."""
    with unpacked(place) as content:
        files = {path.relative_to(content.folder).as_posix(): path for path in content.folder.rglob("*")}
        inside = {name: path.read_bytes() for name, path in files.items() if path.is_file()}
        folder = content.folder
    assert not folder.exists()
    return inside, dict(content.left_out)


def special(name, mode):
    member = zipfile.ZipInfo(name)
    member.create_system = 3
    member.external_attr = mode << 16
    return member


def test_files_and_folders_come_out(tmp_path):
    place = packed(tmp_path / "a.zip", [("a/b.csv", b"x"), ("empty/", b""), ("é.txt", b"y")])
    assert unpack(place) == ({"a/b.csv": b"x", "é.txt": b"y"}, {})


@pytest.mark.parametrize("name", ["../out", "a/../../out", "/etc/out", "a//b", "./a", "a\\..\\out", "C:\\out"])
def test_no_name_leads_out(tmp_path, name):
    place = packed(tmp_path / "a.zip", [(name, b"x"), ("good", b"y")])
    inside, left_out = unpack(place)
    assert inside == {"good": b"y"}
    assert [*left_out.values()] == ["its name leads out of the archive, or is no plain path"]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_neither_links_nor_devices_come_out(tmp_path, mode):
    place = packed(tmp_path / "a.zip", [(special("link", mode | 0o777), b"/etc/passwd"), ("link/inside", b"x")])
    inside, left_out = unpack(place)
    assert inside == {"link/inside": b"x"}
    assert left_out == {"link": "neither a file nor a folder; links are not unpacked"}


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_of_two_members_with_one_name_none_replaces_the_other(tmp_path):
    place = packed(tmp_path / "a.zip", [("a", b"first"), ("a", b"second"), ("a/b", b"below a file")])
    inside, left_out = unpack(place)
    assert inside == {"a": b"first"}
    assert left_out.keys() == {"a", "a/b"}


@pytest.mark.parametrize("name", ["n" * 256, "/".join(["n" * 200] * 6)])
def test_a_name_has_a_length(tmp_path, name):
    assert "too long" in unpack(packed(tmp_path / "a.zip", [(name, b"x")]))[1][name]


def test_what_is_encrypted_or_damaged_is_left_out(tmp_path):
    place = packed(tmp_path / "a.zip", [("secret", b"x" * 100), ("damaged", b"y" * 100), ("good", b"z")])
    data = bytearray(place.read_bytes())
    with zipfile.ZipFile(place) as made:
        secret, damaged = made.getinfo("secret"), made.getinfo("damaged")
    at = data.index(b"PK\x01\x02")
    data[at + 8] |= 1
    data[damaged.header_offset + 30 + len("damaged")] ^= 0xFF
    assert secret.header_offset == 0
    place.write_bytes(data)
    inside, left_out = unpack(place)
    assert inside == {"good": b"z"}
    assert left_out["secret"] == "is encrypted; send it without a password"
    assert left_out["damaged"].startswith("cannot be unpacked: ")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_python_inflates_without_a_bound_is_left_out(tmp_path, method):
    place = tmp_path / "a.zip"
    with zipfile.ZipFile(place, "w") as made:
        made.writestr("zeros", bytes(1000), compress_type=method)
        made.writestr("good", b"y")
    inside, left_out = unpack(place)
    assert inside == {"good": b"y"}
    assert left_out == {"zeros": "is compressed by another method than deflate; pack it again with any common tool"}


def test_folders_have_a_depth_and_a_number(tmp_path, monkeypatch):
    """A megabyte of names made 500,000 folders, so deep that they could not be removed again."""
    names = ["/".join("d" * depth) for depth in (MAX_DEPTH, MAX_DEPTH + 1)]
    inside, left_out = unpack(packed(tmp_path / "a.zip", [(name, b"x") for name in names]))
    assert inside.keys() | left_out.keys() == {names[0]} | {names[1]}
    assert left_out == {names[1]: f"it lies {MAX_DEPTH + 1} folders deep, at most {MAX_DEPTH} allowed"}
    monkeypatch.setattr(room, "MAX_FOLDERS", 5)
    place = packed(tmp_path / "b.zip", [("a/b/c/1", b""), ("a/b/c/2", b""), ("a/d/", b""), ("e/f", b"")])
    assert len(unpack(place)[0]) == 3
    monkeypatch.setattr(room, "MAX_FOLDERS", 4)
    with pytest.raises(ProjectError, match="more than 4 folders come out of it"), unpacked(place):
        pytest.fail("unpacked")


def test_a_bomb_is_refused_as_a_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(room, "FREE_BYTES", 1024 * 1024)
    place = packed(tmp_path / "a.zip", [(f"zeros-{number}", bytes(1024 * 1024)) for number in range(8)])
    size = place.stat().st_size
    with (
        pytest.raises(ProjectError, match=rf"more than {1024 * 1024 + 200 * size} bytes come out of {size}"),
        unpacked(place),
    ):
        pytest.fail("unpacked")
    monkeypatch.setattr(room, "FREE_BYTES", 8 * 1024 * 1024)
    assert len(unpack(place)[0]) == 8


def test_what_a_member_says_of_its_size_does_not_count(tmp_path, monkeypatch):
    """A member that claims one byte and inflates to more gives one byte at most."""
    place = packed(tmp_path / "a.zip", [("liar", bytes(1024 * 1024))])
    data = bytearray(place.read_bytes())
    at = data.index(b"PK\x01\x02")
    struct.pack_into("<L", data, at + 24, 1)
    struct.pack_into("<L", data, at + 16, zlib.crc32(b"\0"))
    place.write_bytes(data)
    inside, left_out = unpack(place)
    assert len(inside.get("liar", b"")) <= 1
    assert left_out.keys() <= {"liar"}


def test_the_list_of_files_has_a_bound(tmp_path, monkeypatch):
    place = packed(tmp_path / "a.zip", [(f"file-{number}", b"") for number in range(100)])
    monkeypatch.setattr(room, "MAX_DIRECTORY_BYTES", 1000)
    with pytest.raises(ProjectError, match="its list of files has"), unpacked(place):
        pytest.fail("unpacked")
    commented = packed(tmp_path / "b.zip", [(f"file-{number}", b"") for number in range(100)])
    with zipfile.ZipFile(commented, "a") as made:
        made.comment = b"a comment"
    with pytest.raises(ProjectError, match="its list of files has"), unpacked(commented):
        pytest.fail("unpacked")
    monkeypatch.setattr(room, "MAX_DIRECTORY_BYTES", 100_000)
    monkeypatch.setattr(room, "MAX_MEMBERS", 99)
    with pytest.raises(ProjectError, match="100 files, at most 99 allowed"), unpacked(place):
        pytest.fail("unpacked")


def test_so_has_that_of_a_large_archive(tmp_path, monkeypatch):
    """More than 65,535 members: the size stands in another place."""
    place = packed(tmp_path / "a.zip", [(str(number), b"") for number in range(65_600)])
    assert b"PK\x06\x06" in place.read_bytes()
    monkeypatch.setattr(room, "MAX_DIRECTORY_BYTES", 1000)
    with pytest.raises(ProjectError, match="its list of files has"), unpacked(place):
        pytest.fail("unpacked")


@pytest.mark.parametrize(("at", "value"), [(0, 0xFF), (6, 93), (46, 0xFF)], ids=["signature", "version", "name"])
def test_a_damaged_list_of_files_is_said(tmp_path, at, value):
    place = packed(tmp_path / "a.zip", [("é", b"x")])
    data = bytearray(place.read_bytes())
    data[data.index(b"PK\x01\x02") + at] = value
    place.write_bytes(data)
    with pytest.raises(ProjectError, match="is a damaged zip"), unpacked(place):
        pytest.fail("unpacked")
