"""The registry on the disk: one pair for each of its records, overwritten and deleted as blocks change them.

The pairs `r` are the registry after the last block of the history. While blocks are missing below an adopted snapshot,
the pairs `l` are what the blocks above the snapshot changed in its registry (keys.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from notarium_ledger.errors import LedgerError
from notarium_ledger.state.chain_state import Transition
from notarium_ledger.state.registry import Registry
from notarium_store import keys
from notarium_store.database import Database, Item
from notarium_store.errors import StoreCorruption

Changes = Mapping[bytes, bytes | None]
"""Record key -> value, None: deleted."""

_DELETED = b""
"""The value of a deleted record among the pairs `l`. No record is empty."""

NAMED_BY_CHECK = "`notarium-node check` names the record"
"""For errors of opening: a hash over all records does not show which one is wrong."""


def changes_of(transitions: Iterable[Transition]) -> dict[bytes, bytes | None]:
    """What consecutive blocks change in total."""
    changes: dict[bytes, bytes | None] = {}
    for transition in transitions:
        changes.update(transition.registry_changes)
    return changes


def items(registry: Registry) -> Iterator[Item]:
    """The pairs `r` of a whole registry."""
    return ((keys.REGISTRY + key, value) for key, value in registry.records())


def history_items(changes: Changes) -> tuple[list[Item], list[bytes]]:
    """(pairs, deleted keys) by which `changes` reach the registry of the history."""
    pairs = [(keys.REGISTRY + key, value) for key, value in changes.items() if value is not None]
    return pairs, [keys.REGISTRY + key for key, value in changes.items() if value is None]


def later_items(changes: Changes) -> list[Item]:
    """The pairs by which `changes` are kept while blocks below them are missing."""
    return [(keys.LATER + key, _DELETED if value is None else value) for key, value in changes.items()]


def later_keys(database: Database) -> list[bytes]:
    """The keys of all pairs `l`."""
    return [key for key, _ in database.pairs(keys.LATER)]


def read_later(database: Database) -> dict[bytes, bytes | None]:
    """What the blocks above the snapshot changed."""
    return {key[1:]: None if value == _DELETED else value for key, value in database.pairs(keys.LATER)}


def read(database: Database) -> Registry:
    """The registry of the history, not yet compared with a state root. Raises StoreCorruption."""
    return _made(database, ((key[1:], value) for key, value in database.pairs(keys.REGISTRY)))


def read_live(database: Database, base: Registry) -> Registry:
    """The registry of the tip above a snapshot with the registry `base`, not yet compared. Raises StoreCorruption."""
    changes = read_later(database)
    if not changes:
        return base
    merged = {**dict(base.records()), **changes}
    kept = ((key, value) for key, value in sorted(merged.items()) if value is not None)
    return _made(database, kept)


def compare(database: Database, prefix: bytes, expected: Iterable[Item]) -> int:
    """The number of pairs under `prefix`, all of which must be `expected` (ascending, with their prefix).

    Raises StoreCorruption with the first key that is missing, differs or is too many.
    """
    count = 0
    found = database.pairs(prefix)
    for key, value in expected:
        stored = next(found, None)
        if stored != (key, value):
            raise _differs(database, key, stored)
        count += 1
    stored = next(found, None)
    if stored is not None:
        raise _too_many(database, stored[0])
    return count


def expected_later(changes: Changes) -> list[Item]:
    """The pairs `l` in ascending order, for `compare`."""
    return sorted(later_items(changes))


def _differs(database: Database, key: bytes, stored: Item | None) -> StoreCorruption:
    if stored is None or stored[0] > key:
        return StoreCorruption(database.path, f"{keys.describe(key)} is missing")
    if stored[0] < key:
        return _too_many(database, stored[0])
    return StoreCorruption(database.path, f"{keys.describe(key)} does not match the chain")


def _too_many(database: Database, key: bytes) -> StoreCorruption:
    return StoreCorruption(database.path, f"{keys.describe(key)} does not belong to the registry")


def _made(database: Database, records: Iterable[Item]) -> Registry:
    try:
        return Registry.of_records(records)
    except LedgerError as error:
        raise database.corruption(f"the stored registry cannot be read: {error}; {NAMED_BY_CHECK}") from error
