"""Counts in buckets, as Prometheus adds them up."""

import itertools

import pytest

from notarium_node.health.histogram import Histogram


def test_a_bucket_counts_all_that_took_no_longer_than_its_bound():
    histogram = Histogram((0.001, 0.2, 0.5))
    for seconds in (0.0005, 0.2, 0.4, 7.0):
        histogram.add(seconds)
    assert histogram.buckets() == [("0.001", 1), ("0.2", 2), ("0.5", 3), ("+Inf", 4)]
    assert histogram.total_s == pytest.approx(7.6005)


def test_several_at_once_count_as_one_by_one():
    histogram = Histogram((1.0, 2.0))
    histogram.add(1.5, 3)
    assert histogram.buckets() == [("1.0", 0), ("2.0", 3), ("+Inf", 3)]
    assert histogram.total_s == pytest.approx(4.5)
    assert all(one <= two for (_, one), (_, two) in itertools.pairwise(histogram.buckets()))
