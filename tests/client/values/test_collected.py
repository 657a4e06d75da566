"""What a run says of itself, put together: nothing is lost in silence."""

import argparse

import numpy
import pytest
from tests.client.values.test_scalars import named

from notarium.errors import InvalidMetric
from notarium.values.collected import Collected, named_parts


def test_parameters_seeds_and_metrics():
    made = Collected()
    made.param("lr", 1.0)
    made.param("model", {"width": 64})
    made.seed("seed", 2**60)
    made.metric("auc", 0.9, 3, 0)
    assert made.facts() == {
        "params": {"lr": 1.0, "model.width": 64},
        "param_types": {"lr": "float"},
        "seeds": {"seed": str(2**60)},
        "metrics": [{"name": "auc", "value": "0.9", "time": "1970-01-01T00:00:00.000Z", "step": 3}],
    }
    assert made.gaps() == []


def test_a_parameter_is_what_it_was_when_it_was_given():
    made = Collected()
    config = {"layers": [1]}
    made.param("model", config)
    config["layers"].append(2)
    assert made.facts()["params"] == {"model.layers": [1]}


def test_a_parameter_that_changes_in_between_is_a_gap():
    made = Collected()
    made.param("lr", 0.1)
    made.param("lr", 0.1)
    assert made.gaps() == []
    made.param("lr", 0.2)
    assert made.facts()["params"] == {"lr": 0.2}
    assert made.gaps() == ["parameter lr was given again with another value: the record has the last one"]


def test_two_parameters_of_one_path_are_a_gap():
    made = Collected()
    made.param("a", {"b": 1})
    made.param("a.b", 2)
    assert made.facts()["params"] == {"a.b": 2}
    assert made.gaps() == ["two parameters are named a.b: the record has the last one"]


def test_a_secret_is_left_out_with_a_notice_and_a_salt():
    made = Collected()
    made.param("api_key", "abc123def456ghi")
    facts = made.facts()
    assert facts["params"]["api_key"].startswith("[secret scrypt:")
    assert facts["param_types"] == {"api_key": "secret"}
    assert len(bytes.fromhex(facts["secrets_salt"])) == 32
    assert made.gaps() == ["a secret is left out of parameter api_key: its name says that it is a secret"]


@pytest.mark.parametrize("step", [1, 1.0, numpy.int64(1), numpy.float32(1)])
def test_whole_steps_of_every_kind(step):
    made = Collected()
    made.metric("x", 1, step, 0)
    assert made.facts()["metrics"][0]["step"] == 1


@pytest.mark.parametrize(
    ("value", "step"), [("high", 1), (None, 1), (1, 0.5), (1, "1"), (1, True), (1, 2**53), (1, float("nan"))]
)
def test_a_number_that_is_refused_is_a_gap(value, step):
    made = Collected()
    for _ in range(2):
        with pytest.raises(InvalidMetric, match="metric 'x'"):
            made.metric("x", value, step, 0)
    assert made.facts()["metrics"] == []
    assert made.gaps() == ["metric x: 2 values are missing: the value or the step was no number"]


def test_the_parameters_in_a_namespace():
    assert named_parts(argparse.Namespace(lr=0.1)) == [("lr", 0.1)]
    assert named_parts({1: 2}) == [("1", 2)]


@pytest.mark.parametrize("values", [1, [1], "x", None])
def test_what_is_no_configuration(values):
    with pytest.raises(ValueError, match="not a configuration"):
        named_parts(values)


def test_who_hands_it_over_may_say_that_it_is_no_secret():
    made = Collected()
    made.param("token", "sentence-start", secret=False)
    made.param("urls", {"url": "https://jane:example@example.org", "args": ["--password", "x"]}, secret=False)
    facts = made.facts()
    assert facts["params"] == {
        "token": "sentence-start",
        "urls.url": "https://jane:example@example.org",
        "urls.args": ["--password", "x"],
    }
    assert (made.gaps(), facts.keys() & {"secrets_salt"}) == ([], set())


def test_who_hands_it_over_may_say_that_it_is_one():
    made = Collected()
    made.param("hospital", {"name": "St. Elsewhere", "beds": 120, "public": True}, secret=True)
    made.param("rate", 0.5, secret=True)
    facts = made.facts()
    assert facts["params"].keys() == {"hospital", "rate"}
    assert facts["params"]["hospital"].startswith("[secret scrypt:")
    assert facts["params"]["rate"] == "[secret]"
    assert made.gaps() == [
        f"a secret is left out of parameter {each}: whoever gave it says that it is one"
        for each in ("hospital", "rate")
    ]


def test_what_a_class_hides_stays_hidden_whatever_is_said():
    made = Collected()
    made.param(
        "x", named("pydantic.types", "SecretStr", get_secret_value=lambda _: "correct horse battery")(), secret=False
    )
    facts = made.facts()
    assert facts["params"]["x"].startswith("[secret scrypt:")
    assert facts["param_types"] == {"x": "secret"}
    assert len(made.gaps()) == 1
    assert facts["secrets_salt"]
