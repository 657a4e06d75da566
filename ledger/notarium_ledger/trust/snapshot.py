"""The snapshot: what a node needs to continue from a decided height, proven by genesis and certificates alone.

    canonical [2, [header, certificate, [[header, certificate, validators], ...]], registry, peaks]

`registry` and `peaks` are byte strings: the registry's records as a canonical list [key, value, key, value, ...] in
ascending order of the keys, and the joined peaks of the log's tree, largest first.
The header's tree size gives the number of peaks. A node need not trust the sender: a snapshot can be old, but it cannot
be false. Verification has numbered steps, and an error names its step:

 1  form        canonical, of a known version
 2  ledger      the header names the pinned genesis
 3  handovers   each change of the validator set is certified by the set before it
 4  decision    the header is certified by the set in force
 5  registry    the registry hashes to the header's state root, and makes the next validator set
 6  frontier    the peaks fold to the header's tree root
"""

from __future__ import annotations

from dataclasses import dataclass, field

from notarium_ledger.encoding import canonical
from notarium_ledger.encoding.reading import read_bytes, read_hashes, read_list, read_version
from notarium_ledger.encoding.value_count import check_value_count
from notarium_ledger.errors import InvalidSnapshot, LedgerError, NotCanonical, errors_as
from notarium_ledger.log.frontier import Frontier
from notarium_ledger.state.chain_state import ChainState
from notarium_ledger.state.genesis import Genesis
from notarium_ledger.state.registry import Registry, decode_records, registry_hash
from notarium_ledger.trust.chain import ChainStep, ChainVerifier, DecidedHeader, Handover, InvalidChain
from notarium_ledger.types import Height

SNAPSHOT_VERSION = 2
MAX_SNAPSHOT_BYTES = canonical.MAX_BYTES
"""The registry is the largest part: half a million researchers' keys make about 22 MB."""
MAX_REGISTRY_BYTES = 48 * 1024 * 1024
"""Of it. The largest registry that the rules allow is smaller (capacity.py); the rest is for the proof."""
MAX_SNAPSHOT_VALUES = 600_000
"""Outside of byte strings. At 23 bytes a value, handovers of so many values fill the largest receipt
(receipt.MAX_RECEIPT_BYTES). A value takes a hundred bytes in memory: without a bound, 64 MiB from a Byzantine peer
would take a gigabyte."""

_CHAIN_STEPS = {ChainStep.LEDGER: 2, ChainStep.HANDOVERS: 3, ChainStep.DECISION: 4}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state after a decided block, with its proof. Not yet verified."""

    decided: DecidedHeader
    """The block's header, its certificate and the handovers before it."""
    registry: bytes
    """The records of the registry after the block (Registry.encode). Decoded only once the header is proven."""
    frontier: Frontier
    """The log's frontier after the block."""
    _verified: ChainState | None = field(init=False, default=None, compare=False, repr=False)

    @property
    def height(self) -> Height:
        """Height of the decided block."""
        return self.decided.header.height

    @classmethod
    def of(cls, state: ChainState, decided: DecidedHeader) -> Snapshot:
        """The snapshot of `state`; `decided` is its last block."""
        return cls(decided, state.registry.encode(), state.frontier)

    def encode(self) -> bytes:
        """Canonical bytes."""
        return canonical.encode(
            [SNAPSHOT_VERSION, self.decided.to_value(), self.registry, b"".join(self.frontier.peaks)]
        )

    @classmethod
    def decode(cls, data: bytes) -> Snapshot:
        """Step 1. Raises InvalidSnapshot."""
        with errors_as(InvalidSnapshot, 1):  # 1 form
            return cls._from_value(canonical.decode(data, _most_values(data)))

    @classmethod
    def _from_value(cls, value: canonical.Value) -> Snapshot:
        version, decided_value, registry, joined = read_list(value, "", 4, "[version, decided header, registry, peaks]")
        read_version(version, "version", SNAPSHOT_VERSION)
        decided = DecidedHeader.from_value(decided_value)
        size, peaks = decided.header.tree_size, read_hashes(joined, "peaks")
        if len(peaks) != size.bit_count():
            raise LedgerError(f"not the {size.bit_count()} hashes that a tree of {size} leaves has", "peaks")
        return cls(decided, _registry_bytes(registry), Frontier(size, peaks))

    def verify(self, genesis: Genesis) -> ChainState:
        """Steps 2 to 6: the state that the ledger of `genesis` decided. Raises InvalidSnapshot.

        A snapshot that was found valid is not verified again: with 100,000 keys that takes a second. A node verifies
        in a thread, and its store asks once more in the event loop.
        """
        if self._verified is None or self._verified.genesis != genesis.hash:
            object.__setattr__(self, "_verified", self._verified_state(genesis))
        return self._verified  # type: ignore[return-value]

    def _verified_state(self, genesis: Genesis) -> ChainState:
        header = self.decided.header
        try:
            ChainVerifier(genesis).verify(self.decided)  # 2 ledger, 3 handovers, 4 decision
        except InvalidChain as error:
            raise InvalidSnapshot(_CHAIN_STEPS[error.step], error.reason, error.field) from error
        registry = self._verified_registry()
        if self.frontier.size != header.tree_size or self.frontier.root() != header.tree_root:  # 6 frontier
            raise InvalidSnapshot(6, "the peaks do not fold to the header's tree root", "peaks")
        return ChainState(
            genesis.hash, header.height, header.hash, header.time_ms, self.frontier, registry, header.next_since
        )

    def _verified_registry(self) -> Registry:
        """Step 5: the registry of the state root."""
        header = self.decided.header
        with errors_as(InvalidSnapshot, 5):
            records = decode_records(self.registry)
        try:
            registry = Registry.of_records(records)
        except LedgerError as error:
            if registry_hash(records) != header.state_root:
                raise InvalidSnapshot(5, error.reason, error.field) from error
            # A quorum agreed on these records, so they are not false: this software does not know their form.
            raise InvalidSnapshot(
                5, f"has a form that this software does not read; update the software ({error})", "registry"
            ) from error
        if registry.hash != header.state_root:
            raise InvalidSnapshot(5, "does not hash to the header's state root", "registry")
        if registry.validators.hash != header.next_validators:
            raise InvalidSnapshot(5, "does not give the header's next validator set", "registry")
        return registry

    def handovers_after(self, registry: Registry) -> tuple[Handover, ...]:
        """All handovers up to the decided block, including its own if it has one.

        For a verified snapshot; `registry` is that of the state which `verify` returned.
        """
        decided = self.decided
        if decided.header.validators == decided.header.next_validators:
            return decided.handovers
        last = Handover(decided.header, decided.certificate, registry.validators)
        return (*decided.handovers, last)


def is_within_bounds(data: bytes) -> bool:
    """Whether any node reads this snapshot. Each change of the validator set adds a handover, without a limit."""
    try:
        check_value_count(data, _most_values(data))
    except NotCanonical:
        return False
    return len(data) <= MAX_SNAPSHOT_BYTES


def _most_values(data: bytes) -> int:
    # A seal has three values in a hundred bytes, a validator three in forty; all other bytes are in byte strings.
    return min(64 + len(data) // 8, MAX_SNAPSHOT_VALUES)


def _registry_bytes(value: canonical.Value) -> bytes:
    data = read_bytes(value, "registry")
    if len(data) > MAX_REGISTRY_BYTES:
        raise LedgerError(
            f"{len(data)} bytes, at most {MAX_REGISTRY_BYTES} allowed", "registry", limit=MAX_REGISTRY_BYTES
        )
    return data
