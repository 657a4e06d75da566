"""Which branches of the protocol the seeds have reached: counted from outside, by wrapping the engine's methods."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from notarium_consensus.engine import Engine
from notarium_consensus.inbox import Inbox
from notarium_consensus.instance import Instance
from notarium_consensus.own_messages import OwnMessages
from notarium_node.catchup.fetching import Fetcher
from notarium_node.catchup.joining import Joiner
from notarium_node.driving.block_work import BlockWork
from notarium_node.driving.driver import Driver
from notarium_node.identity.recall import Recall
from notarium_store.store import Store

BRANCHES: tuple[tuple[type, str], ...] = (
    (Instance, "_upon_proposal"),
    (Instance, "_upon_prepare"),
    (Instance, "_upon_commit"),
    (Instance, "_upon_higher_round_changes"),
    (Instance, "_propose_again"),
    (Instance, "_propose"),
    (Instance, "_reject"),
    (Instance, "_resend"),
    (Instance, "restore"),
    (Instance, "_upon_round_timeout"),
    (Instance, "_upon_absent_proposer"),
    (Instance, "_upon_later_proposal"),
    (Instance, "fall_behind"),
    (Inbox, "admit_vote"),
    (Inbox, "admit_proposal"),
    (Inbox, "admit_round_change"),
    (Inbox, "_report_equivocation"),
    (Engine, "_receive_late"),
    (Engine, "_receive_early"),
    (OwnMessages, "restore"),
    (Driver, "_stall"),
    (BlockWork, "_read_and_finish"),
    (Fetcher, "_ask"),
    (Fetcher, "_deadline"),
    (Fetcher, "failed_to_deliver"),
    (Fetcher, "lied"),
    (Joiner, "join"),
    (Driver, "_adopt"),
    (Driver, "_backfill"),
    (Recall, "settle"),
    (Recall, "lose"),
    (Store, "recover"),
)


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """Within it calls are counted that returned anything but False: "Instance._upon_commit" and so on."""
    counts: Counter[str] = Counter({_name(*branch): 0 for branch in BRANCHES})
    patches = [
        patch.object(owner, method, _counting(getattr(owner, method), _name(owner, method), counts))
        for owner, method in BRANCHES
        if hasattr(owner, method)
    ]
    for each in patches:
        each.start()
    try:
        yield counts
    finally:
        for each in patches:
            each.stop()


def _name(owner: type, method: str) -> str:
    return f"{owner.__name__}.{method}"


def _counting(method: Callable[..., Any], name: str, counts: Counter[str]) -> Callable[..., Any]:
    def wrapper(*arguments: Any, **named: Any) -> Any:
        result = method(*arguments, **named)
        if result is not False:
            counts[name] += 1
        return result

    return wrapper
