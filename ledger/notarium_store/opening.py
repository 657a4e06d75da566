"""What is read and checked when a store is opened: that it is this ledger's, and that its tip holds together.

The tip is checked from the certificate down: the stored header hashes to the state's tip, a quorum of the set that
signs it certified it, the registry hashes to its state root and the stored tree nodes fold to its tree root. What lies
below is covered by LevelDB's checksums at every read, and by `check.check_chain`.
"""

from __future__ import annotations

from dataclasses import dataclass

from notarium_ledger import canonical, tree
from notarium_ledger.errors import LedgerError
from notarium_ledger.genesis import Genesis
from notarium_ledger.receipt import Handover
from notarium_ledger.registry import Registry
from notarium_ledger.state import ChainState
from notarium_ledger.types import Height
from notarium_ledger.validators import ValidatorSet
from notarium_store import keys, values
from notarium_store.database import Database
from notarium_store.errors import ForeignStore, StoreCorruption
from notarium_store.reading import NodeReader, decoded, read_group, read_header
from notarium_store.values import StoredState


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a store keeps in memory."""

    state: ChainState
    registry_height: Height
    handovers: tuple[Handover, ...]
    record_keys: set[bytes]


def load(database: Database, genesis: Genesis) -> Loaded:
    """Read the state and check the tip; an empty database becomes this ledger's.

    Raises StoreCorruption or ForeignStore.
    """
    check_meta(database, genesis)
    handovers = _handovers(database)
    record_keys = {key for key, _ in database.scan(keys.RECORD)}
    encoded = database.get(keys.STATE)
    if encoded is None:
        if database.seek(keys.HEADER, keys.HEADER) is not None:
            raise StoreCorruption(database.path, f"{keys.describe(keys.STATE)} is missing beside stored blocks")
        return Loaded(ChainState.initial(genesis.hash, genesis.registry), Height(0), handovers, record_keys)
    stored = decoded(database, StoredState.decode, encoded, keys.STATE)
    registry = _registry(database, genesis, stored.registry_height)
    _check_tip(database, genesis, stored, registry, handovers)
    state = ChainState(genesis.hash, stored.height, stored.tip, stored.time_ms, stored.frontier, registry)
    return Loaded(state, stored.registry_height, handovers, record_keys)


def check_meta(database: Database, genesis: Genesis) -> None:
    """That the database is this ledger's; an empty one becomes so. Raises ForeignStore or StoreCorruption."""
    expected = values.meta_value(genesis.hash)
    found = database.get(keys.META)
    if found == expected:
        return
    if found is None:
        if database.seek(b"", b"") is not None:
            raise StoreCorruption(database.path, f"{keys.describe(keys.META)} is missing")
        database.write([(keys.META, expected)])
        return
    value = decoded(database, canonical.decode, found, keys.META)
    if not isinstance(value, list) or len(value) != 2:
        raise StoreCorruption(database.path, f"{keys.describe(keys.META)} is not [version, genesis hash]")
    version, hash_ = value
    if version != values.FORMAT_VERSION:
        raise StoreCorruption(database.path, f"format version {version!r}, this software reads {values.FORMAT_VERSION}")
    shown = hash_.hex() if isinstance(hash_, bytes) else repr(hash_)
    raise ForeignStore(database.path, f"is of the ledger with genesis {shown}, not of {genesis.hash.hex()}")


def _registry(database: Database, genesis: Genesis, height: Height) -> Registry:
    if height == 0:
        return genesis.registry
    key = keys.numbered(keys.REGISTRY, height)
    return decoded(database, Registry.decode, database.require(key), key)


def _handovers(database: Database) -> tuple[Handover, ...]:
    found = []
    for key, value in database.scan(keys.HANDOVER):
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
) -> None:
    def fail(reason: str) -> StoreCorruption:
        return StoreCorruption(database.path, reason, state.height)

    stored = read_header(database, state.height)
    header = stored.header
    if header.hash != state.tip or header.height != state.height or header.time_ms != state.time_ms:
        raise fail("the stored header is not the state's tip")
    if header.genesis != genesis.hash:
        raise fail("the header is of another ledger")
    before = [each.validators for each in handovers if each.header.height < state.height]
    signing = before[-1] if before else genesis.registry.validators
    if signing.hash != header.validators:
        raise fail("the stored handovers do not lead to the validator set that signs it")
    try:
        stored.certificate.verify(genesis.hash, signing, state.height, state.tip)
    except LedgerError as error:
        raise fail(f"the certificate is not valid: {error}") from error
    if registry.hash != header.state_root:
        raise fail("the stored registry does not hash to the state root")
    if state.frontier.size != header.tree_size or state.frontier.root() != header.tree_root:
        raise fail("the state's frontier is not that of the tree root")

    read = NodeReader(lambda position: read_group(database, position))
    if tree.frontier_at(read, state.frontier.size) != state.frontier:
        raise fail("the stored tree nodes do not fold to the tree root")
