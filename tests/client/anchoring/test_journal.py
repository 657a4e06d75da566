"""The log of what was signed here survives a crash in the middle of a line."""

import json

from notarium.anchoring import journal


def test_the_journal_leaves_out_a_line_cut_off_by_a_crash(tmp_path):
    record = journal.JournalLine(1, "ab", "dataset", "x.receipt.json")
    journal.append(tmp_path, record)
    with (tmp_path / journal.FILE).open("a") as file:
        file.write(json.dumps({"time_ms": 2})[:-3] + "\n")
    journal.append(tmp_path, record)
    assert journal.read(tmp_path) == [record, record]
    assert journal.read(tmp_path / "nowhere") == []
