"""Nothing that goes wrong in a run is eaten on its way, and no fault or lie is there in name only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.simulation import signatures
from tests.simulation.byzantine import BEHAVIOURS
from tests.simulation.edge_of_time import EdgeOfTime
from tests.simulation.faults import FAULTS, copied_store, counted_as, left_behind, wiped_disks
from tests.simulation.old_entries import OldEntries
from tests.simulation.oracles import Oracles, SafetyViolation
from tests.simulation.overspending import Overspending
from tests.simulation.run import chunk, kinds
from tests.simulation.scenario import run_seed
from tests.simulation.schedules import SCHEDULES, SCHEMING, SMALL
from tests.simulation.schemes import SCHEMES, HashOnlyLock, VoteForger
from tests.simulation.short_memory import ShortMemory
from tests.simulation.watch import Watch

from notarium_ledger.log.hashes import leaf_hash
from notarium_node.peers.tasks import PeerTasks

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
    begin: Callable[..., None] = PeerTasks.begin

    def failing(self: PeerTasks, work: Any) -> None:
        begin(self, work)
        self._counts["failed_task"] += 1

    monkeypatch.setattr(PeerTasks, "begin", failing)
    with pytest.raises(AssertionError, match=r"a task of node \d failed"):
        run_seed(QUIET, 4)


def test_the_oracles_do_not_verify_as_the_product_does(monkeypatch):
    monkeypatch.setattr(signatures._STAND_IN, "crypto_sign_open", lambda signed, key: signed[64:])
    with pytest.raises(SafetyViolation, match="certificate"):
        run_seed(5, 4, behaviours=(VoteForger,))


def test_what_the_last_look_at_a_node_finds_ends_the_run(monkeypatch):
    monkeypatch.setattr(Watch, "memory", lambda self, member, node: self._world.fail(KeyError("found")))
    with pytest.raises(KeyError, match="found"):
        run_seed(QUIET, 4)


def test_a_client_that_never_gets_its_receipt_ends_the_run(monkeypatch):
    receipt = Watch.receipt

    def but_the_first(self: Watch, member: Any, id_: Any, answer: bytes) -> None:
        if id_ != self.first:  # type: ignore[attr-defined]
            receipt(self, member, id_, answer)

    submitted = Watch.submitted

    def noting(self: Watch, raw: bytes) -> None:
        self.__dict__.setdefault("first", leaf_hash(raw))
        submitted(self, raw)

    monkeypatch.setattr(Watch, "receipt", but_the_first)
    monkeypatch.setattr(Watch, "submitted", noting)
    with pytest.raises(AssertionError, match="a client has no receipt"):
        run_seed(QUIET, 4)


@pytest.mark.parametrize("fault", FAULTS, ids=counted_as)
def test_a_fault_that_is_drawn_happens(fault):
    alone = replace(SMALL, faults=(fault,))
    assert any(run_seed(seed, 4, alone).coverage[counted_as(fault)] for seed in range(1, 20))


@pytest.mark.parametrize("lie", [*BEHAVIOURS, *SCHEMES], ids=lambda lie: lie.__name__)
def test_a_liar_lies(lie):
    assert any(run_seed(seed, 4, behaviours=(lie,)).coverage[f"liar: {lie.__name__}"] for seed in range(1, 50))


@pytest.mark.parametrize(("schedule", "name"), [(SMALL, "small"), (SCHEMING, "scheming")])
def test_the_report_names_what_is_never_met(schedule, name):
    report = chunk(QUIET, QUIET, 4, name)
    assert set(kinds(schedule)) <= report.reached.keys()
    assert 0 in (report.reached[kind] for kind in kinds(schedule))


@pytest.mark.parametrize(
    ("fault", "name"),
    [(wiped_disks, "wipes"), (copied_store, "wipes"), (left_behind, "recalls")],
    ids=["wiped disks", "copied store", "left behind"],
)
def test_a_loss_that_is_drawn_happens(fault, name):
    alone = replace(SCHEDULES[name], faults=(fault,))
    assert any(run_seed(seed, 4, alone).coverage[counted_as(fault)] for seed in range(1, 20))


@pytest.mark.parametrize(
    ("lie", "name"),
    [
        (EdgeOfTime, "crowded"),
        (OldEntries, "crowded"),
        (ShortMemory, "recalls"),
        (HashOnlyLock, "blackouts"),
        (Overspending, "quotas"),
    ],
    ids=["EdgeOfTime", "OldEntries", "ShortMemory", "HashOnlyLock", "Overspending"],
)
def test_a_liar_of_a_schedule_lies(lie, name):
    seeds = range(1, 20)
    assert any(
        run_seed(seed, 4, SCHEDULES[name], behaviours=(lie,)).coverage[f"liar: {lie.__name__}"] for seed in seeds
    )


def test_members_enrol_write_propose_and_vote_and_guests_come():
    found = chunk(1, 3, 4, "governing").reached
    said = ("enrols", "revokes", "an enrolled key writes", "proposes", "votes", "a guest speaks")
    assert all(found[f"member: {each}"] for each in said)


def test_members_write_more_than_their_day_on_both_sides_of_midnight_and_vote_on_it():
    found = chunk(1, 8, 4, "quotas").reached
    for kind in ("small", "large", "enrol"):
        for when in ("before", "after"):
            assert found[f"member: {kind} above its day {when} midnight"], (kind, when)
    assert found["member: proposes a quota"]
