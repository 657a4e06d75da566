"""A toy ledger behind the engine: real headers and blocks, and content rules just rich enough to be broken.

An entry is valid if it starts with ``ok``. The "tree root" is the hash of the block's entries, so it binds them as the
real root does, and the "state root" is the hash of all entries so far.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from notarium_ledger.blocks.block import Block, Decision, Header
from notarium_ledger.blocks.validators import Validator, ValidatorSet
from notarium_ledger.signing import SigningKey
from notarium_ledger.types import Hash, Height, PublicKey

GENESIS = Hash(sha256(b"simulated consortium").digest())
GENESIS_TIME_MS = 1_700_000_000_000


def validator_keys(count: int) -> list[SigningKey]:
    """Throw-away keys, in the order of the validator set."""
    keys = [SigningKey(sha256(f"validator {number}".encode()).digest()) for number in range(count)]
    return sorted(keys, key=lambda key: key.public)


def validator_set(keys: list[SigningKey]) -> ValidatorSet:
    """All keys, one member each."""
    return ValidatorSet(tuple(Validator(f"member-{number}", key.public) for number, key in enumerate(keys)))


@dataclass(frozen=True, slots=True)
class Tip:
    """The chain up to a height, as far as the next block depends on it."""

    height: Height
    hash: Hash
    time_ms: int
    size: int
    state: Hash

    @classmethod
    def genesis(cls) -> Tip:
        """Before the first block."""
        return cls(Height(0), GENESIS, GENESIS_TIME_MS, 0, Hash(sha256(b"").digest()))

    def after(self, block: Block) -> Tip:
        """The tip with `block` on it."""
        header = block.header
        return Tip(block.height, block.hash, header.time_ms, header.tree_size, header.state_root)


def build(tip: Tip, entries: list[bytes], time_ms: int, proposer: PublicKey, validators: ValidatorSet) -> Block:
    """A block on `tip`."""
    header = Header(
        genesis=GENESIS,
        height=Height(tip.height + 1),
        parent=tip.hash,
        time_ms=time_ms,
        proposer=proposer,
        tree_size=tip.size + len(entries),
        tree_root=_root(entries),
        validators=validators.hash,
        since=Height(1),
        next_validators=validators.hash,
        state_root=Hash(sha256(tip.state + _root(entries)).digest()),
    )
    return Block(header, tuple(entries))


def content_fault(tip: Tip, block: Block) -> str | None:
    """Why the content of `block` does not follow from `tip`, or None."""
    if not block.entries or not all(entry.startswith(b"ok") for entry in block.entries):
        return "no entries, or an invalid one"
    if len(set(block.entries)) != len(block.entries):
        return "an entry twice"
    root = _root(list(block.entries))
    if block.header.tree_root != root or block.header.tree_size != tip.size + len(block.entries):
        return "tree root or size does not match the entries"
    if block.header.state_root != sha256(tip.state + root).digest():
        return "state root does not match"
    return None


def tip_of(decisions: list[Decision]) -> Tip:
    """The tip of a chain."""
    tip = Tip.genesis()
    for decision in decisions:
        tip = tip.after(decision.block)
    return tip


def _root(entries: list[bytes]) -> Hash:
    return Hash(sha256(b"".join(sha256(entry).digest() for entry in entries)).digest())
