"""What a verdict keeps of a record."""

import pytest

from notarium.evidence.artifact import Artifact
from notarium.evidence.contents import Contents
from notarium.evidence.inventory import Selection, hash_path
from notarium.evidence.record import Record
from notarium.verifying.recorded import MOST_GAPS, MOST_PATTERNS, Claimed, Recorded, read_time


def test_times_gaps_and_the_digests_of_other_tools():
    facts = {"started": "2025-10-09T08:53:20.000Z", "ended": "2025-10-09T10:53:20+02:00", "gaps": ["one", 2]}
    file = Artifact("x", "input", Contents.of_file(1, "0" * 64, {"md5": "ab", "etag": "cd"}))
    recorded = Recorded.of(Record("run", (file,), facts))
    assert (recorded.started_ms, recorded.ended_ms) == (1_760_000_000_000, 1_760_000_000_000)
    assert recorded.gaps == ("one", "2")
    assert recorded.algorithms == ("etag", "md5")


def test_the_entry_goes_before_the_record():
    recorded = Recorded(1, 2, (), ())
    assert Claimed.by({"kind": "run", "started_ms": 0}, recorded) == Claimed(0, 2)
    assert Claimed.by({"kind": "run"}, None) == Claimed(None, None)


YEAR_0, YEAR_10000 = "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"


@pytest.mark.parametrize("text", [None, 3, "", "yesterday", "9999-99-99T00:00:00Z", ["2025-10-09"], YEAR_0, YEAR_10000])
def test_what_is_no_time_is_no_time(text):
    assert read_time(text) is None


def test_a_strangers_record_cannot_flood_a_verdict():
    assert Recorded.of(Record("run", (), {"gaps": "no list"})).gaps == ()
    gaps = Recorded.of(Record("run", (), {"gaps": ["x"] * (MOST_GAPS + 7)})).gaps
    assert (len(gaps), gaps[-1]) == (MOST_GAPS + 1, "and 7 more, which the record lists")


@pytest.mark.parametrize("ignore", [(), ("*.tmp",), tuple(f"{number}.tmp" for number in range(MOST_PATTERNS + 2))])
def test_a_record_that_ignores_more_than_is_usual_says_so(tmp_path, ignore):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.csv").write_text("a")
    content = hash_path(tmp_path / "data", Selection.of(ignore, follow=False))
    said = Recorded.of(Record("dataset", (Artifact("data", "subject", content),), {})).left_out
    if not ignore:
        assert said == ()
        return
    assert said[0].startswith(f"what data has besides: its record ignores {ignore[0]}")
    assert said[0].endswith("and 2 more") is (len(ignore) > MOST_PATTERNS)
