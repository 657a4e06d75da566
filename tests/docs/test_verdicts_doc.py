"""docs/verdicts.md: its tables and limits are those of the code."""

import re
from pathlib import Path

from notarium.cli.git_attributes import LINES
from notarium.errors import ExitCode
from notarium.verifying.asking import MOST_ASKING_S, MOST_OTHERS, MOST_OWN
from notarium.verifying.marks import FailOn, MarkKind
from notarium.verifying.parts import Parts
from notarium.verifying.result import Verification, VerificationStatus
from notarium.verifying.times import CLOCK_MS, LATE_MS, OLDEST_MS

PAGE = (Path(__file__).parents[2] / "docs" / "verdicts.md").read_text(encoding="utf-8")


def first_column(title: str) -> list[str]:
    section = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| ([^|]+) \|", section, flags=re.MULTILINE)


def test_each_mark_and_each_code_has_its_row():
    assert set(first_column("The first line")) == {"mark", "---", *MarkKind}
    assert set(first_column("Exit codes")) == {"code", "---", *(str(int(each)) for each in ExitCode)}
    assert all(f"`{each}`" in PAGE for each in FailOn)


def test_the_limits_are_those_of_the_code():
    minutes, hours = CLOCK_MS // 60_000, LATE_MS // 3_600_000
    assert f"more than {minutes} minutes after the entry's block" in PAGE
    assert f"more than {hours} hours after the claimed end" in PAGE
    assert OLDEST_MS == 946_684_800_000
    assert "before the year 2000" in PAGE
    one_line = " ".join(PAGE.split())
    assert f"fetched up to {MOST_OTHERS}, and those of the author's institution up to {MOST_OWN:,}" in one_line
    assert f"within {MOST_ASKING_S:.0f} seconds" in PAGE


def test_the_lines_for_git_and_the_names_in_json_are_those_of_the_code():
    assert "\n".join(f"    {each}" for each in LINES) in PAGE
    known = Verification("x", VerificationStatus.NOT_ANCHORED).to_json()
    for name in ("outcome", "marks", "times", *Parts().to_json(), "later", "asked", "notices"):
        assert name in known
        assert f"`{name}`" in PAGE
