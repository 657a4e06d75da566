"""The judge finds what exceeds its limit, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.cluster.siege.gauge import Figures
from tests.cluster.siege.judge import Limits, problems
from tests.cluster.siege.table import document, markdown

GOOD = Figures("an attack", before_mib=80, most_mib=390, rest_mib=120, waits_s=[0.01] * 99 + [1.9])


def test_good_figures_pass():
    assert problems(GOOD, Limits()) == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"most_mib": 401.0}, "401 MiB"),
        ({"rest_mib": 251.0}, "251 MiB at rest"),
        ({"waits_s": [0.01] * 99 + [2.1]}, "p99 was 2.1 s"),
        ({"failed": 1}, "1 honest entries"),
        ({"waits_s": [0.01] * 19}, "only 19"),
        ({"waits_s": []}, "only 0"),
        ({"log_bytes_per_s": 20_001.0}, "20001 bytes/s"),
        ({"no_retry_after": 2}, "2 answers"),
    ],
)
def test_each_excess_is_found(change, named):
    found = problems(replace(GOOD, **change), Limits())
    assert len(found) == 1
    assert named in found[0]


def test_the_report_names_what_failed():
    row = replace(GOOD, problems=["a node had 401 MiB"], note="a remark")
    text = markdown([GOOD, row], 60)
    assert "an attack **FAILED**" in text
    assert "401 MiB" in text
    assert "a remark" in text
    assert document([row])[0]["problems"] == ["a node had 401 MiB"]
