"""Nothing that goes wrong in a run is eaten on its way, and no fault or lie is there in name only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.simulation import signatures
from tests.simulation.oracles import Oracles, SafetyViolation
from tests.simulation.scenario import run_seed
from tests.simulation.schemes import VoteForger
from tests.simulation.watch import Watch

from notarium_node.node import Node

QUIET = 4
"""A seed in which no process dies."""

pytestmark = [
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]


def broken(*_: object, **__: object) -> Any:
    raise KeyError("broken")


@pytest.mark.parametrize("method", ["wrote", "sent", "acknowledged", "finish"])
def test_an_oracle_that_breaks_ends_the_run(monkeypatch, method):
    monkeypatch.setattr(Oracles, method, broken)
    with pytest.raises(KeyError, match="broken"):
        run_seed(QUIET, 4)


def test_a_task_that_fails_at_a_node_that_lives_to_the_end_is_found(monkeypatch):
    begin: Callable[..., None] = Node._begin

    def failing(self: Node, work: Any) -> None:
        begin(self, work)
        self.event_counts["failed_task"] += 1

    monkeypatch.setattr(Node, "_begin", failing)
    with pytest.raises(AssertionError, match=r"a task of node \d failed"):
        run_seed(QUIET, 4)


def test_the_oracles_do_not_verify_as_the_product_does(monkeypatch):
    monkeypatch.setattr(signatures._STAND_IN, "crypto_sign_open", lambda signed, key: signed[64:])
    with pytest.raises(SafetyViolation, match="certificate"):
        run_seed(4, 4, behaviours=(VoteForger,))


def test_what_the_last_look_at_a_node_finds_ends_the_run(monkeypatch):
    monkeypatch.setattr(Watch, "memory", lambda self, member, node: self._world.fail(KeyError("found")))
    with pytest.raises(KeyError, match="found"):
        run_seed(QUIET, 4)
