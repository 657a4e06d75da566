"""What lets a reader see why two runs of one seed differ."""

import random
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from tests.client.observing.test_generators import Generator, loaded

from notarium.observing.determinism import NO_DETERMINISM, UNKNOWN_SEED, Determinism


@pytest.fixture(autouse=True)
def generators():
    kept = random.getstate(), np.random.get_state()
    yield
    random.setstate(kept[0])
    np.random.set_state(kept[1])


def begun():
    determinism = Determinism({})
    determinism.observe()
    return determinism


def test_generators_that_were_not_used_leave_no_gap():
    gaps: list[str] = []
    found = begun().end([], gaps)
    assert found["seeds"]["random"]["start"] == found["seeds"]["random"]["end"]
    assert [each for each in gaps if "seed that is not known" in each] == []


def test_a_seed_set_before_the_run_is_recognised_where_the_run_names_it():
    random.seed(42)
    np.random.seed(42)
    determinism = begun()
    random.random()
    np.random.rand()
    gaps: list[str] = []
    found = determinism.end([42], gaps)
    assert (found["seeds"]["random"]["seed"], found["seeds"]["numpy"]["seed"]) == (42, 42)
    assert gaps == []


def test_a_seed_set_inside_the_run_is_recognised_when_it_is_named():
    random.random()
    determinism = begun()
    random.seed(43)
    determinism.observe()
    random.random()
    assert determinism.end([43, True, "text", None], [])["seeds"]["random"]["seed"] == 43


def test_a_seed_that_was_named_and_not_set_is_a_gap():
    determinism = begun()
    random.random()
    gaps: list[str] = []
    found = determinism.end([42], gaps)
    assert "seed" not in found["seeds"]["random"]
    assert gaps == [UNKNOWN_SEED.format("random")]


def test_equal_seeds_and_equal_use_end_in_equal_states():
    ends = []
    for draws in (2, 2, 3):
        random.seed(1)
        determinism = begun()
        for _ in range(draws):
            random.random()
        ends.append(determinism.end([1], [])["seeds"]["random"]["end"])
    assert ends[0] == ends[1] != ends[2]


def torch_on_a_gpu(monkeypatch, deterministic):
    return loaded(
        monkeypatch,
        "torch",
        default_generator=Generator(3),
        cuda=SimpleNamespace(is_initialized=lambda: True, default_generators=(Generator(5),)),
        are_deterministic_algorithms_enabled=lambda: deterministic,
    )


def test_a_gpu_without_deterministic_algorithms_is_a_gap(monkeypatch):
    torch_on_a_gpu(monkeypatch, False)
    gaps: list[str] = []
    found = begun().end([], gaps)
    assert gaps == [NO_DETERMINISM]
    assert found["seeds"]["torch.cuda:0"] == {"seed": 5}
    assert found["seeds"]["torch"]["seed"] == 3
    torch_on_a_gpu(monkeypatch, True)
    gaps = []
    begun().end([], gaps)
    assert gaps == []


def test_a_switch_that_changed_during_the_run_shows_both_values(monkeypatch):
    module = torch_on_a_gpu(monkeypatch, True)
    determinism = begun()
    module.are_deterministic_algorithms_enabled = lambda: False
    found = determinism.end([], [])
    assert found["flags"]["torch.deterministic_algorithms"] is False
    assert found["flags_at_start"] == {"torch.deterministic_algorithms": True}


def test_nothing_is_imported_to_be_observed():
    determinism = begun()
    determinism.end([], [])
    assert not {"torch", "jax", "tensorflow"} & sys.modules.keys()
