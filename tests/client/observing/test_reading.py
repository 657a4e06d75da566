"""Small files are read whole or not at all."""

import os

from notarium.observing import reading
from notarium.observing.reading import bytes_of, text_of


def test_a_regular_file_is_read_and_anything_else_is_nothing(tmp_path):
    (tmp_path / "file").write_bytes(b"a\xff")
    assert bytes_of(tmp_path / "file") == b"a\xff"
    assert text_of(tmp_path / "file") == "a\ufffd"
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "missing", "."):
        assert bytes_of(tmp_path / name) is None
        assert text_of(tmp_path / name) is None


def test_a_file_that_is_too_long_is_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "MAX_BYTES", 3)
    (tmp_path / "file").write_bytes(b"abc")
    assert bytes_of(tmp_path / "file") == b"abc"
    (tmp_path / "file").write_bytes(b"abcd")
    assert bytes_of(tmp_path / "file") is None
