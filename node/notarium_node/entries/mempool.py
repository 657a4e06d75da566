"""The verified entries that wait for a block, bounded by count and by the memory that they cost.

Entries are of three classes: research, keys (enrol, revoke) and governance (propose, vote). Each class has its own room
here and its own share of a block, so that none crowds out another: 4,200 waiting enrolments delay neither research nor
the vote that removes the member who sent them.

Within a class the room is shared fairly. A member whose entries wait gets no more than is still free, and one of its
keys no more than is still free for the member: a key that floods has a third of the room, however fast it sends, and
something is left for each other key and member. When entries are chosen, the members take turns, and so do the keys of
each member (turns.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from notarium_ledger.entries.commitment import EntryClass, entry_class
from notarium_ledger.entries.entry import Entry
from notarium_ledger.types import Hash, PublicKey
from notarium_node.entries.footprint import footprint
from notarium_node.entries.turns import FairQueue, Queued, member_of

KEY_ROOM = 4
"""Keys have one fourth of the mempool."""
GOVERNANCE_ROOM = 16
"""Governance has one sixteenth of the mempool; research has the rest."""
KEY_PART = 3
"""One key alone has a third of the room of its class: no more than is free besides what it has."""
SHARE = 4
"""Governance and keys each have one fourth of a block for certain, and more where others do not need it."""
_TURNS = (
    (EntryClass.GOVERNANCE, SHARE),
    (EntryClass.KEY, SHARE),
    (EntryClass.RESEARCH, 1),
    (EntryClass.GOVERNANCE, 1),
    (EntryClass.KEY, 1),
)
NO_LIMITS: Mapping[EntryClass, int] = {}
_KINDS = {
    EntryClass.RESEARCH: "researchers'",
    EntryClass.KEY: "enrol and revoke",
    EntryClass.GOVERNANCE: "propose and vote",
}
_LATER = "Submit the entries again when some of those are decided."


class MempoolFull(Exception):
    """There is no space for another entry of this key, of its member, or of any."""

    def __init__(self, text: str, remedy: str) -> None:
        super().__init__(text)
        self.remedy = remedy


class Mempool:
    """Holds only entries whose signature was verified and that were not decided when they arrived."""

    def __init__(self, max_entries: int, max_bytes: int) -> None:
        """`max_bytes`: of memory."""
        self._waiting: dict[Hash, Queued] = {}
        self._rooms = {each: _Room(each, _room(each, max_entries), _room(each, max_bytes)) for each in EntryClass}
        self._arrivals = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, entry_id: object) -> bool:
        return entry_id in self._waiting

    def __iter__(self) -> Iterator[Entry]:
        """All entries, in the order of arrival."""
        return (each.entry for each in self._waiting.values())

    @property
    def bytes(self) -> int:
        """What the entries cost in memory."""
        return sum(each.turns.cost for each in self._rooms.values())

    def get(self, entry_id: Hash) -> Entry | None:
        """The waiting entry with this id, or None."""
        waiting = self._waiting.get(entry_id)
        return None if waiting is None else waiting.entry

    def room_for(self, entries: Iterable[Entry]) -> list[Queued]:
        """These entries, none of which waits, as `put` takes them. Raises MempoolFull unless all of them would fit."""
        found: list[Queued] = []
        of_class: dict[EntryClass, list[Queued]] = {}
        for entry in entries:
            self._arrivals += 1
            each = Queued(entry, member_of(entry), self._arrivals, footprint(entry))
            found.append(each)
            of_class.setdefault(entry_class(entry.body), []).append(each)
        for class_, arriving in of_class.items():
            self._rooms[class_].check(arriving)
        return found

    def put(self, arriving: Iterable[Queued]) -> None:
        """Append verified entries for which `room_for` has just found room."""
        for each in arriving:
            self._waiting[each.entry.id] = each
            self._rooms[entry_class(each.entry.body)].turns.add(each)

    def add(self, entry: Entry) -> None:
        """Append a verified entry. Raises MempoolFull."""
        if entry.id not in self._waiting:
            self.put(self.room_for((entry,)))

    def remove(self, ids: Iterable[Hash]) -> None:
        """Remove entries that were decided or became invalid."""
        for each in ids:
            waiting = self._waiting.pop(each, None)
            if waiting is not None:
                self._rooms[entry_class(waiting.entry.body)].turns.remove(waiting)

    def fronts(self) -> list[Entry]:
        """Of each class that has entries, the one whose turn it is."""
        return [next(iter(each.turns)).entry for each in self._rooms.values() if each.turns.count]

    def oldest(self, count: int, size: int | None = None, limits: Mapping[EntryClass, int] = NO_LIMITS) -> list[Entry]:
        """Up to `count` entries of up to `size` bytes together (but at least one), in the order of arrival.

        Of each class the oldest of each key, where members and keys take turns. Where not all fit, governance and keys
        have their share, and research has the rest; what a class leaves, the others take.
        `limits`: the most of a class, for example in a block.
        """
        # An entry's bytes are fewer than those of memory that it costs.
        choice = _Choice(count, self.bytes if size is None else size)
        queues = {each: _Queue(islice(self._rooms[each].turns, limits.get(each, count))) for each in EntryClass}
        for of_class, share in _TURNS:
            choice.fill(queues[of_class], share)
        # In the order of arrival, also across classes: an entry comes before the revocation of its key.
        choice.taken.sort(key=_number)
        return [each.entry for each in choice.taken]


class _Room:
    """The room of one class, and what waits in it."""

    def __init__(self, of_class: EntryClass, most: int, most_bytes: int) -> None:
        self._kind = _KINDS[of_class]
        self.most, self.most_bytes = most, most_bytes
        self.turns = FairQueue()

    def check(self, arriving: Iterable[Queued]) -> None:
        """Raise MempoolFull unless all of these, none of which waits, would fit."""
        count, cost = self.turns.count, self.turns.cost
        # What the members and keys would have, with those of `arriving` that come first.
        members: dict[str, tuple[int, int]] = {}
        keys: dict[tuple[str, PublicKey], tuple[int, int]] = {}
        for each in arriving:
            key = each.entry.key
            member_count, member_cost = members.get(each.member) or self.turns.of_member(each.member)
            key_count, key_cost = keys.get((each.member, key)) or self.turns.of_key(each.member, key)
            free, free_cost = self.most - count - 1, self.most_bytes - cost - each.cost
            if free < 0 or free_cost < 0:
                raise MempoolFull(
                    f"{count} {self._kind} entries wait, with {cost} bytes of memory; "
                    f"at most {self.most} with {self.most_bytes} are allowed",
                    _LATER,
                )
            # The first of a member, and of a key, needs no more than a place.
            if member_count and (member_count > free or member_cost > free_cost):
                raise self._too_many(each.member, member_count, member_cost, "members")
            if key_count and (key_count > free - member_count or key_cost > free_cost - member_cost):
                raise self._too_many(f"the key {key.hex()} of {each.member}", key_count, key_cost, "keys")
            members[each.member] = member_count + 1, member_cost + each.cost
            keys[each.member, key] = key_count + 1, key_cost + each.cost
            count, cost = count + 1, cost + each.cost

    def _too_many(self, whose: str, count: int, cost: int, others: str) -> MempoolFull:
        return MempoolFull(
            f"{count} {self._kind} entries of {whose} wait or came with this request, with {cost} bytes of memory; "
            f"the rest of the space is for other {others}",
            f"{_LATER} One request of one key can have {self.most // KEY_PART} entries at most, with "
            f"{self.most_bytes // KEY_PART} bytes of memory: send more in several requests.",
        )


class _Queue:
    """Entries of which the first can be seen before it is taken."""

    def __init__(self, waiting: Iterator[Queued]) -> None:
        self._rest = waiting
        self.first = next(waiting, None)

    def take(self) -> None:
        """Go on to the next."""
        self.first = next(self._rest, None)


class _Choice:
    """What is taken, up to a number of entries and bytes."""

    def __init__(self, count: int, size: int) -> None:
        self._count = self._left = count
        self._size = self._bytes_left = size
        self.taken: list[Queued] = []

    def fill(self, queue: _Queue, share: int) -> None:
        """Take from `queue` up to a `share`-th of the whole, but at least one where there is room for it.

        The first of all is taken even if it is larger than the room.
        """
        most = min(self._left, -(-self._count // share))
        most_bytes = min(self._bytes_left, self._size // share)
        took = took_bytes = 0
        while took < most and (first := queue.first) is not None:
            size = len(first.entry.raw)
            if took_bytes + size > (most_bytes if took else self._bytes_left) and self.taken:
                break
            self.taken.append(first)
            queue.take()
            took, took_bytes = took + 1, took_bytes + size
        self._left -= took
        self._bytes_left -= took_bytes


def _number(waiting: Queued) -> int:
    return waiting.number


def _room(of_class: EntryClass, whole: int) -> int:
    keys, governance = whole // KEY_ROOM, whole // GOVERNANCE_ROOM
    return {EntryClass.KEY: keys, EntryClass.GOVERNANCE: governance}.get(of_class, whole - keys - governance)
