"""Verifies signatures, each once, and notices valid signatures of our own key that our record lacks."""

from __future__ import annotations

from typing import Final

from notarium_consensus.errors import InvalidMessage
from notarium_consensus.messages import Signed
from notarium_ledger.blocks.validators import ValidatorSet
from notarium_ledger.signing import verify
from notarium_ledger.types import Hash, Height, PublicKey

CACHE_ENTRIES: Final = 8192
"""Per generation; two generations are kept. At n = 100 a height without failed rounds needs 201."""


class Authenticator:
    """Checks that the signer of a message is a validator and that the signature is valid.

    A verified (key, statement, signature) is remembered for this height and the next one. A message that comes again,
    alone or inside a justification, then costs no verification.
    """

    __slots__ = ("_current", "_genesis", "_own_key", "_own_statements", "_previous", "own_seen")

    def __init__(self, genesis: Hash, own_key: PublicKey | None) -> None:
        self._genesis = genesis
        self._own_key = own_key
        self._own_statements: set[bytes] = set()
        self._current: set[bytes] = set()
        self._previous: set[bytes] = set()
        self.own_seen: Height | None = None
        """The highest height of a valid signature of ours that our record lacks (docs/consensus.md, mistake 6)."""

    def next_height(self) -> None:
        """Forget what is two heights old."""
        self._previous, self._current = self._current, set()
        self._own_statements.clear()

    def trust(self, signed: Signed, validators: ValidatorSet) -> None:
        """Remember `signed`, which is our own: made here, or read from our record."""
        said = signed.statement.signed_bytes(self._genesis, validators.hash)
        self._own_statements.add(said)
        self._remember(signed.key + signed.signature + said)

    def check(self, signed: Signed, validators: ValidatorSet, field: str) -> None:
        """Raise InvalidMessage unless a validator of this set signed. `field` names the part in the error."""
        if signed.key not in validators:
            raise InvalidMessage(f"{signed.key.hex()} is not a validator of height {signed.height}", f"{field}.key")
        said = signed.statement.signed_bytes(self._genesis, validators.hash)
        seen = signed.key + signed.signature + said
        if seen in self._current:
            return
        if seen not in self._previous and not verify(signed.key, said, signed.signature):
            raise InvalidMessage(f"signature of {signed.key.hex()} is invalid", f"{field}.signature")
        self._remember(seen)
        if signed.key == self._own_key and said not in self._own_statements:
            self._see_own(signed.height)

    def _see_own(self, height: Height) -> None:
        """A peer holds a valid signature of ours for `height` that our record lacks."""
        self.own_seen = height if self.own_seen is None else max(self.own_seen, height)

    def _remember(self, seen: bytes) -> None:
        if len(self._current) >= CACHE_ENTRIES:
            self._previous, self._current = self._current, set()
        self._current.add(seen)
