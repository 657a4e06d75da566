"""Files are complete or absent, with the usual permissions."""

import os
import re
import socket
import tempfile

import pytest
from tests.house.sources import ROOT

from notarium.files import read_regular, write_atomically


def test_a_write_that_fails_leaves_the_old_file_and_no_debris(tmp_path, monkeypatch):
    write_atomically(tmp_path / "x", b"old")

    def fail(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("notarium.files.os.fsync", fail)
    with pytest.raises(OSError, match="No space"):
        write_atomically(tmp_path / "x", b"new")
    assert (tmp_path / "x").read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["x"]


def test_files_get_the_usual_permissions_or_private_ones(tmp_path):
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "usual", b"")
        write_atomically(tmp_path / "private", b"", private=True)
    finally:
        os.umask(before)
    assert (tmp_path / "usual").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "private").stat().st_mode & 0o777 == 0o600


# Reading.


def _pipe(path):
    os.mkfifo(path)
    return path


def _device(path):
    path.symlink_to("/dev/zero")
    return path


def _socket(path):
    with socket.socket(socket.AF_UNIX) as made, tempfile.TemporaryDirectory() as short:
        # The name of a socket has at most 107 bytes, but it can be moved.
        made.bind(f"{short}/s")
        os.rename(f"{short}/s", path)
    return path


def _folder(path):
    path.mkdir()
    return path


NO_FILES = pytest.mark.parametrize("make", [_pipe, _device, _socket, _folder])


@NO_FILES
def test_only_regular_files_are_read(tmp_path, make):
    with pytest.raises(OSError, match=r"not a regular file|Is a directory|No such device"):
        read_regular(make(tmp_path / "x"), 10)


def test_reading_stops_one_byte_after_the_limit(tmp_path):
    (tmp_path / "x").write_bytes(b"x" * 3_000_000)
    assert [len(read_regular(tmp_path / "x", limit)) for limit in (0, 10, 2_999_999, 3_000_000, 9_000_000)] == [
        1, 11, 3_000_000, 3_000_000, 3_000_000,
    ]  # fmt: skip


@NO_FILES
@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        (["verify", "x.receipt.json"], "x.receipt.json"),
        (["show", "x.receipt.json"], "x.receipt.json"),
        (["verify", "x"], "x"),
        (["anchor", "x"], "x"),
        (["find", "x"], "x"),
        (["anchor", "data"], "data/x"),
        (["anchor", "data"], "data.receipt.json"),
        (["verify", "data"], "data.receipt.json"),
        (["verify", "data"], "data.record.json"),
        (["verify", "data", "--genesis", "x"], "x"),
        (["init", "--genesis", "x", "--issuer", "m0"], "x"),
        (["pin", "x"], "x"),
        (["equivocation", "x"], "x"),
        (["status"], ".notarium/config.toml"),
        (["status"], ".notarium/genesis.json"),
        (["status"], f".notarium/outbox/{'ab' * 32}.json"),
        (["log"], ".notarium/log.jsonl"),
        (["anchor", "new.csv"], "../home/keys/test.key"),
    ],
)
def test_no_command_hangs_on_what_is_no_file_or_calls_it_a_defect(study, cli, make, arguments, place):
    (study / "new.csv").write_text("x")
    place = study / place
    if place.exists():
        place.rename(study / "before")
    place.parent.mkdir(exist_ok=True)
    make(place)
    code, _, err = cli(*arguments)
    assert code != 70, err
    if make is _device and place.parent.name == "data":
        assert code == 0, "a link in a folder is recorded as a link"
    elif make is not _folder or place.name != "x":
        assert code != 0


def test_all_that_a_user_names_is_read_in_one_place():
    """Whatever else opens files for reading would hang on a pipe, and read a device without end."""
    reading = re.compile(r"\.read_(?:bytes|text)\(|\bopen\((?:\"rb?\"|\))|os\.open\(.*O_RDONLY(?!.*O_DIRECTORY)")
    rooms = (
        "client/notarium",
        "node/notarium_node/operator",
        "node/notarium_node/identity",
        "node/notarium_node/config",
    )
    found = {
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for room in rooms
        for path in (ROOT / room).rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if reading.search(line) and path.relative_to(ROOT).as_posix() != "client/notarium/files.py"
    }
    folders = {
        "node/notarium_node/operator/backup.py: directory = os.open(path.absolute().parent, os.O_RDONLY)",
        "node/notarium_node/operator/restore.py: descriptor = os.open(path, os.O_RDONLY)",
    }
    assert found == folders, "these two sync a folder"
