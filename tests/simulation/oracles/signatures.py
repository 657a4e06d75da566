"""Signatures and validator sets: each signature is verified once, however many nodes and messages carry it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.simulation.oracles import formats
from tests.simulation.oracles.formats import Member, Statement, Verify


@dataclass(frozen=True, slots=True)
class Validators:
    """The set of one height."""

    hash: bytes
    keys: tuple[bytes, ...]
    """Ascending, as the set has them: number (height + round) mod n proposes."""

    @classmethod
    def of(cls, members: Sequence[Member]) -> Validators:
        """From (member, key) pairs in any order."""
        ordered = sorted(members, key=lambda each: each[1])
        return cls(formats.set_hash(ordered), tuple(key for _, key in ordered))

    @property
    def quorum(self) -> int:
        """Q distinct signers."""
        return formats.quorum(len(self.keys))

    @property
    def locking(self) -> int:
        """Q − f: so many honest validators at least are in every quorum."""
        return self.quorum - formats.faulty(len(self.keys))


class Signatures:
    """Verifies for one ledger, and remembers."""

    def __init__(self, genesis: bytes, verify: Verify) -> None:
        self._genesis = genesis
        self._verify = verify
        self._known: dict[tuple[bytes, bytes, bytes], bool] = {}

    def raw(self, key: bytes, message: bytes, signature: bytes) -> bool:
        """Whether `signature` of `message` by `key` is valid."""
        name = (key, message, signature)
        known = self._known.get(name)
        if known is None:
            known = self._known[name] = self._verify(key, message, signature)
        return known

    def valid(self, statement: Statement, validators: Validators) -> bool:
        """Whether a member of the set signed the statement."""
        return statement.key in validators.keys and self.raw(
            statement.key, statement.signed_bytes(self._genesis, validators.hash), statement.signature
        )

    def votes_fault(
        self, votes: Iterable[Statement], validators: Validators, kind: int, height: int, round_: int, block: bytes
    ) -> str | None:
        """Why `votes` are no Q valid ones by distinct validators, for exactly this kind, height, round and block."""
        signers: set[bytes] = set()
        for vote in votes:
            if (vote.kind, vote.height, vote.round, vote.block) != (kind, height, round_, block):
                return f"a {vote} stands among those for {block.hex()[:8]} in round {round_} of height {height}"
            if not self.valid(vote, validators):
                return f"the {vote} of {vote.key.hex()[:8]} is not validly signed by a validator"
            if vote.key in signers:
                return f"{vote.key.hex()[:8]} is counted twice"
            signers.add(vote.key)
        if len(signers) < validators.quorum:
            return f"{len(signers)} distinct signers, {validators.quorum} needed"
        return None
