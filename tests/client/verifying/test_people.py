"""Times, spans, counts and ids for the eye."""

import pytest

from notarium.verifying.people import count_text, for_the_eye, span_text, time_text


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (1000, "1 second"),
        (61_000, "1 minute 1 second"),
        (3_600_000, "1 hour"),
        (3_601_000, "1 hour"),
        (90_000_000, "1 day 1 hour"),
        (-172_800_000, "2 days"),
    ],
)
def test_a_span_is_said_in_its_two_largest_units(span, said):
    assert span_text(span) == said


def test_times_and_counts():
    assert time_text(1_760_000_000_123) == "2025-10-09 08:53:20 UTC"
    assert time_text(2**62).endswith("ms after 1970"), "what no calendar has is no error"
    assert time_text(-1) == "1969-12-31 23:59:59 UTC"
    assert (count_text(1, "file"), count_text(1200, "file")) == ("1 file", "1,200 files")


def test_ids_are_shortened_for_the_eye_and_names_of_files_are_not():
    id_ = "ab" * 32
    assert for_the_eye(f"entry {id_} by key {id_}") == f"entry {id_[:16]}… by key {id_[:16]}…"
    for name in (f"blobs/{id_} is a link", f"{id_} is gone", f"entry {id_}ab", "entry 12ab"):
        assert for_the_eye(name) == name
