"""The verified entries that wait for a block, in the order of arrival, bounded by count and bytes.

Entries are of three classes: research, keys (enrol, revoke) and governance (propose, vote). Each class has its own room
here and its own share of a block, so that none crowds out another: 4,200 waiting enrolments delay neither research nor
the vote that removes the member who sent them.

Keys and governance are fair by member as well. A member whose entries wait gets no more room than is still free: one
that floods has half of it, two have a third each, and something is left for each other one. When entries are chosen,
the members take turns.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from itertools import islice
from operator import itemgetter

from notarium_ledger.entries.commitment import EntryClass, entry_class
from notarium_ledger.entries.entry import Entry
from notarium_ledger.types import Hash

KEY_ROOM = 4
"""Keys have one fourth of the mempool."""
GOVERNANCE_ROOM = 16
"""Governance has one sixteenth of the mempool; research has the rest."""
SHARE = 4
"""Governance and keys each have one fourth of a block for certain, and more where others do not need it."""
_TURNS = (
    (EntryClass.GOVERNANCE, SHARE),
    (EntryClass.KEY, SHARE),
    (EntryClass.RESEARCH, 1),
    (EntryClass.GOVERNANCE, 1),
    (EntryClass.KEY, 1),
)
_FAIR = frozenset((EntryClass.KEY, EntryClass.GOVERNANCE))
"""Classes whose entries members sign."""
NO_LIMITS: Mapping[EntryClass, int] = {}
_KINDS = {
    EntryClass.RESEARCH: "researchers'",
    EntryClass.KEY: "enrol and revoke",
    EntryClass.GOVERNANCE: "propose and vote",
}


_Share = tuple[EntryClass, str]
"""Of a class, what one member signed."""


class MempoolFull(Exception):
    """There is no room for another entry; the submitter has to try again later."""


class Mempool:
    """Holds only entries whose signature was verified and that were not decided when they arrived."""

    def __init__(self, max_entries: int, max_bytes: int) -> None:
        self._entries: dict[Hash, Entry] = {}
        self._waiting: dict[EntryClass, dict[Hash, int]] = {each: {} for each in EntryClass}
        """The number in the order of arrival, in that order."""
        self._of_member: dict[_Share, dict[Hash, int]] = {}
        """The same of one member alone, for the classes that are fair by member."""
        self._size = Counter[EntryClass]()
        """Bytes."""
        self._member_size = Counter[_Share]()
        self._room = {each: (_room(each, max_entries), _room(each, max_bytes)) for each in EntryClass}
        self._arrivals = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, entry_id: object) -> bool:
        return entry_id in self._entries

    @property
    def bytes(self) -> int:
        """The sum of the lengths of the entries."""
        return self._size.total()

    def get(self, entry_id: Hash) -> Entry | None:
        """The waiting entry with this id, or None."""
        return self._entries.get(entry_id)

    def check_room(self, entries: Iterable[Entry]) -> None:
        """Raise MempoolFull unless all of these, none of which waits, would fit."""
        count, size = Counter[EntryClass](), Counter[EntryClass]()
        own, own_size = Counter[_Share](), Counter[_Share]()
        for entry in entries:
            of_class = entry_class(entry.body)
            if of_class in _FAIR:
                share = (of_class, entry.body["member"])
                self._check_share(share, (own[share], own_size[share]), (count[of_class], size[of_class]), entry)
                own[share] += 1
                own_size[share] += len(entry.raw)
            count[of_class] += 1
            size[of_class] += len(entry.raw)
        for of_class in count:
            most, most_bytes = self._room[of_class]
            held, held_bytes = len(self._waiting[of_class]), self._size[of_class]
            if held + count[of_class] > most or held_bytes + size[of_class] > most_bytes:
                raise MempoolFull(
                    f"{held} {_KINDS[of_class]} entries of {held_bytes} bytes wait, "
                    f"at most {most} of {most_bytes} bytes allowed"
                )

    def _check_share(self, share: _Share, own: tuple[int, int], before: tuple[int, int], entry: Entry) -> None:
        """Raise MempoolFull if the member would hold more than is free.

        `own` and `before`: the number and bytes of the member's and of all entries of the class that are checked
        together with this one and come before it.
        """
        of_class, member = share
        held, held_bytes = len(self._of_member.get(share, ())) + own[0], self._member_size[share] + own[1]
        most, most_bytes = self._room[of_class]
        free = most - len(self._waiting[of_class]) - before[0] - 1
        free_bytes = most_bytes - self._size[of_class] - before[1] - len(entry.raw)
        # The first of a member needs no more than a place. Where no place is left, check_room says so.
        if held and min(free, free_bytes) >= 0 and (held > free or held_bytes > free_bytes):
            raise MempoolFull(
                f"{held} {_KINDS[of_class]} entries of {member} wait, with {held_bytes} bytes; the rest of the room "
                f"is for other members ({free} entries of {free_bytes} bytes)"
            )

    def add(self, entry: Entry) -> None:
        """Append a verified entry. Raises MempoolFull."""
        if entry.id in self._entries:
            return
        self.check_room((entry,))
        of_class = entry_class(entry.body)
        self._arrivals += 1
        self._entries[entry.id] = entry
        self._waiting[of_class][entry.id] = self._arrivals
        self._size[of_class] += len(entry.raw)
        if of_class in _FAIR:
            share = (of_class, entry.body["member"])
            self._of_member.setdefault(share, {})[entry.id] = self._arrivals
            self._member_size[share] += len(entry.raw)

    def remove(self, ids: Iterable[Hash]) -> None:
        """Remove entries that were decided or became invalid."""
        for each in ids:
            entry = self._entries.pop(each, None)
            if entry is not None:
                of_class = entry_class(entry.body)
                del self._waiting[of_class][each]
                self._size[of_class] -= len(entry.raw)
                if of_class in _FAIR:
                    self._remove_from_member((of_class, entry.body["member"]), entry)

    def _remove_from_member(self, share: _Share, entry: Entry) -> None:
        del self._of_member[share][entry.id]
        self._member_size[share] -= len(entry.raw)
        if not self._of_member[share]:
            del self._of_member[share], self._member_size[share]

    def fronts(self) -> list[Entry]:
        """The oldest entry of each class that has one."""
        return [self._entries[next(iter(waiting))] for waiting in self._waiting.values() if waiting]

    def oldest(self, count: int, size: int | None = None, limits: Mapping[EntryClass, int] = NO_LIMITS) -> list[Entry]:
        """Up to `count` entries of up to `size` bytes together (but at least one), in the order of arrival.

        The oldest of each class, and of keys and governance the oldest of each member in turn. Where not all fit,
        governance and keys have their share, and research has the rest; what a class leaves, the others take.
        `limits`: the most of a class, for example in a block.
        """
        room = _Room(count, self.bytes if size is None else size)
        queues = {each: deque(self._queue(each, limits.get(each, count))) for each in EntryClass}
        for of_class, share in _TURNS:
            room.fill(queues[of_class], share)
        # In the order of arrival, also across classes: an entry comes before the revocation of its key.
        return [entry for _, entry in sorted(room.taken, key=itemgetter(0))]

    def _queue(self, of_class: EntryClass, most: int) -> list[tuple[int, Entry]]:
        """The first of a class, at most so many, each with its number in the order of arrival."""
        if of_class not in _FAIR:
            return [(number, self._entries[id_]) for id_, number in islice(self._waiting[of_class].items(), most)]
        turns = sorted(
            (turn, number, id_)
            for (each, _), waiting in self._of_member.items()
            if each is of_class
            for turn, (id_, number) in enumerate(islice(waiting.items(), most))
        )
        return [(number, self._entries[id_]) for _, number, id_ in turns[:most]]


class _Room:
    """What is left of a number of entries and bytes."""

    def __init__(self, count: int, size: int) -> None:
        self._count = self._left = count
        self._size = self._bytes_left = size
        self.taken: list[tuple[int, Entry]] = []

    def fill(self, queue: deque[tuple[int, Entry]], share: int) -> None:
        """Take from the front of `queue` up to a `share`-th of the whole, but at least one where there is room for it.

        The first of all is taken even if it is larger than the room.
        """
        most = min(self._left, -(-self._count // share))
        most_bytes = min(self._bytes_left, self._size // share)
        took = took_bytes = 0
        while queue and took < most:
            size = len(queue[0][1].raw)
            if took_bytes + size > (most_bytes if took else self._bytes_left) and self.taken:
                break
            self.taken.append(queue.popleft())
            took, took_bytes = took + 1, took_bytes + size
        self._left -= took
        self._bytes_left -= took_bytes


def _room(of_class: EntryClass, whole: int) -> int:
    keys, governance = whole // KEY_ROOM, whole // GOVERNANCE_ROOM
    return {EntryClass.KEY: keys, EntryClass.GOVERNANCE: governance}.get(of_class, whole - keys - governance)
