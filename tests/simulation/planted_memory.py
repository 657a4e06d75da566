"""Known mistakes about lost disks, and about lines that are thin: see planted_hardened.py."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.simulation.planted import Planted, Replacement
from tests.simulation.schemes import HashOnlyLock
from tests.simulation.short_memory import ShortMemory

from notarium_consensus import patience
from notarium_consensus.dispatch import Dispatch
from notarium_consensus.height_state import HeightState
from notarium_consensus.permission import NO_FENCE, Memory, Permission
from notarium_ledger.types import Height
from notarium_node.catchup import recalling
from notarium_node.health.answers import RecallAnswers
from notarium_node.peers.parcels import ParcelQueue
from notarium_store.store import Store

# ---- lost disks ----------------------------------------------------------------------------------------------------


def _it_counts_itself() -> list[Replacement]:
    needed = recalling.answers_needed  # type: ignore[attr-defined]
    return [(recalling, "answers_needed", lambda *subject: max(0, needed(*subject) - 1))]


def _no_fence_after_a_loss() -> list[Replacement]:
    def unfenced(self: Permission, tip: Height, seen: Height) -> Permission:
        return replace(self, memory=Memory.INTACT, regained=NO_FENCE)

    return [(Permission, "settled", unfenced)]


def _no_fence_on_an_empty_ledger() -> list[Replacement]:
    settled = Permission.settled

    def unfenced(self: Permission, tip: Height, seen: Height) -> Permission:
        return settled(self, tip, seen) if tip else replace(self, memory=Memory.INTACT, regained=NO_FENCE)

    return [(Permission, "settled", unfenced)]


def _answers_ahead_count() -> list[Replacement]:
    return [(RecallAnswers, "is_enough", property(lambda self: 0 < self.needed <= len(self.counted + self.ahead)))]


class _Anybody:
    """Equal to every key."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


def _anothers_memory_is_its_own() -> list[Replacement]:
    owner = Store.__dict__["owner"].fget
    return [(Store, "owner", property(lambda self: None if owner(self) is None else _Anybody()))]


def _what_the_operator_said_not_noted() -> list[Replacement]:
    carried = Permission.carried_items

    def careless(self: Permission, height: Height) -> Any:
        return carried(replace(self, regained=NO_FENCE) if self.regained == self.by_hand else self, height)

    return [(Permission, "carried_items", careless)]


def _loss_forgotten_at_a_restart() -> list[Replacement]:
    return [(Permission, "memory_items", lambda self: ())]


# ---- thin lines ----------------------------------------------------------------------------------------------------


def _unsent_bulk_is_queued_again() -> list[Replacement]:
    put = ParcelQueue.put

    def greedy(self: ParcelQueue, data: bytes, slot: Any, now_s: float) -> Any:
        return put(self, data, None, now_s)

    return [(ParcelQueue, "put", greedy)]


def _rounds_do_not_grow() -> list[Replacement]:
    return [(patience, "LONGEST_ROUND_MS", 0)]


def _blocks_sent_again_each_time() -> list[Replacement]:
    again = Dispatch.again

    def eager(self: Dispatch, messages: Any) -> None:
        self._times = 0
        again(self, messages)

    return [(Dispatch, "again", eager), (ParcelQueue, "put", _unsent_bulk_is_queued_again()[0][2])]


def _claims_count_without_their_block() -> list[Replacement]:
    return [(HeightState, "_may_have", lambda self, block: True)]


SILENT = "double vote|left round|lock|agreement|false report|justification|persist before send"
"""What a node does that signs although it has forgotten."""

MEMORY: tuple[Planted, ...] = (
    Planted(
        "a node counts itself when it asks", _it_counts_itself, SILENT, 200, schedule="recalls", liars=(ShortMemory,)
    ),
    Planted("no fence after a loss", _no_fence_after_a_loss, SILENT, 100, schedule="recalls"),
    Planted("no fence on an empty ledger", _no_fence_on_an_empty_ledger, SILENT, 200, schedule="wipes"),
    Planted("answers ahead of it count", _answers_ahead_count, SILENT, 200, schedule="recalls", liars=(ShortMemory,)),
    Planted("another's memory is its own", _anothers_memory_is_its_own, SILENT, 300, schedule="wipes"),
    Planted(
        "the height that its operator wrote is not noted",
        _what_the_operator_said_not_noted,
        SILENT,
        150,
        schedule="backups",
    ),
    Planted("a loss is forgotten at a restart", _loss_forgotten_at_a_restart, SILENT, 300, schedule="wipes"),
    Planted("unsent bulk is queued again", _unsent_bulk_is_queued_again, "liveness", 30, schedule="thinnest"),
    Planted("blocks are sent again each time", _blocks_sent_again_each_time, "liveness", 30, schedule="thin"),
    Planted("rounds do not grow beyond the cap", _rounds_do_not_grow, "liveness", 30, schedule="thinnest"),
    Planted(
        "claims count without their block",
        _claims_count_without_their_block,
        "liveness",
        100,
        schedule="blackouts",
        liars=(HashOnlyLock,),
    ),
)
