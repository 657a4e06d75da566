"""Keepers of messages: per validator and kind only a few rounds, distinct signers only.

Memory is bounded (docs/consensus.md, mistake 7): a validator occupies at most ROUNDS_KEPT slots of each kind. Eviction
is safe: votes of other rounds only save time, and their signers send them again while they matter.
"""

from __future__ import annotations

from typing import Final, Generic, TypeVar

from notarium_consensus.messages import Proposal, RoundChange
from notarium_ledger.blocks.statements import Vote
from notarium_ledger.types import Hash, PublicKey, Round

ROUNDS_KEPT: Final = 2
"""The current round and the highest other one."""

Kept = TypeVar("Kept", Vote, Proposal, RoundChange)


class RoundKeeper(Generic[Kept]):
    """For each signer the first message of each round, for at most ROUNDS_KEPT rounds."""

    __slots__ = ("_by_signer",)

    def __init__(self) -> None:
        self._by_signer: dict[PublicKey, dict[Round, Kept]] = {}

    def get(self, key: PublicKey, round_: Round) -> Kept | None:
        """The message of `key` in `round_`."""
        held = self._by_signer.get(key)
        return None if held is None else held.get(round_)

    def wants(self, key: PublicKey, round_: Round, current: Round) -> bool:
        """Whether `add` would keep a message of `key` in `round_`: ask before verifying its signature."""
        held = self._by_signer.get(key)
        if held is None or len(held) < ROUNDS_KEPT:
            return True
        return round_ == current or any(other != current and other < round_ for other in held)

    def add(self, message: Kept, current: Round) -> Kept | None:
        """Keep `message`, if it is wanted and the first of its round. Returns the message that was evicted for it.

        That is the one of the lowest round that is not the current round.
        """
        held = self._by_signer.setdefault(message.key, {})
        if message.round in held or not self.wants(message.key, message.round, current):
            return None
        evicted = None
        if len(held) >= ROUNDS_KEPT:
            evicted = held.pop(min(other for other in held if other != current))
        held[message.round] = message
        return evicted

    def replace(self, message: Kept) -> None:
        """Put `message` in the place of the one of its signer and round, which is kept."""
        self._by_signer[message.key][message.round] = message

    def of_signer(self, key: PublicKey) -> list[Kept]:
        """The messages of `key`."""
        return list(self._by_signer.get(key, {}).values())

    def of_round(self, round_: Round) -> list[Kept]:
        """All messages of `round_`, in ascending order of their signers' keys."""
        found = [held[round_] for held in self._by_signer.values() if round_ in held]
        return sorted(found, key=lambda message: message.key)

    def highest_rounds(self) -> list[Round]:
        """For each signer its highest round, in descending order."""
        return sorted((max(held) for held in self._by_signer.values() if held), reverse=True)

    def heard_in(self, round_: Round) -> set[PublicKey]:
        """The signers of which a message of `round_` is here."""
        return {key for key, held in self._by_signer.items() if round_ in held}

    def reached(self, round_: Round) -> set[PublicKey]:
        """The signers of which a message of `round_` or a later round is here."""
        return {key for key, held in self._by_signer.items() if held and max(held) >= round_}

    def __len__(self) -> int:
        return sum(map(len, self._by_signer.values()))


class VoteKeeper(RoundKeeper[Vote]):
    """Prepares or commits, counted by (round, block hash). A count is of distinct signers (mistake 3)."""

    __slots__ = ("_quorum", "_tally", "complete")

    def __init__(self, quorum: int) -> None:
        super().__init__()
        self._quorum = quorum
        self._tally: dict[tuple[Round, Hash], dict[PublicKey, Vote]] = {}
        self.complete: dict[tuple[Round, Hash], None] = {}
        """(round, block hash) with votes of a quorum, oldest first; never votes of different rounds (mistake 5)."""

    def add(self, message: Vote, current: Round) -> Vote | None:
        """As RoundKeeper.add, and keeps the count."""
        evicted = super().add(message, current)
        if evicted is not None:
            self._forget(evicted)
        if self.get(message.key, message.round) is message:
            subject = (message.round, message.block_hash)
            signers = self._tally.setdefault(subject, {})
            signers[message.key] = message
            if len(signers) >= self._quorum:
                self.complete[subject] = None
        return evicted

    def votes(self, round_: Round, block: Hash) -> tuple[Vote, ...]:
        """The votes for (round, block), in ascending order of keys."""
        signers = self._tally.get((round_, block), {})
        return tuple(signers[key] for key in sorted(signers))

    def _forget(self, vote: Vote) -> None:
        subject = (vote.round, vote.block_hash)
        signers = self._tally.get(subject, {})
        signers.pop(vote.key, None)
        if not signers:
            self._tally.pop(subject, None)
        if len(signers) < self._quorum:
            self.complete.pop(subject, None)
