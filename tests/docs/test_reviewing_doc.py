"""docs/reviewing.md: its tables and limits are those of the code."""

import re
from pathlib import Path

from notarium.explaining.at_hand import MAX_BYTES
from notarium.explaining.lines import Part
from notarium.explaining.mismatch import MOST_EXPLAINED
from notarium.explaining.why import Certainty
from notarium.submissions import archive
from notarium.submissions.remarks import RemarkKind

PAGE = (Path(__file__).parents[2] / "docs" / "reviewing.md").read_text(encoding="utf-8")
MIB = 1024 * 1024


def first_column(title):
    section = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| ([^|]+) \|", section, flags=re.MULTILINE)


def test_each_remark_and_each_certainty_has_its_row():
    assert set(RemarkKind) <= set(first_column("A submission"))
    assert set(first_column("Why a file is a mismatch")) == {"certainty", "---", *Certainty}


def test_each_part_that_is_compared_is_named():
    for part in set(Part) - {Part.FACT}:
        assert re.search(rf"\b{part}s?\b", PAGE.split("## Two runs")[1]), part


def test_the_limits_are_those_of_the_code():
    assert f"{archive.FREE_BYTES // MIB} MiB plus {archive.MAX_RATIO} times" in PAGE
    assert f"{archive.MAX_MEMBERS:,}; their list {archive.MAX_DIRECTORY_BYTES // MIB} MiB" in PAGE
    assert f"{archive.MAX_NAME_BYTES} bytes a part, {archive.MAX_PATH_BYTES:,} together" in PAGE
    assert f"Files of more than {MAX_BYTES // MIB} MiB" in PAGE
    assert MOST_EXPLAINED == 5
    assert "the first five files" in PAGE
