"""The formal models: their scenarios pass, random runs keep their invariants, engine and model follow each other.

Skipped without node and npm; .ci/run installs them. More of it: make spec
"""

from __future__ import annotations

import secrets
import shutil

import pytest
from tests.spec import quint
from tests.spec.trace import read_trace

from notarium_ledger.blocks.validators import ValidatorSet

SAMPLES = 15
ENGINE_RUNS = 2

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(quint.missing_tool() is not None, reason=str(quint.missing_tool())),
]


def test_the_scenarios_pass_and_are_the_committed_ones(tmp_path):
    """The committed traces are what the model says today."""
    told = quint.scenarios(tmp_path)
    assert told
    for path in told:
        committed = read_trace(quint.TRACES / f"{path.name}.xz", sort_sets=True)
        assert read_trace(path, sort_sets=True) == committed, (
            "outdated; python -m tests.spec.quint --record makes them again"
        )


def test_the_engine_follows_fresh_random_runs(tmp_path):
    """A fresh seed each time; the invariants hold in the model, and the engine's state equals the model's."""
    seed = secrets.randbits(48)
    print(f"quint seed {seed:#x}; again: python -m tests.spec.quint --seed {seed:#x} --samples {SAMPLES}")
    traces, _ = quint.simulate(SAMPLES, seed, tmp_path, SAMPLES)
    assert len(traces) == SAMPLES
    assert quint.replay(traces) > 10 * SAMPLES


def test_the_scenarios_of_lost_disks_pass(tmp_path):
    assert len(quint.scenarios(tmp_path, quint.RECALL.tests)) == len(quint.scenario_names(*quint.RECALL.tests))


def test_random_runs_of_lost_disks_keep_the_invariants():
    _, said = quint.simulate(10, secrets.randbits(48), model=quint.RECALL)
    assert "No violation found" in said


def test_the_model_follows_fresh_random_runs_of_the_engine():
    seed = secrets.randbits(48)
    print(f"seed {seed:#x}; again: python -m tests.spec.quint --seed {seed:#x} --samples {10 * ENGINE_RUNS}")
    assert quint.engine_runs(ENGINE_RUNS, seed) > 10 * ENGINE_RUNS


def test_a_mistake_of_the_engine_is_seen_by_the_model(monkeypatch):
    """The engine follows a single ROUND-CHANGE, and comes to where the model does not."""
    monkeypatch.setattr(ValidatorSet, "honest_minimum", property(lambda self: 1))
    with pytest.raises(quint.QuintFailed, match="Expect condition does not hold true"):
        quint.engine_runs(1, 0x5EC, max_steps=20)
    shutil.rmtree(quint.HOME / "engine_5ec")


def test_a_missing_rule_is_found_by_random_runs():
    """The invariants can fail: without the round in votes, a few samples suffice."""
    assert quint.find_violation("initWithoutRound", samples=100, seed=0x5EC) is not None
