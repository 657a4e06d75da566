"""What this node has signed at one height: the signed parts of its messages, in a ring of rounds.

A round takes a few hundred bytes here and in the record, whatever its block weighs, and a height takes no more than
ROUNDS_RECORDED rounds of them, however many fail.
"""

from __future__ import annotations

from typing import Final

from notarium_consensus.justification import Prepared
from notarium_consensus.messages import Signed
from notarium_ledger.blocks.statements import SignedStatement, StatementKind, Vote
from notarium_ledger.types import Height, Round

ROUNDS_RECORDED: Final = 32
"""A statement takes the place of the one ROUNDS_RECORDED rounds before it, of the same kind."""


def place(round_: Round) -> int:
    """Where a round stands in the ring."""
    return round_ % ROUNDS_RECORDED


class OwnStatements:
    """The ring of one height, and the lock."""

    __slots__ = ("_height", "_latest", "_slots", "lock")

    def __init__(self, height: Height) -> None:
        self._height = height
        self._slots: dict[tuple[int, StatementKind], SignedStatement] = {}
        self._latest: Round | None = None
        self.lock: Prepared | None = None
        """The prepared block that is on the disk: this node may have committed to it."""

    @property
    def latest_round(self) -> Round | None:
        """The highest round of which there is a statement."""
        return self._latest

    def get(self, round_: Round, kind: StatementKind) -> SignedStatement | None:
        """What was signed there, as far as it is remembered."""
        held = self._slots.get((place(round_), kind))
        return held if held is not None and held.round == round_ else None

    def is_free(self, round_: Round, kind: StatementKind) -> bool:
        """Whether something may be signed there: nothing was, and nothing of a later round either."""
        held = self._slots.get((place(round_), kind))
        return held is None or held.round < round_

    def add(self, signed: SignedStatement) -> None:
        """Signed now, or read from the record."""
        self._slots[place(signed.round), signed.kind] = signed
        self._latest = signed.round if self._latest is None else max(self._latest, signed.round)

    def has_committed(self, round_: Round) -> bool:
        """Whether this node knows of its COMMIT in `round_`, or of a lock that makes up for having forgotten it."""
        if self.get(round_, StatementKind.COMMIT) is not None:
            return True
        return self._has_forgotten(round_) and self.lock is not None and self.lock.round >= round_

    def is_news(self, signed: Signed) -> bool:
        """Whether a valid signature of ours shows that the record lacks something that matters.

        A statement of a round that the ring still covers must be in it. Of an earlier round it may have been forgotten.
        That is harmless for a PROPOSAL, a PREPARE and a ROUND-CHANGE: the node signs nothing in rounds that it has
        left, so it cannot contradict them, and they bind it to nothing in later rounds. A COMMIT binds: all later round
        changes must name its block or one that was prepared later. Where the lock is of that block, or of a later
        round, they do. Otherwise the lock was lost with the COMMIT, and only silence is safe.
        """
        if signed.height != self._height:
            return True
        known = self.get(signed.round, signed.kind)
        if known is not None:
            return known.statement != signed.statement
        if not self._has_forgotten(signed.round):
            return True
        if signed.kind is not StatementKind.COMMIT or not isinstance(signed, Vote):
            return False
        lock = self.lock
        if lock is None or lock.round < signed.round:
            return True
        return lock.round == signed.round and lock.block.hash != signed.block_hash

    def _has_forgotten(self, round_: Round) -> bool:
        """Whether a statement of `round_` may have been overwritten."""
        return self._latest is not None and round_ <= self._latest - ROUNDS_RECORDED
