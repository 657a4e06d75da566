"""Reads and checks a store when it is opened: it belongs to this ledger, and its tip is consistent.

The check of the tip starts at the certificate: the stored header hashes to the state's tip, a quorum of its validator
set certified it, the records of the registry hash to its state root, and the stored tree nodes fold to its tree root.
LevelDB's checksums at every read, and `check.check_chain`, cover the blocks below. Where blocks are missing below an
adopted snapshot, opening verifies the snapshot again, and checks the last block before the gap like a tip.
"""

from __future__ import annotations

from dataclasses import dataclass

from notarium_ledger.blocks.validators import ValidatorSet
from notarium_ledger.encoding import canonical
from notarium_ledger.errors import LedgerError
from notarium_ledger.log import frontier as tree
from notarium_ledger.state.chain_state import ChainState
from notarium_ledger.state.genesis import Genesis
from notarium_ledger.state.registry import Registry
from notarium_ledger.trust.chain import Handover
from notarium_ledger.trust.snapshot import Snapshot
from notarium_ledger.types import KEY_BYTES, Height, PublicKey
from notarium_store import keys, layout, registry_records
from notarium_store.database import Database
from notarium_store.errors import ForeignStore, OtherFormat, StoreCorruption
from notarium_store.gap import Gap
from notarium_store.layout import StoredState
from notarium_store.lookups import NodeReader, decoded, read_group, read_header
from notarium_store.registry_records import NAMED_BY_CHECK


@dataclass(frozen=True, slots=True)
class Loaded:
    """The part of a store that is kept in memory."""

    live: ChainState
    """The state after the last block, on which new blocks build."""
    gap: Gap | None
    handovers: tuple[Handover, ...]
    """All changes of the validator set from genesis to the tip; those of missing blocks come from the snapshot."""
    record_keys: set[bytes]
    owner: PublicKey | None


def load(database: Database, genesis: Genesis) -> Loaded:
    """Read the state and check the tip. Initialises an empty database for this ledger.

    Raises StoreCorruption, ForeignStore or OtherFormat.
    """
    check_meta(database, genesis)
    registry = registry_records.read(database)
    base = load_base(database, genesis)
    gap = None if base is None else _gap(database, genesis, base, registry)
    if gap is not None:
        registry = registry_records.read_live(database, gap.base.registry)
    handovers = _handovers(database, gap)
    record_keys = {key for key, _ in database.scan(keys.RECORD)}
    owner = load_owner(database)
    encoded = database.get(keys.STATE)
    if encoded is None:
        if gap is not None or database.seek(keys.HEADER, keys.HEADER) is not None:
            raise StoreCorruption(database.path, f"{keys.describe(keys.STATE)} is missing, but blocks are stored")
        stored = StoredState.of(_initial(genesis))
    else:
        stored = decoded(database, StoredState.decode, encoded, keys.STATE)
    live = _state(database, genesis, stored, registry, handovers, gap)
    return Loaded(live, gap, handovers, record_keys, owner)


def load_owner(database: Database) -> PublicKey | None:
    """The node whose consensus records the store holds, or None where nobody has said. Raises StoreCorruption."""
    owner = database.get(keys.OWNER)
    if owner is not None and len(owner) != KEY_BYTES:
        raise StoreCorruption(database.path, f"{keys.describe(keys.OWNER)} has {len(owner)} bytes, not {KEY_BYTES}")
    return None if owner is None else PublicKey(owner)


@dataclass(frozen=True, slots=True)
class Base:
    """The adopted snapshot of a store that lacks blocks below it, and the end of the blocks before them."""

    snapshot: Snapshot
    state: ChainState
    """The snapshot's, verified."""
    history: StoredState
    """Not yet checked."""


def load_base(database: Database, genesis: Genesis) -> Base | None:
    """The adopted snapshot while blocks below it are missing, verified again, or None. Raises StoreCorruption."""
    base, history = database.get(keys.BASE), database.get(keys.HISTORY)
    if base is None and history is None:
        stray = database.seek(keys.LATER, keys.LATER)
        if stray is not None:
            raise StoreCorruption(database.path, f"{keys.describe(stray[0])} is present, but no blocks are missing")
        return None
    if base is None or history is None:
        missing, present = (keys.BASE, keys.HISTORY) if base is None else (keys.HISTORY, keys.BASE)
        raise StoreCorruption(
            database.path, f"{keys.describe(missing)} is missing, but {keys.describe(present)} is present"
        )
    snapshot = decoded(database, Snapshot.decode, base, keys.BASE)
    try:
        state = snapshot.verify(genesis)
    except LedgerError as error:
        raise StoreCorruption(database.path, f"the adopted snapshot is not valid: {error}", snapshot.height) from error
    stored = decoded(database, StoredState.decode, history, keys.HISTORY)
    if stored.height >= state.height:
        raise StoreCorruption(database.path, f"{keys.describe(keys.HISTORY)} is not below the adopted snapshot")
    return Base(snapshot, state, stored)


def _gap(database: Database, genesis: Genesis, base: Base, registry: Registry) -> Gap:
    """The gap below `base`; `registry` is that of the last block before it."""
    history = _state(database, genesis, base.history, registry, base.snapshot.decided.handovers, None)
    return Gap(history, base.snapshot, base.state)


def _initial(genesis: Genesis) -> ChainState:
    return ChainState.initial(genesis.hash, genesis.registry)


def _state(
    database: Database,
    genesis: Genesis,
    stored: StoredState,
    registry: Registry,
    handovers: tuple[Handover, ...],
    gap: Gap | None,
) -> ChainState:
    """The state of `stored` and `registry`, checked. `gap`: the missing blocks below it, if any."""
    if stored.height == 0 or (gap is not None and stored.height <= gap.base.height):
        known, name = (_initial(genesis), "genesis") if gap is None else (gap.base, "the adopted snapshot")
        if stored != StoredState.of(known):
            raise StoreCorruption(database.path, f"the stored state is not that of {name}", stored.height)
        if registry.hash != known.registry.hash:
            raise StoreCorruption(
                database.path, f"the stored registry is not that of {name}; {NAMED_BY_CHECK}", stored.height
            )
        return known
    _check_tip(database, genesis, stored, registry, handovers, gap)
    tip = read_header(database, stored.height).header
    return ChainState(
        genesis.hash, stored.height, stored.tip, stored.time_ms, stored.frontier, registry, tip.next_since
    )


def check_meta(database: Database, genesis: Genesis) -> None:
    """Check that the database is this ledger's; initialise an empty one.

    Raises ForeignStore, OtherFormat or StoreCorruption.
    """
    found = database.get(keys.META)
    if found == layout.meta_value(genesis.hash, _version(database)):
        return
    if found is None:
        if database.seek(b"", b"") is not None:
            raise StoreCorruption(database.path, f"{keys.describe(keys.META)} is missing")
        database.write([(keys.META, layout.meta_value(genesis.hash)), *registry_records.items(genesis.registry)])
        return
    value = decoded(database, canonical.decode, found, keys.META)
    if not isinstance(value, list) or len(value) != 2:
        raise StoreCorruption(database.path, f"{keys.describe(keys.META)} is not [version, genesis hash]")
    version, hash_ = value
    if version not in (layout.FORMAT_VERSION, layout.GAPPED_VERSION):
        raise OtherFormat(
            database.path,
            f"format version {version!r}, this software reads {layout.FORMAT_VERSION} and {layout.GAPPED_VERSION}",
        )
    if hash_ == genesis.hash:
        raise StoreCorruption(
            database.path, f"format version {version} does not match the presence of {keys.describe(keys.BASE)}"
        )
    shown = hash_.hex() if isinstance(hash_, bytes) else repr(hash_)
    raise ForeignStore(database.path, f"belongs to the ledger with genesis {shown}, not to {genesis.hash.hex()}")


def _version(database: Database) -> int:
    return layout.FORMAT_VERSION if database.get(keys.BASE) is None else layout.GAPPED_VERSION


def _handovers(database: Database, gap: Gap | None) -> tuple[Handover, ...]:
    found: list[Handover] = []
    below = Height(0)
    if gap is not None:
        below = gap.base.height
        found += gap.snapshot.handovers_after(gap.base.registry)
    for key, value in database.scan(keys.HANDOVER, keys.numbered(keys.HANDOVER, below + 1)):
        validators = decoded(database, _decode_validators, value, key)
        stored = read_header(database, int.from_bytes(key[1:], "big"))
        found.append(Handover(stored.header, stored.certificate, validators))
    return tuple(found)


def _decode_validators(data: bytes) -> ValidatorSet:
    return ValidatorSet.from_value(canonical.decode(data))


def _check_tip(
    database: Database,
    genesis: Genesis,
    state: StoredState,
    registry: Registry,
    handovers: tuple[Handover, ...],
    gap: Gap | None,
) -> None:
    def fail(reason: str) -> StoreCorruption:
        return StoreCorruption(database.path, reason, state.height)

    stored = read_header(database, state.height)
    header = stored.header
    if header.hash != state.tip or header.height != state.height or header.time_ms != state.time_ms:
        raise fail("the stored header is not the state's tip")
    if header.genesis != genesis.hash:
        raise fail("the header belongs to another ledger")
    before = [each for each in handovers if each.header.height < state.height]
    signing = before[-1].validators if before else genesis.registry.validators
    since = before[-1].header.next_since if before else 1
    if (signing.hash, since) != (header.validators, header.since):
        raise fail("the stored handovers do not lead to the validator set of the header")
    try:
        stored.certificate.verify(genesis.hash, signing, state.height, state.tip)
    except LedgerError as error:
        raise fail(f"the certificate is not valid: {error}") from error
    if registry.hash != header.state_root:
        raise fail(f"the stored registry does not hash to the state root; {NAMED_BY_CHECK}")
    if state.frontier.size != header.tree_size or state.frontier.root() != header.tree_root:
        raise fail("the state's frontier does not fold to the tree root")

    read_stored = NodeReader(lambda position: read_group(database, position))

    def read(level: int, index: int) -> bytes:
        peak = None if gap is None else gap.peak(level, index)
        return peak or read_stored(level, index)

    if tree.frontier_at(read, state.frontier.size) != state.frontier:
        raise fail("the stored tree nodes do not fold to the tree root")
