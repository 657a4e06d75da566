"""What a key and a member may submit to this node in a second and in a day, by the consortium's parameters.

It protects colleagues from one another, and a node's work. It is no rule for blocks: two nodes count differently, and a
key that asks all n nodes gets n times as much. What a member may write in a day is one (notarium_ledger.state.quota).
Only entries whose signature was verified are counted, so nobody can use up the quota of another's key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from notarium_ledger.entries.commitment import is_member_body
from notarium_ledger.entries.entry import Entry
from notarium_ledger.errors import QuotaExceeded
from notarium_ledger.state.quota import DAY_MS, day_of
from notarium_ledger.state.registry import Parameters
from notarium_ledger.types import PublicKey

AT_ONCE_S: Final = 4
"""What so many seconds allow may come at once."""
MOST: Final = 100_000
"""Keys and members that are counted at a time. What was counted longest ago is forgotten first."""


@dataclass(frozen=True, slots=True)
class _Limit:
    """One parameter, and how much time it is for."""

    name: str
    most: int
    is_of_bytes: bool
    is_daily: bool


class _Meter:
    """What one key or member has submitted."""

    __slots__ = ("_at_ms", "_used", "limits")

    def __init__(self, limits: Sequence[_Limit], now_ms: int) -> None:
        self.limits = limits
        self._used = [0.0] * len(limits)
        """Today, or of what may come at once."""
        self._at_ms = now_ms

    def refusal(self, who: str, count: int, size: int, now_ms: int) -> QuotaExceeded | None:
        """Why so many entries of so many bytes cannot come now, or None."""
        self._elapse(now_ms)
        for used, limit in zip(self._used, self.limits, strict=True):
            most = limit.most if limit.is_daily else limit.most * AT_ONCE_S
            more = size if limit.is_of_bytes else count
            # A batch larger than the whole allowance waits until the allowance is full; what follows waits longer.
            over = used + (more if limit.is_daily else min(more, most)) - most
            if over > 0:
                return _refusal(who, limit, most, over, now_ms)
        return None

    def take(self, count: int, size: int) -> None:
        """Count them."""
        for number, limit in enumerate(self.limits):
            self._used[number] += size if limit.is_of_bytes else count

    def _elapse(self, now_ms: int) -> None:
        """Give back what the time since the last look allows.

        A clock that steps back gives nothing, and goes on from there: one that was ahead must not refuse for as long.
        """
        passed_s = max(0, now_ms - self._at_ms) / 1000
        for number, limit in enumerate(self.limits):
            if not limit.is_daily:
                self._used[number] = max(0.0, self._used[number] - passed_s * limit.most)
        self._at_ms = now_ms


class Quotas:
    """Counts what clients submit to this node. Forgotten at a restart, and each day at midnight UTC."""

    def __init__(self) -> None:
        self._meters: dict[PublicKey | str, _Meter] = {}
        """By key, and by member."""
        self._parameters: Parameters | None = None
        self._of_key: Sequence[_Limit] = ()
        self._of_member: Sequence[_Limit] = ()
        self._day = 0

    def refusal(self, parameters: Parameters, entries: Sequence[Entry], now_ms: int) -> QuotaExceeded | None:
        """Why these entries of one key for one member are too much now, or None. Counts nothing.

        So it may be asked before a signature is verified, which is what a flood would cost.
        """
        first = entries[0]
        if is_member_body(first.body):
            return None
        self._begin(parameters, day_of(now_ms))
        count, size = len(entries), sum(len(each.raw) for each in entries)
        for who, of, limits in self._of(first):
            meter = self._meters.get(of) or _Meter(limits, now_ms)
            refusal = meter.refusal(who, count, size, now_ms)
            if refusal is not None:
                return refusal
        return None

    def take(self, parameters: Parameters, entries: Sequence[Entry], now_ms: int) -> QuotaExceeded | None:
        """Count verified entries of one key for one member; or, if they are too much, count none and say why."""
        refusal = self.refusal(parameters, entries, now_ms)
        if refusal is None and not is_member_body(entries[0].body):
            count, size = len(entries), sum(len(each.raw) for each in entries)
            for _, of, limits in self._of(entries[0]):
                meter = self._meters.pop(of, None) or _Meter(limits, now_ms)
                meter.take(count, size)
                self._meters[of] = meter  # Behind all others.
            while len(self._meters) > MOST:
                del self._meters[next(iter(self._meters))]
        return refusal

    def give_back(self, entries: Sequence[Entry]) -> None:
        """`take` has just counted these, and they do not enter after all."""
        if not is_member_body(entries[0].body):
            count, size = len(entries), sum(len(each.raw) for each in entries)
            for _, of, _ in self._of(entries[0]):
                if (meter := self._meters.get(of)) is not None:
                    meter.take(-count, -size)

    def _of(self, entry: Entry) -> Sequence[tuple[str, PublicKey | str, Sequence[_Limit]]]:
        """Whom an entry counts for: in words, and with which limits."""
        member = entry.body["issuer"]
        return (f"the key {entry.key.hex()[:16]}", entry.key, self._of_key), (member, member, self._of_member)

    def _begin(self, parameters: Parameters, day: int) -> None:
        if day != self._day:
            self._meters.clear()
            self._day = day
        if parameters is not self._parameters:
            self._parameters = parameters
            self._of_key = _limits(parameters, "key", is_daily=True)
            self._of_member = _limits(parameters, "member", is_daily=False)
            for of, meter in self._meters.items():
                meter.limits = self._of_member if isinstance(of, str) else self._of_key


def _limits(parameters: Parameters, of: str, *, is_daily: bool) -> list[_Limit]:
    """A member's day is a rule for blocks."""
    found = []
    for time in ("second", "day") if is_daily else ("second",):
        for unit in ("entries", "bytes"):
            name = f"max_{of}_{time}_{unit}"
            found.append(_Limit(name, getattr(parameters, name), unit == "bytes", time == "day"))
    return found


def _refusal(who: str, limit: _Limit, most: int, over: float, now_ms: int) -> QuotaExceeded:
    unit = "bytes" if limit.is_of_bytes else "entries"
    if limit.is_daily:
        until_ms, allowed = (day_of(now_ms) + 1) * DAY_MS, f"{limit.most} {unit} a day"
    else:
        until_ms = now_ms + max(1, round(1000 * min(over, most) / limit.most))
        allowed = (
            f"{limit.most} {unit} a second, and {most} or one larger batch at once after {AT_ONCE_S} s without any,"
        )
    return QuotaExceeded(
        f"{who} may submit {allowed} to this node ({limit.name}); submit it later, or have the consortium raise "
        f"{limit.name} (set-parameter)",
        "key" if limit.name.startswith("max_key") else "body.issuer",
        limit=limit.most,
        until_ms=until_ms,
    )
