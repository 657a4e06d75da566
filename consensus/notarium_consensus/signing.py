"""How this node signs: an interface, so that a remote signer with a record of its own can stand behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from notarium_ledger.blocks.statements import Statement
from notarium_ledger.signing import SigningKey
from notarium_ledger.types import Hash, PublicKey, Signature


class Signer(Protocol):
    """Holds the key of one validator."""

    @property
    def public(self) -> PublicKey:
        """The public key."""

    def sign(self, statement: Statement, genesis: Hash, validators: Hash) -> Signature | None:
        """The signature of `statement.signed_bytes(genesis, validators)`, or None.

        None means that the signer refuses, for example because its own record shows another statement for this
        height, round and kind. The engine then has not signed: it records and sends nothing, and stays correct.
        """


@dataclass(frozen=True, slots=True)
class KeySigner:
    """Signs with a key in this process, whatever it is given; the engine's record is the only one."""

    key: SigningKey

    @property
    def public(self) -> PublicKey:
        """The public key."""
        return self.key.public

    def sign(self, statement: Statement, genesis: Hash, validators: Hash) -> Signature:
        """Never refuses."""
        return self.key.sign(statement.signed_bytes(genesis, validators))
