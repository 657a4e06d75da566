"""Known mistakes about a member's day (docs/adr/0017-quotas.md). `make simulate-planted` plants them."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from tests.simulation.overspending import Overspending
from tests.simulation.planted import Planted, Replacement

from notarium_ledger.entries.commitment import is_member_body
from notarium_ledger.errors import QuotaExceeded
from notarium_ledger.state import chain_state
from notarium_ledger.state.chain_state import apply_block
from notarium_ledger.state.quota import DAY_MS, Tally, check_quota
from notarium_ledger.state.records import DayUse
from notarium_node.driving import block_work
from notarium_node.driving.block_work import BlockWork
from notarium_node.entries import admission, receiving

# ---- in blocks -----------------------------------------------------------------------------------------------------


def _quota_of_a_received_block_unchecked() -> list[Replacement]:
    def trusting(*subject: Any) -> Any:
        with patch.object(Tally, "_check", lambda *_: None):
            return apply_block(*subject)

    return [(block_work, "apply_block", trusting)]


def _day_of_the_clock() -> list[Replacement]:
    finish, clocks = BlockWork._finish, []

    def timed(self: BlockWork, *request: Any) -> None:
        clocks.append(self._admission._clock())
        try:
            finish(self, *request)
        finally:
            clocks.pop()

    def tally(registry: Any, time_ms: int) -> Tally:
        return Tally(registry, clocks[-1] if clocks else time_ms)

    return [(BlockWork, "_finish", timed), (chain_state, "Tally", tally)]


def _never_begun_again() -> list[Replacement]:
    def of_day(self: Tally, member: str) -> DayUse:
        use = self._before.uses.get(member)
        return DayUse(self._day) if use is None else DayUse(self._day, use.entries, use.size, use.statements)

    return [(Tally, "of_day", of_day)]


def _statements_are_entries() -> list[Replacement]:
    add = Tally.add

    def mixing(self: Tally, entry: Any) -> None:
        add(self, entry)
        if is_member_body(entry.body):
            counts = self._counts[entry.body["member"]]
            self._check(entry.body["member"], counts, 0, 1, True)
            counts[0] += 1
            counts[2] -= 1

    return [(Tally, "add", mixing)]


def _researchers_use_up_statements() -> list[Replacement]:
    add = Tally.add

    def shared(self: Tally, entry: Any) -> None:
        if is_member_body(entry.body):
            use = self.of_day(entry.body["member"])
            self._check(entry.body["member"], [use.entries, use.size, use.statements], 0, 1, True)
        add(self, entry)

    return [(Tally, "add", shared)]


def _one_more_than_the_day() -> list[Replacement]:
    check = Tally._check
    return [
        (
            Tally,
            "_check",
            lambda self, member, counts, which, more, *rest: check(self, member, counts, which, more - 1, *rest),
        )
    ]


# ---- in what waits, and between peers ------------------------------------------------------------------------------


def _a_new_day_brings_nothing() -> list[Replacement]:
    def stubborn(registry: Any, entry: Any, time_ms: int) -> None:
        use = registry.uses.get(entry.body.get("issuer"))
        check_quota(registry, entry, time_ms if use is None else use.day * DAY_MS)

    return [(chain_state, "check_quota", stubborn)]


def _what_is_above_waits() -> list[Replacement]:
    return [(chain_state, "check_quota", lambda *_: None)]


def _above_the_quota_is_a_lie() -> list[Replacement]:
    refused = admission._refused

    def harsh(id_: Any, error: Any, malicious: bool = False) -> Any:
        return refused(id_, error, malicious or isinstance(error, QuotaExceeded))

    return [(admission, "_refused", harsh), (receiving, "QuotaExceeded", ())]


QUOTAS: tuple[Planted, ...] = (
    Planted(
        "the quota of a received block unchecked",
        _quota_of_a_received_block_unchecked,
        "content",
        20,
        schedule="quotas",
        liars=(Overspending,),
    ),
    Planted("the day is that of the node's clock", _day_of_the_clock, "content|false report", 100, schedule="quotas"),
    Planted("the count of a day never begins again", _never_begun_again, "content", 20, schedule="quotas"),
    Planted("statements count as entries", _statements_are_entries, "content", 20, schedule="quotas"),
    Planted(
        "researchers use up what their member signs",
        _researchers_use_up_statements,
        "liveness|false report",
        40,
        schedule="quotas",
    ),
    Planted("one more than the day", _one_more_than_the_day, "content", 20, schedule="quotas"),
    Planted("a new day brings nothing", _a_new_day_brings_nothing, "liveness", 20, schedule="quotas"),
    Planted("what is above the quota waits", _what_is_above_waits, "liveness", 20, schedule="quotas"),
    Planted("what is above the quota is a lie", _above_the_quota_is_a_lie, "false report", 20, schedule="quotas"),
)
