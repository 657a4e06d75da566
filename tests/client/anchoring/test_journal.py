"""The log of what was signed here survives a crash in the middle of a line."""

import json
import os

import pytest

from notarium.anchoring import journal


def test_the_journal_leaves_out_a_line_cut_off_by_a_crash(tmp_path):
    record = journal.JournalLine(1, "ab", "dataset", "x.receipt.json")
    journal.append(tmp_path, record)
    with (tmp_path / journal.FILE).open("a") as file:
        file.write(json.dumps({"time_ms": 2})[:-3] + "\n")
    journal.append(tmp_path, record)
    assert journal.read(tmp_path) == [record, record]
    assert journal.read(tmp_path / "nowhere") == []


def test_no_pipe_hangs_it_and_no_link_leads_it_into_another_file(tmp_path):
    record = journal.JournalLine(1, "ab", "dataset", "x.receipt.json")
    other = tmp_path / "other"
    other.write_text("mine")
    (tmp_path / journal.FILE).symlink_to(other)
    with pytest.raises(OSError, match="symbolic links"):
        journal.append(tmp_path, record)
    assert other.read_text() == "mine"
    (tmp_path / journal.FILE).unlink()
    os.mkfifo(tmp_path / journal.FILE)
    with pytest.raises(OSError, match="No such device"):
        journal.append(tmp_path, record)
    reader = os.open(tmp_path / journal.FILE, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(OSError, match="not a regular file"):
            journal.append(tmp_path, record)
    finally:
        os.close(reader)
