"""The equivocation file: offline proof for anyone that a validator signed two different things.

Like a receipt, it is one JSON file in one canonical form. It contains the equivocation, and the proof from the genesis
document that the signing key was a validator's at that height: the decided block before that height, whose header names
the set that signs next. Verification has numbered steps, and an error names its step:

 1  form        the file is an equivocation file of a known version, in canonical form
 2  ledger      it names the pinned genesis
 3  handovers   each change of the validator set up to there is certified by the set before it
 4  parent      the block before the height in question is certified by the set in force
 5  signer      the set that signs after it is the one that both statements name, and the key is in it
 6  statements  they are of one key, height, round and kind, they differ, and both signatures are valid
 7  about       what the file says about itself follows from the rest
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from notarium_ledger.blocks.statements import SignedRoundChange, SignedStatement
from notarium_ledger.blocks.validators import ValidatorSet
from notarium_ledger.encoding import canonical
from notarium_ledger.encoding.json_file import (
    base64_text,
    compact_json,
    is_same_json,
    parse_json,
    read_base64,
    read_document,
)
from notarium_ledger.errors import InvalidEquivocationFile, errors_as
from notarium_ledger.state.genesis import Genesis
from notarium_ledger.trust.chain import ChainStep, ChainVerifier, DecidedHeader, InvalidChain
from notarium_ledger.trust.equivocation import Equivocation

MEDIA_TYPE = "application/vnd.notarium.equivocation.v1+json"
MAX_EQUIVOCATION_FILE_BYTES = 16 * 1024 * 1024
FIELDS = ("mediaType", "about", "genesis", "equivocation", "validators", "header", "certificate", "handovers")

_CHAIN_STEPS = {ChainStep.LEDGER: 2, ChainStep.HANDOVERS: 3, ChainStep.DECISION: 4}
_NO_PARENT = '"header":null,\n"certificate":null,\n"handovers":[]'


@dataclass(frozen=True, slots=True)
class EquivocationFile:
    """An equivocation with the proof of whose key signed it."""

    equivocation: Equivocation
    validators: ValidatorSet
    """The set that signs the equivocation's height."""
    parent: DecidedHeader | None
    """The block before that height, with the handovers below it; None at height 1, which the genesis' set signs."""

    def encode_json(self) -> bytes:
        """The file's bytes."""
        parent = _NO_PARENT if self.parent is None else self.parent.json_fields()
        return (
            f'{{\n"mediaType":"{MEDIA_TYPE}",\n'
            f'"about":{compact_json(describe(self.equivocation, self.validators.member_of(self.equivocation.key)))},\n'
            f'"genesis":"{self.equivocation.genesis.hex()}",\n'
            f'"equivocation":"{base64_text(self.equivocation.encode())}",\n'
            f'"validators":"{base64_text(canonical.encode(self.validators.to_value()))}",\n'
            f"{parent}\n}}\n"
        ).encode()

    @classmethod
    def decode_json(cls, data: bytes) -> EquivocationFile:
        """Steps 1 and 7: read an equivocation file. Raises InvalidEquivocationFile."""
        with errors_as(InvalidEquivocationFile, 1):  # 1 form
            document = read_document(data, MEDIA_TYPE, FIELDS, MAX_EQUIVOCATION_FILE_BYTES)
            file = _from_document(document)
        again = file.encode_json()
        if again != data:
            if not is_same_json(document["about"], parse_json(again)["about"]):  # 7 about
                raise InvalidEquivocationFile(7, "does not match the equivocation", "about")
            raise InvalidEquivocationFile(1, "not in canonical form")  # 1 form
        return file

    def verify(self, genesis: Genesis) -> None:
        """Steps 2 to 6, against the pinned genesis. Raises InvalidEquivocationFile with the step."""
        equivocation = self.equivocation
        if equivocation.genesis != genesis.hash:  # 2 ledger
            raise InvalidEquivocationFile(
                2, f"is {equivocation.genesis.hex()}, but {genesis.hash.hex()} is pinned", "genesis"
            )
        self._check_signer(self._signing_set(genesis))
        with errors_as(InvalidEquivocationFile, 6):  # 6 statements
            equivocation.verify()

    def _check_signer(self, signing: bytes) -> None:
        """5 signer: `signing` is the hash of the set that signs the equivocation's height."""
        if self.validators.hash != signing:
            raise InvalidEquivocationFile(5, "is not the set that signs this height", "validators")
        if self.equivocation.validators != signing:
            raise InvalidEquivocationFile(5, "names a validator set that does not sign this height", "equivocation")
        if self.equivocation.key not in self.validators:
            raise InvalidEquivocationFile(5, f"{self.equivocation.key.hex()} is not a validator", "equivocation")

    def _signing_set(self, genesis: Genesis) -> bytes:
        """Steps 3 and 4: the hash of the set that signs the equivocation's height."""
        if self.parent is None:
            if self.equivocation.height != 1:  # 4 parent
                raise InvalidEquivocationFile(4, "is missing; only height 1 has no block before it", "header")
            return genesis.registry.validators.hash
        try:
            ChainVerifier(genesis).verify(self.parent)  # 2 ledger, 3 handovers, 4 parent
        except InvalidChain as error:
            raise InvalidEquivocationFile(_CHAIN_STEPS[error.step], error.reason, error.field) from error
        if self.parent.header.height != self.equivocation.height - 1:  # 4 parent
            raise InvalidEquivocationFile(4, f"is not the height before {self.equivocation.height}", "header.height")
        return self.parent.header.next_validators


def describe(equivocation: Equivocation, member: str | None) -> dict[str, Any]:
    """The summary for people, `about` in the file. `member`: the member whose validator had the key at that height."""
    return {
        "id": equivocation.id.hex(),
        "member": member,
        "key": equivocation.key.hex(),
        "kind": equivocation.kind.name.lower().replace("_", "-"),
        "height": equivocation.height,
        "round": equivocation.round,
        "first": _summary(equivocation.first),
        "second": _summary(equivocation.second),
    }


def _summary(statement: SignedStatement) -> dict[str, Any]:
    """What one statement is about: a block, or for a round change the block that was prepared before, if any."""
    if not isinstance(statement, SignedRoundChange):
        return {"block": statement.block_hash.hex()}
    if statement.prepared is None:
        return {"prepared": None}
    round_, block = statement.prepared
    return {"prepared": {"round": round_, "block": block.hex()}}


def _from_document(document: dict[str, Any]) -> EquivocationFile:
    """Raises LedgerError."""
    equivocation = Equivocation.decode(read_base64(document, "equivocation"))
    validators = ValidatorSet.decode(read_base64(document, "validators"))
    without = document["header"] is None and document["certificate"] is None and document["handovers"] == []
    return EquivocationFile(equivocation, validators, None if without else DecidedHeader.from_document(document))
