"""Verifies signatures, each once; notices those of our own key that our record lacks; keeps the latest of each key."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from notarium_consensus.errors import InvalidMessage
from notarium_consensus.messages import Signed, signed_part
from notarium_consensus.own_statements import OwnStatements
from notarium_ledger.blocks.statements import SignedStatement, StatementKind
from notarium_ledger.blocks.validators import MAX_VALIDATORS, ValidatorSet
from notarium_ledger.signing import verify
from notarium_ledger.types import Hash, Height, PublicKey, Round

CACHE_ENTRIES: Final = 8192
"""Per generation; two generations are kept. At n = 100 a height without failed rounds needs 201."""
HEARD_KEPT: Final = 2 * MAX_VALIDATORS
"""Keys of which the latest statement is remembered. Beyond that the one heard last at the lowest height goes."""


class Authenticator:
    """Checks that the signer of a message is a validator and that the signature is valid.

    A verified (key, statement, signature) is remembered for this height and the next one. A message that comes again,
    alone or inside a justification, then costs no verification.
    """

    __slots__ = ("_current", "_genesis", "_heard", "_own_key", "_previous", "own", "own_rounds", "own_seen")

    def __init__(self, genesis: Hash, own_key: PublicKey | None) -> None:
        self._genesis = genesis
        self._own_key = own_key
        self._current: set[bytes] = set()
        self._previous: set[bytes] = set()
        self._heard: dict[PublicKey, SignedStatement] = {}
        self.own: OwnStatements | None = None
        """What the record of the present height holds of our own."""
        self.own_seen: Height | None = None
        """The highest height of a valid signature of ours that our record lacks (docs/consensus.md, mistake 6)."""
        self.own_rounds: dict[Height, Round] = {}
        """The highest round of such signatures at each height from the present one on."""

    def next_height(self, height: Height) -> None:
        """Forget what is two heights below `height`, and our own words of the height before."""
        self.own = None
        self.own_rounds = {each: round_ for each, round_ in self.own_rounds.items() if each >= height}
        self._previous, self._current = self._current, set()

    def trust(self, signed: Signed, validators: ValidatorSet) -> None:
        """Remember `signed`, which is our own: made here, or read from our record."""
        said = signed.statement.signed_bytes(self._genesis, validators.hash)
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
        self._hear(signed)
        if signed.key == self._own_key and (self.own is None or self.own.is_news(signed)):
            self._see_own(signed)

    def heard_of(self, key: PublicKey) -> SignedStatement | None:
        """The verified statement of `key` with the greatest (height, round, kind), over all heights so far."""
        return self._heard.get(key)

    def hear(self, verified: Iterable[Signed]) -> None:
        """Note statements that were verified elsewhere."""
        for signed in verified:
            self._hear(signed)

    def _hear(self, signed: Signed) -> None:
        known = self._heard.get(signed.key)
        if known is not None and _place(known) >= _place(signed):
            return
        self._heard[signed.key] = signed_part(signed)
        if len(self._heard) > HEARD_KEPT:
            del self._heard[min(self._heard, key=lambda key: (self._heard[key].height, key))]

    def _see_own(self, signed: Signed) -> None:
        """A peer holds this valid signature of ours, which our record lacks."""
        height = signed.height
        self.own_seen = height if self.own_seen is None else max(self.own_seen, height)
        self.own_rounds[height] = max(self.own_rounds.get(height, signed.round), signed.round)

    def _remember(self, seen: bytes) -> None:
        if len(self._current) >= CACHE_ENTRIES:
            self._previous, self._current = self._current, set()
        self._current.add(seen)


def _place(signed: Signed) -> tuple[Height, Round, StatementKind]:
    return signed.height, signed.round, signed.kind
