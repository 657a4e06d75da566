"""The state machine: apply_block(state, block) -> state.

Building a block and checking a block use the same function: both compute what the header must be. Entries are applied
in order, each against the registry that the entries before it made.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Final

from notarium_ledger.blocks.block import Block, Header
from notarium_ledger.entries.commitment import MAX_TIME_MS, EntryClass, entry_class, is_member_body
from notarium_ledger.entries.entry import Entry, decode_entry, verify_signature
from notarium_ledger.errors import InvalidBlock, InvalidEntry, QuotaExceeded
from notarium_ledger.log.frontier import EMPTY, Frontier, Node
from notarium_ledger.state.governance import apply_entry, check_author, without_expired
from notarium_ledger.state.quota import Tally, check_quota
from notarium_ledger.state.registry import Parameters, Registry
from notarium_ledger.types import Hash, Height, PublicKey

MAX_KEY_ENTRIES = 192
"""enrol and revoke in one block."""
MAX_GOVERNANCE_ENTRIES = 64
"""propose and vote in one block."""
CLASS_LIMITS: Final[Mapping[EntryClass, int]] = MappingProxyType(
    {EntryClass.KEY: MAX_KEY_ENTRIES, EntryClass.GOVERNANCE: MAX_GOVERNANCE_ENTRIES}
)
"""Entries of a class in one block, besides the consortium's max_block_entries: the bound on a block's work."""

IsDecided = Callable[[Hash], bool]
"""Whether an entry id is in the log already: the only question about history that the state cannot answer."""

ReadEntry = Callable[[bytes], Entry]
"""Wire bytes -> entry whose signature the caller has verified."""


@dataclass(frozen=True, slots=True)
class ChainState:
    """Everything that is needed to check the next block."""

    genesis: Hash
    height: Height
    """Height of the last block, 0 before the first."""
    tip: Hash
    """Block hash of the last block, the genesis hash before the first."""
    time_ms: int
    """Time of the last block; 0 before the first."""
    frontier: Frontier
    """Of the log."""
    registry: Registry
    since: Height
    """The height from which the registry's validator set is in force."""

    @classmethod
    def initial(cls, genesis: Hash, registry: Registry) -> ChainState:
        """The state before the first block."""
        return cls(genesis, Height(0), genesis, 0, EMPTY, registry, Height(1))


@dataclass(frozen=True, slots=True)
class Transition:
    """The effects of a block."""

    state: ChainState
    """The state after it."""
    header: Header
    entries: tuple[Entry, ...]
    first_index: int
    """Log index of its first entry."""
    nodes: tuple[Node, ...]
    """The tree nodes that it completes."""
    registry_changes: Mapping[bytes, bytes | None]
    """The registry's records that it writes; None: deletes."""


def check_admissible(state: ChainState, entry: Entry, time_ms: int) -> None:
    """Raise InvalidEntry where the current state does not allow `entry` in the next block, if that has this time."""
    _check_size(state.registry.parameters, entry)
    if is_member_body(entry.body):
        height = Height(state.height + 1)
        apply_entry(without_expired(state.registry, height), entry, height)
    else:
        check_author(state.registry, entry)
    check_quota(state.registry, entry, time_ms)


def select_entries(
    state: ChainState, candidates: Sequence[Entry], is_decided: IsDecided, time_ms: int
) -> tuple[list[Entry], list[tuple[Entry, InvalidEntry]]]:
    """The longest run of `candidates` that makes one valid block of that time, and those that no such block can hold.

    The latter with the reason. What only has to wait is in neither list: a second membership change, entries above the
    limit of their class, what a member's day holds alone but not with the entries before it, because another block may
    be decided in place of this one, and all that follows where the block is full.
    """
    parameters, height = state.registry.parameters, Height(state.height + 1)
    registry, changed, size = without_expired(state.registry, height), False, 0
    chosen: list[Entry] = []
    rejected: list[tuple[Entry, InvalidEntry]] = []
    seen: set[Hash] = set()
    of_class: Counter[EntryClass] = Counter()
    tally = Tally(state.registry, time_ms)
    for entry in candidates:
        if len(chosen) == parameters.max_block_entries or size + len(entry.raw) > parameters.max_block_bytes:
            break
        class_ = entry_class(entry.body)
        if of_class[class_] == CLASS_LIMITS.get(class_):
            continue
        try:
            if entry.id in seen or is_decided(entry.id):
                raise InvalidEntry("is in the log already", "entry")
            _check_size(parameters, entry)  # The limit may have been lowered since the entry arrived.
            after, change = apply_entry(registry, entry, height)
            if change and changed:
                continue
            try:
                tally.add(entry)
            except QuotaExceeded:
                check_quota(state.registry, entry, time_ms)
                continue
        except InvalidEntry as error:
            rejected.append((entry, error))
            continue
        registry, changed = after, changed or change
        of_class[class_] += 1
        chosen.append(entry)
        seen.add(entry.id)
        size += len(entry.raw)
    return chosen, rejected


def advance(state: ChainState, entries: Sequence[Entry], time_ms: int, proposer: PublicKey) -> Transition:
    """The block that these entries, time and proposer make on top of `state`. Raises InvalidBlock.

    `entries` must be verified, distinct and not in the log. This function checks whether they are permitted.
    """
    check_sizes(state.registry.parameters, [entry.raw for entry in entries])
    check_classes(entries)
    return _advance(state, entries, time_ms, proposer)


def _advance(state: ChainState, entries: Sequence[Entry], time_ms: int, proposer: PublicKey) -> Transition:
    if not state.time_ms < time_ms <= MAX_TIME_MS:
        raise InvalidBlock(
            f"{time_ms} is not above the parent's {state.time_ms} and at most {MAX_TIME_MS}",
            "header.time_ms",
            limit=MAX_TIME_MS,
        )
    if proposer not in state.registry.validators:
        raise InvalidBlock(f"{proposer.hex()} is not a validator", "header.proposer")
    height = Height(state.height + 1)
    tally = Tally(state.registry, time_ms)
    changing = tally.counted(_apply_entries(without_expired(state.registry, height), entries, height, tally))
    changes, registry = changing.changes, changing.settled()
    frontier, nodes = state.frontier.extend(entry.id for entry in entries)
    header = Header(
        genesis=state.genesis,
        height=height,
        parent=state.tip,
        time_ms=time_ms,
        proposer=proposer,
        tree_size=frontier.size,
        tree_root=frontier.root(),
        validators=state.registry.validators.hash,
        since=state.since,
        next_validators=registry.validators.hash,
        state_root=registry.hash,
    )
    after = ChainState(state.genesis, header.height, header.hash, time_ms, frontier, registry, header.next_since)
    return Transition(after, header, tuple(entries), state.frontier.size, tuple(nodes), changes)


def apply_block(state: ChainState, block: Block, is_decided: IsDecided, read: ReadEntry | None = None) -> Transition:
    """Check `block` against `state` in full and return its effects. Raises InvalidBlock with the field.

    Without `read`, decodes the entries and verifies their signatures. A node passes one that
    knows what its mempool has verified.
    """
    check_sizes(state.registry.parameters, block.entries)
    entries = _read(block, is_decided, read or decode_entry)
    check_classes(entries)
    if read is None:  # Only now: signatures cost the most, and a block that failed above needs none verified.
        for number, entry in enumerate(entries):
            try:
                verify_signature(entry, state.genesis)
            except InvalidEntry as error:
                raise _invalid(number, error) from error
    result = _advance(state, entries, block.header.time_ms, block.header.proposer)
    if result.header != block.header:
        wrong = next(
            each.name
            for each in fields(Header)
            if each.compare and getattr(result.header, each.name) != getattr(block.header, each.name)
        )
        raise InvalidBlock("does not follow from the parent's state and the entries", f"header.{wrong}")
    return result


def _check_size(parameters: Parameters, entry: Entry) -> None:
    if len(entry.raw) > parameters.max_entry_bytes:
        limit = parameters.max_entry_bytes
        raise InvalidEntry(f"{len(entry.raw)} bytes, at most {limit} allowed", "entry", limit=limit)


def check_sizes(parameters: Parameters, raws: Sequence[bytes]) -> None:
    """Raise InvalidBlock if these are too many entries or bytes for a block, or one is too long. Decodes nothing."""
    limit = parameters.max_block_entries
    if not 1 <= len(raws) <= limit:
        raise InvalidBlock(f"{len(raws)} entries, 1 to {limit} allowed", "entries", limit=limit)
    size, limit = sum(map(len, raws)), parameters.max_block_bytes
    if size > limit:
        raise InvalidBlock(f"{size} bytes of entries, at most {limit} allowed", "entries", limit=limit)
    limit = parameters.max_entry_bytes
    for number, raw in enumerate(raws):
        if len(raw) > limit:
            raise InvalidBlock(f"{len(raw)} bytes, at most {limit} allowed", f"entries[{number}]", limit=limit)


def check_classes(entries: Iterable[Entry]) -> None:
    """Raise InvalidBlock if these entries are too many of one class for a block. Needs no signature."""
    of_class = Counter(entry_class(entry.body) for entry in entries)
    for class_, limit in CLASS_LIMITS.items():
        if of_class[class_] > limit:
            raise InvalidBlock(
                f"{of_class[class_]} entries of class {class_}, at most {limit} allowed", "entries", limit=limit
            )


def _read(block: Block, is_decided: IsDecided, read: ReadEntry) -> list[Entry]:
    entries: list[Entry] = []
    seen: set[Hash] = set()
    for number, raw in enumerate(block.entries):
        try:
            entry = read(raw)
            if entry.id in seen or is_decided(entry.id):
                raise InvalidEntry("is in the log already", "entry")
        except InvalidEntry as error:
            raise _invalid(number, error) from error
        seen.add(entry.id)
        entries.append(entry)
    return entries


def _invalid(number: int, error: InvalidEntry) -> InvalidBlock:
    return InvalidBlock(str(error), f"entries[{number}]", limit=error.limit)


def _apply_entries(registry: Registry, entries: Sequence[Entry], height: Height, tally: Tally) -> Registry:
    changed = False
    for number, entry in enumerate(entries):
        try:
            registry, change = apply_entry(registry, entry, height)
            tally.add(entry)
        except InvalidEntry as error:
            raise _invalid(number, error) from error
        if change and changed:
            raise InvalidBlock("second membership change in one block, one allowed", f"entries[{number}]")
        changed = changed or change
    return registry
