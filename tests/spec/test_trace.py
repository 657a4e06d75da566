"""A run that explored nothing is an error, never a pass."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.spec import quint
from tests.spec.trace import read_trace

START = {"event": {"tag": "Start", "value": {"#tup": []}}}
STEP = {"event": {"tag": "Timeout", "value": {"#bigint": "1"}}}


def written(folder: Path, *states: object) -> Path:
    path = folder / "someTest.itf.json"
    path.write_text(json.dumps({"states": states}))
    return path


def test_a_trace_with_a_step_is_read(tmp_path):
    assert [state["event"][0] for state in read_trace(written(tmp_path, START, STEP)).states] == ["Start", "Timeout"]


@pytest.mark.parametrize(("states", "says"), [((), "no states"), ((START,), "no steps")])
def test_a_trace_without_steps_is_an_error(states, says, tmp_path):
    with pytest.raises(ValueError, match=says):
        read_trace(written(tmp_path, *states))


@pytest.mark.parametrize("states", [(STEP, STEP), (START, START)])
def test_a_trace_begins_at_its_beginning(states, tmp_path):
    """Quint before 0.33 wrote the action of another trace into the first state."""
    with pytest.raises(ValueError, match="its first state, and no other"):
        read_trace(written(tmp_path, *states))


def test_a_folder_without_traces_is_an_error(tmp_path):
    with pytest.raises(quint.QuintFailed, match="no traces"):
        quint.replay(sorted(tmp_path.iterdir()))


def test_a_scenario_that_did_not_run_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(quint, "quint", lambda *arguments: "")
    written(tmp_path, START, STEP)
    with pytest.raises(quint.QuintFailed, match="happyPathTest"):
        quint.scenarios(tmp_path)


def test_a_random_run_without_a_trace_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(quint, "quint", lambda *arguments: "")
    with pytest.raises(quint.QuintFailed, match="0 traces for 3 runs"):
        quint.simulate(3, 1, tmp_path, 3)
