"""What waits, by member and within it by key. Members take turns, and so do the keys of one member.

A turn is counted in bytes: next is always one that has given the fewest. So each member has the same part of a block,
whether it sends few large entries or many small ones, with one key or with a thousand; what it does not use, the others
have. Members weigh the same, and so do the keys of a member. This is fair queueing with two levels, and costs time in
proportion to what is taken, not to what waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush, heapreplace
from typing import NamedTuple, TypeVar

from notarium_ledger.entries.commitment import is_member_body
from notarium_ledger.entries.entry import Entry
from notarium_ledger.types import Hash, PublicKey

Item = TypeVar("Item")


def member_of(entry: Entry) -> str:
    """For whom an entry speaks: the issuer of a commitment, or the member that signs."""
    body = entry.body
    return body["member"] if is_member_body(body) else body["issuer"]  # type: ignore[no-any-return]


class Queued(NamedTuple):
    """One entry that waits."""

    entry: Entry
    member: str
    number: int
    """In the order of arrival."""
    cost: int
    """Bytes of memory."""


@dataclass(slots=True)
class OfKey:
    """The entries of one key, in the order of arrival."""

    waiting: dict[Hash, Queued] = field(default_factory=dict)
    cost: int = 0


@dataclass(slots=True)
class OfMember:
    """The keys of one member; first the one whose last turn was longest ago."""

    keys: dict[PublicKey, OfKey] = field(default_factory=dict)
    count: int = 0
    cost: int = 0


class FairQueue:
    """Entries of one class."""

    def __init__(self) -> None:
        self.members: dict[str, OfMember] = {}
        """By id; first the one whose last turn was longest ago."""
        self.count = self.cost = 0

    def add(self, waiting: Queued) -> None:
        """It is the last of its key."""
        member = self.members.get(waiting.member)
        if member is None:
            member = self.members[waiting.member] = OfMember()
        key = member.keys.get(waiting.entry.key)
        if key is None:
            key = member.keys[waiting.entry.key] = OfKey()
        key.waiting[waiting.entry.id] = waiting
        key.cost += waiting.cost
        member.count, member.cost = member.count + 1, member.cost + waiting.cost
        self.count, self.cost = self.count + 1, self.cost + waiting.cost

    def remove(self, waiting: Queued) -> None:
        """It was decided or became invalid: its key and its member have had a turn."""
        member = self.members.pop(waiting.member)
        key = member.keys.pop(waiting.entry.key)
        del key.waiting[waiting.entry.id]
        key.cost -= waiting.cost
        member.count, member.cost = member.count - 1, member.cost - waiting.cost
        self.count, self.cost = self.count - 1, self.cost - waiting.cost
        if key.waiting:
            member.keys[waiting.entry.key] = key
        if member.keys:
            self.members[waiting.member] = member

    def of_member(self, member: str) -> tuple[int, int]:
        """The number of its entries that wait, and what they cost."""
        found = self.members.get(member)
        return (0, 0) if found is None else (found.count, found.cost)

    def of_key(self, member: str, key: PublicKey) -> tuple[int, int]:
        """Likewise of one of its keys."""
        found = self.members[member].keys.get(key) if member in self.members else None
        return (0, 0) if found is None else (len(found.waiting), found.cost)

    def __iter__(self) -> Iterator[Queued]:
        """All that waits, in turn. Nothing may be added or removed meanwhile."""
        keys = (
            in_turn((key.waiting.values() for key in member.keys.values()), _raw_bytes)
            for member in self.members.values()
        )
        return in_turn(keys, _raw_bytes)


def entries_in_turn(entries: Iterable[Entry]) -> Iterator[Entry]:
    """The same entries; those of one key stay in their order."""
    members: dict[str, dict[PublicKey, list[Entry]]] = {}
    for entry in entries:
        members.setdefault(member_of(entry), {}).setdefault(entry.key, []).append(entry)
    return in_turn((in_turn(keys.values(), _entry_bytes) for keys in members.values()), _entry_bytes)


def in_turn(queues: Iterable[Iterable[Item]], size: Callable[[Item], int]) -> Iterator[Item]:
    """The items of queues that are not empty: next is always the first of the queue that has given the fewest bytes.

    Of several it is the one that stands first.
    """
    heap: list[tuple[int, int, Item, Iterator[Item]]] = []
    for place, queue in enumerate(queues):  # None of them has given anything yet.
        rest = iter(queue)
        first = next(rest)
        yield first
        following = next(rest, None)
        if following is not None:
            heappush(heap, (size(first), place, following, rest))
    while len(heap) > 1:
        given, place, item, rest = heap[0]
        yield item
        following = next(rest, None)
        if following is None:
            heappop(heap)
        else:
            heapreplace(heap, (given + size(item), place, following, rest))
    for _, _, item, rest in heap:
        yield item
        yield from rest


def _raw_bytes(waiting: Queued) -> int:
    return len(waiting.entry.raw)


def _entry_bytes(entry: Entry) -> int:
    return len(entry.raw)
