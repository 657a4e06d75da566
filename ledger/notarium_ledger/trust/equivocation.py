"""Equivocation: two signatures of one validator for one (height, round, kind) and different contents.

Bytes: canonical ``[1, genesis hash, validator-set hash, first, second]``, where first and second are each a vote
``[kind, height, round, block hash, key, signature]`` or a round change ``[height, round, nil or [prepared round, hash],
key, signature]``. The smaller encoding comes first, so that one pair of signatures has one encoding. These bytes prove
that the key signed both; the equivocation file (equivocation_file.py) adds the proof that it was a validator's key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from notarium_ledger.blocks.statements import SignedStatement, StatementKind, statement_from_value
from notarium_ledger.encoding import canonical
from notarium_ledger.encoding.reading import read_hash, read_list
from notarium_ledger.errors import EquivocationOfLaterVersion, InvalidEquivocation, errors_as
from notarium_ledger.signing import EQUIVOCATION_TAG, tagged_hash, verify
from notarium_ledger.types import Hash, Height, PublicKey, Round

EQUIVOCATION_VERSION: Final = 1
MAX_EQUIVOCATION_BYTES: Final = 8192
"""Checked before decoding. This version needs at most 380; later versions may have longer signatures."""
_FORM: Final = "[1, genesis, validators, first, second]"


@dataclass(frozen=True, slots=True)
class Equivocation:
    """`key` signed both `first` and `second`. Construct with `conflict`, or decode and verify."""

    genesis: Hash
    validators: Hash
    """Hash of the validator set that both statements name."""
    first: SignedStatement
    second: SignedStatement

    @property
    def key(self) -> PublicKey:
        """The signer of both statements."""
        return self.first.key

    @property
    def height(self) -> Height:
        """Of both statements."""
        return self.first.height

    @property
    def round(self) -> Round:
        """Of both statements."""
        return self.first.round

    @property
    def kind(self) -> StatementKind:
        """Of both statements."""
        return self.first.kind

    @property
    def id(self) -> Hash:
        """SHA-256(tag ‖ canonical bytes)."""
        return tagged_hash(EQUIVOCATION_TAG, self.encode())

    def verify(self) -> None:
        """Raise InvalidEquivocation unless the two statements conflict and both signatures are valid.

        The caller, which knows the set with hash `validators`, checks whether `key` was a validator.
        """
        first, second = self.first, self.second
        if (first.key, first.height, first.round) != (second.key, second.height, second.round):
            raise InvalidEquivocation("the statements are not from one validator, height and round")
        if first.kind != second.kind:
            raise InvalidEquivocation("the statements are of different kinds")
        said = [each.statement.signed_bytes(self.genesis, self.validators) for each in (first, second)]
        if said[0] == said[1]:
            raise InvalidEquivocation("the statements say the same")
        for name, each, message in (("first", first, said[0]), ("second", second, said[1])):
            if not verify(each.key, message, each.signature):
                raise InvalidEquivocation("signature is invalid", name)

    def encode(self) -> bytes:
        """Canonical bytes."""
        return canonical.encode(
            [
                EQUIVOCATION_VERSION,
                bytes(self.genesis),
                bytes(self.validators),
                self.first.to_value(),
                self.second.to_value(),
            ]
        )

    @classmethod
    def decode(cls, data: bytes) -> Equivocation:
        """Inverse of encode; does not verify. Raises InvalidEquivocation."""
        if len(data) > MAX_EQUIVOCATION_BYTES:
            raise InvalidEquivocation(
                f"{len(data)} bytes, at most {MAX_EQUIVOCATION_BYTES} allowed", limit=MAX_EQUIVOCATION_BYTES
            )
        with errors_as(InvalidEquivocation):
            value = canonical.decode(data)
            _check_version(value)
            _, genesis, validators, first, second = read_list(value, "", 5, _FORM)
            result = cls(
                read_hash(genesis, "genesis"),
                read_hash(validators, "validators"),
                statement_from_value(first, "first"),
                statement_from_value(second, "second"),
            )
        if _order(result.first) > _order(result.second):
            raise InvalidEquivocation("the greater encoding comes first")
        return result


def conflict(genesis: Hash, validators: Hash, one: SignedStatement, other: SignedStatement) -> Equivocation:
    """The equivocation that two valid statements of one signer, height, round and kind make."""
    first, second = sorted((one, other), key=_order)
    return Equivocation(genesis, validators, first, second)


def _check_version(value: canonical.Value) -> None:
    """A later version may have any length, so the version is checked first."""
    version = value[0] if isinstance(value, list) and value else None
    if type(version) is not int or version < EQUIVOCATION_VERSION:
        raise InvalidEquivocation(f"not {_FORM}")
    if version > EQUIVOCATION_VERSION:
        raise EquivocationOfLaterVersion(f"{version}, this software reads {EQUIVOCATION_VERSION}", "version")


def _order(statement: SignedStatement) -> bytes:
    return canonical.encode(statement.to_value())
