"""Trust in a decided header: the chain from the genesis document to the header's certificate.

The genesis document names the first validators. A handover is a decided block after which another set signs; the set
before it certifies it. The last set certifies the header. Each header says since when its set is in force, which is the
height after the last handover. So no handover can be left out, not even a loop that leads back to the same set: a chain
has one form.

Receipts, snapshots and equivocation files all depend on this chain. Each format gives the three steps its own numbers,
so an error here names the step and has no number.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from notarium_ledger.blocks.block import Header
from notarium_ledger.blocks.certificate import QuorumCertificate
from notarium_ledger.blocks.validators import ValidatorSet
from notarium_ledger.encoding import canonical
from notarium_ledger.encoding.json_file import base64_text, compact_json, read_base64
from notarium_ledger.encoding.reading import read_bytes, read_items, read_list
from notarium_ledger.errors import LedgerError
from notarium_ledger.state.genesis import Genesis
from notarium_ledger.types import Hash


class ChainStep(Enum):
    """The steps of the verification, in order."""

    LEDGER = "ledger"
    """The header names the pinned genesis."""
    HANDOVERS = "handovers"
    """Each change of the validator set is certified by the set before it."""
    DECISION = "decision"
    """The header is certified by the set in force."""


class InvalidChain(LedgerError):
    """A header without proof that the ledger of the pinned genesis decided it; `step` is the step that failed."""

    def __init__(self, step: ChainStep, reason: str, field: str = "") -> None:
        super().__init__(reason, field)
        self.step = step


@dataclass(frozen=True, slots=True)
class Handover:
    """A decided block after which another validator set signs."""

    header: Header
    certificate: QuorumCertificate
    validators: ValidatorSet
    """The new set; its hash is header.next_validators."""
    _json: list[str] = field(default_factory=list, init=False, repr=False, compare=False)
    """Its JSON text once that was asked for: every later receipt has it in it, and a node has one Handover for all."""

    def to_value(self) -> canonical.Value:
        """[header bytes, certificate, validators]."""
        return [self.header.raw, self.certificate.to_value(), self.validators.to_value()]

    @classmethod
    def from_value(cls, value: canonical.Value) -> Handover:
        """Inverse of to_value. Checks form only. Raises LedgerError."""
        header, certificate, validators = read_list(value, "handovers", 3, "[header, certificate, validators]")
        return cls(
            Header.decode(read_bytes(header, "header")),
            QuorumCertificate.from_value(certificate),
            ValidatorSet.from_value(validators),
        )

    def to_document(self) -> dict[str, str]:
        """{header, certificate, validators}, each in base64."""
        return {
            "header": base64_text(self.header.raw),
            "certificate": base64_text(self.certificate.encode()),
            "validators": base64_text(canonical.encode(self.validators.to_value())),
        }

    def json(self) -> str:
        """The text of `to_document`, made once."""
        if not self._json:
            self._json.append(compact_json(self.to_document()))
        return self._json[0]

    @classmethod
    def from_document(cls, value: Any) -> Handover:
        """Inverse of to_document. Checks form only. Raises LedgerError."""
        if not isinstance(value, dict) or value.keys() != {"header", "certificate", "validators"}:
            raise LedgerError("not {header, certificate, validators}", "handovers")
        return cls(
            Header.decode(read_base64(value, "header")),
            QuorumCertificate.decode(read_base64(value, "certificate")),
            ValidatorSet.decode(read_base64(value, "validators")),
        )


@dataclass(frozen=True, slots=True)
class DecidedHeader:
    """A block's header with its proof from genesis; shared by all entries of the block."""

    header: Header
    certificate: QuorumCertificate
    handovers: tuple[Handover, ...]
    """All handovers before this block, ascending; not its own."""

    def to_value(self) -> canonical.Value:
        """[header bytes, certificate, [handover, ...]]."""
        return [self.header.raw, self.certificate.to_value(), [each.to_value() for each in self.handovers]]

    @classmethod
    def from_value(cls, value: canonical.Value) -> DecidedHeader:
        """Inverse of to_value. Checks form only. Raises LedgerError."""
        header, certificate, handovers = read_list(value, "decided", 3, "[header, certificate, handovers]")
        return cls(
            Header.decode(read_bytes(header, "header")),
            QuorumCertificate.from_value(certificate),
            tuple(map(Handover.from_value, read_items(handovers, "handovers"))),
        )

    def json_fields(self) -> str:
        """The last three fields of a proof file, each on its line: header, certificate, handovers."""
        return (
            f'"header":"{base64_text(self.header.raw)}",\n'
            f'"certificate":"{base64_text(self.certificate.encode())}",\n'
            f'"handovers":[{",".join([each.json() for each in self.handovers])}]'
        )

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> DecidedHeader:
        """Inverse of json_fields, for a document that has these fields. Checks form only. Raises LedgerError."""
        return cls(
            Header.decode(read_base64(document, "header")),
            QuorumCertificate.decode(read_base64(document, "certificate")),
            tuple(map(Handover.from_document, read_items(document["handovers"], "handovers"))),
        )


class ChainVerifier:
    """Verifies decided headers against one pinned genesis. Remembers the headers that it found certified."""

    def __init__(self, genesis: Genesis, remembered_headers: int = 4096) -> None:
        self.genesis = genesis
        self._limit = remembered_headers
        self._certified: dict[tuple[Hash, QuorumCertificate], None] = {}

    def verify(self, decided: DecidedHeader) -> None:
        """Raise InvalidChain with the step, unless the ledger of the pinned genesis provably decided this header."""
        self._check_ledger(decided.header)
        validators, since = self._follow_handovers(decided)
        self._check_decision(decided, validators, since)

    def _check_ledger(self, header: Header) -> None:
        if header.genesis != self.genesis.hash:
            raise InvalidChain(
                ChainStep.LEDGER, f"is {header.genesis.hex()}, but {self.genesis.hash.hex()} is pinned", "genesis"
            )

    def _follow_handovers(self, decided: DecidedHeader) -> tuple[ValidatorSet, int]:
        """The set that must certify the header, and the height from which it has been in force."""
        validators, since = self.genesis.registry.validators, 1
        for number, handover in enumerate(decided.handovers):
            path = f"handovers[{number}]"
            if not since <= handover.header.height < decided.header.height:
                raise InvalidChain(ChainStep.HANDOVERS, "heights do not ascend", path)
            self._check_handover(handover, validators, since, path)
            validators, since = handover.validators, handover.header.next_since
        return validators, since

    def _check_handover(self, handover: Handover, before: ValidatorSet, since: int, path: str) -> None:
        if handover.header.genesis != self.genesis.hash:
            raise InvalidChain(ChainStep.HANDOVERS, "is of another ledger", path)
        if handover.header.validators != before.hash:
            raise InvalidChain(ChainStep.HANDOVERS, "another validator set signs it", path)
        if handover.header.since != since:
            raise InvalidChain(ChainStep.HANDOVERS, _not_since(handover.header, since), path)
        self._check_certificate(ChainStep.HANDOVERS, path, handover.header, handover.certificate, before)
        if handover.header.next_validators != handover.validators.hash:
            raise InvalidChain(ChainStep.HANDOVERS, "the new validator set is not the one decided", path)
        if handover.validators.hash == before.hash:
            raise InvalidChain(ChainStep.HANDOVERS, "hands over to the same set", path)

    def _check_decision(self, decided: DecidedHeader, validators: ValidatorSet, since: int) -> None:
        if decided.header.validators != validators.hash:
            reason = "another validator set signs it than the handovers lead to"
            raise InvalidChain(ChainStep.DECISION, reason, "header")
        if decided.header.since != since:
            raise InvalidChain(ChainStep.DECISION, _not_since(decided.header, since), "header")
        self._check_certificate(ChainStep.DECISION, "certificate", decided.header, decided.certificate, validators)

    def _check_certificate(
        self, step: ChainStep, path: str, header: Header, certificate: QuorumCertificate, validators: ValidatorSet
    ) -> None:
        known = (header.hash, certificate)
        if known in self._certified:
            return
        try:
            certificate.verify(self.genesis.hash, validators, header.height, header.hash)
        except LedgerError as error:
            raise InvalidChain(step, error.reason, path) from error
        if len(self._certified) >= self._limit:
            del self._certified[next(iter(self._certified))]
        self._certified[known] = None


def _not_since(header: Header, since: int) -> str:
    return (
        f"the validator set signs since height {header.since}, and by the handovers since {since}: one is left out; "
        "ask a node for the whole proof"
    )
