"""Whoever looks for the tests of a module finds them beside its name: tests/<package>/<room>/test_<module>.py."""

from __future__ import annotations

import pytest
from tests.house.sources import ROOT, modules

ELSEWHERE: dict[str, str] = {
    "client/notarium/cli/comparing.py": "tests/client/cli/test_diff.py",
    "client/notarium/cli/showing.py": "tests/client/cli/test_show.py",
    "client/notarium/explaining/why.py": "tests/client/explaining/test_mismatch.py",
    "client/notarium/cli/record_view.py": "tests/client/cli/test_show.py",
    "client/notarium/explaining/at_hand.py": "tests/client/explaining/test_mismatch.py",
    "client/notarium/explaining/sightings.py": "tests/client/explaining/test_mismatch.py",
    "ledger/notarium_ledger/types.py": "tests/ledger/encoding/test_reading.py",
    "ledger/notarium_store/errors.py": "tests/store/test_database.py",
    "consensus/notarium_consensus/effects.py": "tests/consensus/test_engine.py",
    "consensus/notarium_consensus/errors.py": "tests/consensus/test_messages.py",
    "consensus/notarium_consensus/events.py": "tests/consensus/test_engine.py",
    "consensus/notarium_consensus/inputs.py": "tests/consensus/test_engine.py",
    "consensus/notarium_consensus/phase.py": "tests/consensus/test_instance.py",
    "consensus/notarium_consensus/rules.py": "tests/consensus/test_transcripts.py",
    "node/notarium_node/api/schemas.py": "tests/node/api/test_openapi.py",
    "node/notarium_node/demo/__main__.py": "tests/demo/test_demo.py",
    "node/notarium_node/health/observed.py": "tests/node/health/test_condition.py",
    "node/notarium_node/health/reason.py": "tests/node/health/test_condition.py",
    "node/notarium_node/refusals.py": "tests/node/api/test_problems.py",
}
"""Modules of values only, or whose behaviour shows in the tests of another, and where those are."""


def test_each_module_has_its_tests_beside_its_name():
    missing = [
        str(path)
        for path, mirror in modules()
        if path.name not in ("__init__.py",) and str(path) not in ELSEWHERE and not (ROOT / mirror).is_file()
    ]
    assert missing == []


@pytest.mark.parametrize("module", ELSEWHERE)
def test_what_is_tested_elsewhere_is_needed_and_true(module):
    mirrors = {str(path): mirror for path, mirror in modules()}
    assert module in mirrors, "the module is gone: remove the line"
    assert not (ROOT / mirrors[module]).exists(), "it has a file of its own by now: remove the line"
    assert (ROOT / ELSEWHERE[module]).exists()
