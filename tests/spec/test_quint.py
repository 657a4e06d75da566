"""The formal model itself: it typechecks, its scenarios pass, random runs keep its invariants, and the engine follows.

Skipped without node and npm; .ci/run installs them. More of it: make spec
"""

from __future__ import annotations

import secrets

import pytest
from tests.spec import quint
from tests.spec.trace import read_trace

SAMPLES = 20

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(quint.missing_tool() is not None, reason=str(quint.missing_tool())),
]


def test_the_modules_typecheck():
    quint.typecheck()


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


def test_a_missing_rule_is_found_by_random_runs():
    """The invariants can fail: without the round in votes, a few samples suffice."""
    assert quint.find_violation("initWithoutRound", samples=100, seed=0x5EC) is not None
