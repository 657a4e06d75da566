"""The validator set and its quorum arithmetic (design section 4; consensus notes, mistake 1)."""

from __future__ import annotations

from dataclasses import dataclass, field

from notarium_ledger.encoding import canonical
from notarium_ledger.encoding.reading import read_items, read_key, read_list, read_text
from notarium_ledger.errors import LedgerError
from notarium_ledger.signing import VALIDATORS_TAG, tagged_hash
from notarium_ledger.types import Hash, Height, PublicKey, Round

MAX_VALIDATORS = 100
_MAX_ITEMS = 512
"""Bound on the values in a set (value_count.py); a hundred validators have fewer."""


@dataclass(frozen=True, slots=True)
class Validator:
    """One vote: a member's validator node."""

    member: str
    """The member's id."""
    key: PublicKey
    """The key that signs its votes."""


@dataclass(frozen=True, slots=True)
class ValidatorSet:
    """The validators of one height, in ascending order of their keys."""

    validators: tuple[Validator, ...]
    hash: Hash = field(init=False)
    """SHA-256(tag ‖ canonical [[member, key], ...])."""
    _keys: frozenset[bytes] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        ordered = tuple(sorted(self.validators, key=lambda validator: validator.key))
        keys = frozenset(validator.key for validator in ordered)
        if not 1 <= len(ordered) <= MAX_VALIDATORS:
            raise LedgerError(
                f"{len(ordered)} validators, 1 to {MAX_VALIDATORS} allowed", "validators", limit=MAX_VALIDATORS
            )
        if len(keys) != len(ordered) or len({validator.member for validator in ordered}) != len(ordered):
            raise LedgerError("a key or a member appears twice", "validators")
        object.__setattr__(self, "validators", ordered)
        object.__setattr__(self, "_keys", keys)
        object.__setattr__(self, "hash", tagged_hash(VALIDATORS_TAG, canonical.encode(self.to_value())))

    def __len__(self) -> int:
        return len(self.validators)

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    @property
    def faulty(self) -> int:
        """f = ⌊(n−1)/3⌋: how many may be Byzantine."""
        return (len(self.validators) - 1) // 3

    @property
    def quorum(self) -> int:
        """Q = ⌈2n/3⌉: any two quorums share an honest validator, for every n (a literal 2f+1 is unsafe)."""
        return (2 * len(self.validators) + 2) // 3

    @property
    def honest_minimum(self) -> int:
        """f+1: at least one of so many is honest."""
        return self.faulty + 1

    def proposer(self, height: Height, round_: Round) -> PublicKey:
        """sorted(validators)[(height + round) mod n]."""
        return self.validators[(height + round_) % len(self.validators)].key

    def member_of(self, key: bytes) -> str | None:
        """The member behind `key`, or None."""
        return next((validator.member for validator in self.validators if validator.key == key), None)

    def to_value(self) -> canonical.Value:
        """[[member, key], ...] in order."""
        return [[validator.member, bytes(validator.key)] for validator in self.validators]

    @classmethod
    def decode(cls, data: bytes) -> ValidatorSet:
        """From the canonical bytes of to_value. Raises LedgerError."""
        return cls.from_value(canonical.decode(data, _MAX_ITEMS))

    @classmethod
    def from_value(cls, value: canonical.Value, path: str = "validators") -> ValidatorSet:
        """Inverse of to_value; keys must be in ascending order. Raises LedgerError."""
        validators = []
        for number, item in enumerate(read_items(value, path)):
            member, key = read_list(item, f"{path}[{number}]", 2, "[member, key]")
            validators.append(Validator(read_text(member, f"{path}[{number}]"), read_key(key, f"{path}[{number}]")))
        result = cls(tuple(validators))
        if list(result.validators) != validators:
            raise LedgerError("not in ascending order of keys", path)
        return result
