"""Answers are counted by route and status, and timed by route."""

from notarium_node.health.api_answers import CLIENT_LEFT, ApiAnswers


def test_each_answer_is_counted_and_timed():
    answers = ApiAnswers()
    answers.note("/v1/log", 200, 0.2)
    answers.note("/v1/log", 200, 0.01)
    answers.note("/v1/log", CLIENT_LEFT, 3.0)
    answers.note("other", 404, 0.0)
    assert answers.counts == {("/v1/log", 200): 2, ("/v1/log", 499): 1, ("other", 404): 1}
    buckets = dict(answers.times["/v1/log"].buckets())
    assert (buckets["0.005"], buckets["0.025"], buckets["0.25"], buckets["+Inf"]) == (0, 1, 2, 3)
    assert set(answers.times) == {"/v1/log", "other"}
