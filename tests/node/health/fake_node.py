"""A node of which condition and metrics see what a test sets: two of four validators connected, all else well."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

from tests.support.consortium import Consortium

from notarium_consensus.permission import Permission
from notarium_ledger.types import Height
from notarium_node.health.ability import CAN_VOTE, Ability
from notarium_node.health.answers import RecallAnswers
from notarium_node.health.api_answers import ApiAnswers
from notarium_node.health.arrivals import Arrivals
from notarium_node.health.events import new_event_counts
from notarium_node.health.histogram import Histogram
from notarium_node.health.write_times import WriteTimes


def fake_node(role: str = "validator") -> Any:
    """Node m0 (or the observer) of a consortium of four; three validators are connected."""
    consortium = Consortium(4, observers=1)
    keys = [each.public for each in (consortium.validator_keys if role == "validator" else consortium.observer_keys)]
    connected = {
        each.public: SimpleNamespace(clock_offset_ms=3, queue_bytes=7, queue_age_s=0.5)
        for each in consortium.validator_keys[:3]
    }
    connected.pop(keys[0], None)
    progress = SimpleNamespace(figures=lambda: {"height": 1, "target": 2, "blocks_per_s": 1.0, "remaining_s": 1.0})
    network = SimpleNamespace(
        connected=connected,
        address_doubt="",
        is_connected=connected.__contains__,
        offsets=[],
        refusing=set(),
        counters={"connected": 2},
        dropped={"flood": 1},
        refused={"bad hello": 4},
    )
    network.is_refused_by = network.refusing.__contains__
    network.clock_offsets = lambda: network.offsets
    store = SimpleNamespace(
        state=consortium.state, history=SimpleNamespace(height=0), base=None, damage="", is_complete=True
    )
    store.free_bytes, store.min_free_bytes = lambda: 9_000, 1_000
    sync = SimpleNamespace(
        obstacle="", lag=0, target=0, claims={}, liars={}, live_progress=progress, history_progress=progress, credible=0
    )
    sync.claims = {key: claim() for key in connected}
    sync.credible_lag = lambda liars: sync.credible
    return SimpleNamespace(
        genesis=consortium.genesis,
        own=consortium.genesis.registry.nodes[keys[0]],
        started=1.0,
        clock=lambda: consortium.state.time_ms,
        round_lengths_ms=(1_000, 10_000),
        write_times=WriteTimes(lambda: 0.0),
        event_counts=new_event_counts(),
        api_answers=ApiAnswers(),
        api_certificate_expires_ms=None,
        arrivals=Arrivals(lambda: 0.0, (), lambda: 0),
        loop_late=Histogram((1.0,)),
        api_endings=Counter(),
        store=store,
        engine=SimpleNamespace(
            permission=Permission(),
            vote_from=Height(1),
            height=Height(1),
            round=2,
            prepared_round=None,
            patience_ms=7_000,
            votes_missing=lambda: (),
            is_voting=True,
            phase=SimpleNamespace(value="waiting"),
        ),
        driver=SimpleNamespace(stalled=""),
        chain=SimpleNamespace(decided=5),
        recall=SimpleNamespace(permission=Permission(), stale_word=None),
        memory_asker=SimpleNamespace(answers=lambda: RecallAnswers(3, ("m1",), (), ("m2",), (), ("m3",))),
        network=network,
        sync=sync,
        equivocations=Proofs(),
        mempool=Pool(),
        waiters=SimpleNamespace(waiting=6),
        verifier=SimpleNamespace(checked=10),
        catch_up_verifier=SimpleNamespace(checked=20),
    )


def claim(ability: Ability = CAN_VOTE, height: int = 0) -> Any:
    """What a peer reports."""
    return SimpleNamespace(height=Height(height), ability=ability)


class Pool:
    """Three entries."""

    entries = 3
    bytes = 300

    def __len__(self) -> int:
        return self.entries


class Proofs:
    """One equivocation of m0."""

    def by_member(self) -> dict[str, int]:
        return {"m0": 1, "m1": 0}

    def __len__(self) -> int:
        return 1
