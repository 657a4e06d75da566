"""The receipt: everything needed to check, offline and for ever, that an entry was decided and when.

A receipt is one JSON file in one canonical form: reading it and writing it again gives the same bytes, so
no byte of it is unchecked. What it says of itself in `about` is recomputed and compared.

The trust root is the genesis document. From it the receipt leads through the validator-set handovers to the block
that decided the entry. Verification is numbered; an error names its step:

 1  form        the file is a receipt of a known version, in canonical form
 2  ledger      it names the pinned genesis
 3  handovers   each change of the validator set is certified by the set before it
 4  decision    the block's header is certified by the set in force
 5  inclusion   the entry is in the log under that header's tree root
 6  author      the entry is well-formed and signed by its author for this ledger
 7  about       what the receipt says of itself is true
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from notarium_ledger.blocks.block import Header
from notarium_ledger.blocks.certificate import QuorumCertificate
from notarium_ledger.blocks.validators import ValidatorSet
from notarium_ledger.encoding import canonical
from notarium_ledger.entries.entry import Entry, decode_entry, verify_signature
from notarium_ledger.errors import InvalidReceipt, LedgerError
from notarium_ledger.log.hashes import leaf_hash
from notarium_ledger.log.proofs import verify_inclusion
from notarium_ledger.state.genesis import Genesis
from notarium_ledger.types import HASH_BYTES, Hash

MEDIA_TYPE = "application/vnd.notarium.receipt.v1+json"
MAX_RECEIPT_BYTES = 16 * 1024 * 1024
FIELDS = ("mediaType", "about", "genesis", "entry", "index", "path", "header", "certificate", "handovers")


@dataclass(frozen=True, slots=True)
class Handover:
    """A decided block after which another validator set signs."""

    header: Header
    certificate: QuorumCertificate
    validators: ValidatorSet
    """The new set; its hash is header.next_validators."""

    def to_value(self) -> canonical.Value:
        """[header bytes, certificate, validators]."""
        return [self.header.raw, self.certificate.to_value(), self.validators.to_value()]

    @classmethod
    def from_value(cls, value: canonical.Value) -> Handover:
        """Raises LedgerError. Checks form only."""
        if not isinstance(value, list) or len(value) != 3:
            raise LedgerError("not [header, certificate, validators]", "handovers")
        header, certificate, validators = value
        return cls(_header(header), QuorumCertificate.from_value(certificate), ValidatorSet.from_value(validators))


@dataclass(frozen=True, slots=True)
class DecidedHeader:
    """A block's header with what proves it from genesis: the same for all entries of a block."""

    header: Header
    certificate: QuorumCertificate
    handovers: tuple[Handover, ...]

    def to_value(self) -> canonical.Value:
        """[header bytes, certificate, [handover, ...]]."""
        return [self.header.raw, self.certificate.to_value(), [each.to_value() for each in self.handovers]]

    @classmethod
    def from_value(cls, value: canonical.Value) -> DecidedHeader:
        """Raises LedgerError. Checks form only."""
        if not isinstance(value, list) or len(value) != 3 or not isinstance(value[2], list):
            raise LedgerError("not [header, certificate, handovers]", "decided")
        handovers = tuple(map(Handover.from_value, value[2]))
        return cls(_header(value[0]), QuorumCertificate.from_value(value[1]), handovers)


@dataclass(frozen=True, slots=True)
class Receipt:
    """The portable proof of one entry."""

    entry: bytes
    """Wire bytes."""
    index: int
    """Position in the log."""
    path: tuple[Hash, ...]
    """Inclusion proof in the tree of `decided.header`."""
    decided: DecidedHeader

    def encode_json(self) -> bytes:
        """The file's bytes. Raises LedgerError for an entry that is none."""
        return encode_receipt(self, decode_entry(self.entry))

    @classmethod
    def decode_json(cls, data: bytes) -> Receipt:
        """Steps 1 and 7: read a receipt file. Raises InvalidReceipt."""
        document = read_document(data, MEDIA_TYPE, FIELDS, MAX_RECEIPT_BYTES)
        receipt = _from_document(document)
        try:
            again = receipt.encode_json()
        except LedgerError as error:
            raise InvalidReceipt(6, error.reason, error.field) from error
        if again != data:
            expected = json.loads(again)
            if document != expected and document["about"] != expected["about"]:
                raise InvalidReceipt(7, "does not say what the receipt proves", "about")
            raise InvalidReceipt(1, "not in canonical form")
        return receipt


@dataclass(frozen=True, slots=True)
class Verified:
    """What a verified receipt proves."""

    entry: Entry
    index: int
    header: Header
    certificate: QuorumCertificate


class ReceiptVerifier:
    """Verifies receipts against one pinned genesis. Remembers certified headers, so a block is checked once."""

    def __init__(self, genesis: Genesis, remembered_headers: int = 4096) -> None:
        self.genesis = genesis
        self._limit = remembered_headers
        self._certified: dict[tuple[Hash, bytes], None] = {}

    def verify_json(self, data: bytes) -> Verified:
        """Verify a receipt file. Raises InvalidReceipt with the number of the failed step."""
        return self.verify(Receipt.decode_json(data))

    def verify(self, receipt: Receipt) -> Verified:
        """Steps 2 to 6, for a receipt as a value. Raises InvalidReceipt."""
        decided = receipt.decided
        self.verify_header(decided)
        try:
            verify_inclusion(
                leaf_hash(receipt.entry),
                receipt.index,
                decided.header.tree_size,
                receipt.path,
                decided.header.tree_root,
            )
        except LedgerError as error:
            raise InvalidReceipt(5, error.reason, error.field) from error
        try:
            entry = decode_entry(receipt.entry)
            verify_signature(entry, self.genesis.hash)
        except LedgerError as error:
            raise InvalidReceipt(6, error.reason, error.field) from error
        return Verified(entry, receipt.index, decided.header, decided.certificate)

    def verify_header(self, decided: DecidedHeader) -> None:
        """Steps 2 to 4: the header was decided by the ledger that grew from the pinned genesis."""
        if decided.header.genesis != self.genesis.hash:
            raise InvalidReceipt(
                2, f"is {decided.header.genesis.hex()}, pinned is {self.genesis.hash.hex()}", "genesis"
            )
        validators = self._follow_handovers(decided.handovers, decided.header)
        if decided.header.validators != validators.hash:
            raise InvalidReceipt(4, "another validator set signs it than the handovers lead to", "header")
        self._check_certificate(4, "certificate", decided.header, decided.certificate, validators)

    def _follow_handovers(self, handovers: tuple[Handover, ...], header: Header) -> ValidatorSet:
        validators = self.genesis.registry.validators
        height = 0
        for number, handover in enumerate(handovers):
            path = f"handovers[{number}]"
            if handover.header.genesis != self.genesis.hash:
                raise InvalidReceipt(3, "is of another ledger", path)
            if not height < handover.header.height < header.height:
                raise InvalidReceipt(3, "heights do not ascend", path)
            if handover.header.validators != validators.hash:
                raise InvalidReceipt(3, "another validator set signs it", path)
            self._check_certificate(3, path, handover.header, handover.certificate, validators)
            if handover.header.next_validators != handover.validators.hash:
                raise InvalidReceipt(3, "the new validator set is not the one decided", path)
            if handover.validators.hash == validators.hash:
                raise InvalidReceipt(3, "hands over to the same set", path)
            validators, height = handover.validators, handover.header.height
        return validators

    def _check_certificate(
        self, step: int, path: str, header: Header, certificate: QuorumCertificate, validators: ValidatorSet
    ) -> None:
        known = (header.hash, certificate.encode())
        if known in self._certified:
            return
        try:
            certificate.verify(self.genesis.hash, validators, header.height, header.hash)
        except LedgerError as error:
            raise InvalidReceipt(step, error.reason, path) from error
        if len(self._certified) >= self._limit:
            del self._certified[next(iter(self._certified))]
        self._certified[known] = None


def encode_receipt(receipt: Receipt, entry: Entry) -> bytes:
    """The canonical file of `receipt`, whose decoded entry the caller has at hand."""
    return ReceiptEncoder().encode(receipt, entry)


class ReceiptEncoder:
    """Writes receipt files; what the entries of one block share is written once."""

    def __init__(self) -> None:
        self._decided: DecidedHeader | None = None
        self._shared = ""

    def encode(self, receipt: Receipt, entry: Entry) -> bytes:
        """The canonical file of `receipt`, whose decoded entry the caller has at hand."""
        if self._decided is not receipt.decided:
            self._decided, self._shared = receipt.decided, encode_decided(receipt.decided)
        path = '["' + '","'.join([each.hex() for each in receipt.path]) + '"]' if receipt.path else "[]"
        return (
            f'{{\n"mediaType":"{MEDIA_TYPE}",\n'
            f'"about":{compact_json(about(entry, receipt.index, receipt.decided.header))},\n'
            f'"genesis":"{receipt.decided.header.genesis.hex()}",\n'
            f'"entry":"{base64_text(receipt.entry)}",\n'
            f'"index":{receipt.index},\n'
            f'"path":{path},\n'
            f"{self._shared}\n}}\n"
        ).encode()


def encode_decided(decided: DecidedHeader) -> str:
    """The part of a receipt file that all entries of a block share."""
    handovers = [
        {
            "header": base64_text(each.header.raw),
            "certificate": base64_text(each.certificate.encode()),
            "validators": base64_text(canonical.encode(each.validators.to_value())),
        }
        for each in decided.handovers
    ]
    return (
        f'"header":"{base64_text(decided.header.raw)}",\n"certificate":"{base64_text(decided.certificate.encode())}",\n'
        f'"handovers":{compact_json(handovers)}'
    )


def about(entry: Entry, index: int, header: Header) -> dict[str, Any]:
    """What a reader wants to see first; derived, so it can be checked."""
    body = entry.body
    shown = {"id": entry.id.hex(), "kind": body["kind"]}
    for name in ("issuer", "member", "project", "disclosure"):
        if name in body:
            shown[name] = body[name]
    return {
        **shown,
        "author": entry.key.hex(),
        "index": index,
        "height": header.height,
        "time": iso_time(header.time_ms),
    }


def iso_time(time_ms: int) -> str:
    """2026-11-22T10:30:00.123Z"""
    seconds, millis = divmod(time_ms, 1000)
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{millis:03d}Z"


compact_json = json.JSONEncoder(separators=(",", ":")).encode
"""Without spaces."""


def base64_text(data: bytes) -> str:
    """Standard base64 with padding."""
    return base64.b64encode(data).decode()


def read_document(data: bytes, media_type: str, fields: tuple[str, ...], max_bytes: int) -> dict[str, Any]:
    """A file of one JSON object with exactly these fields in this order. Raises InvalidReceipt (step 1)."""
    if len(data) > max_bytes:
        raise InvalidReceipt(1, f"{len(data)} bytes, at most {max_bytes} allowed", limit=max_bytes)
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InvalidReceipt(1, f"not JSON: {error}") from error
    if not isinstance(document, dict):
        raise InvalidReceipt(1, "not a JSON object")
    if document.get("mediaType") != media_type:
        raise InvalidReceipt(1, f"not {media_type}", "mediaType")
    if tuple(document) != fields:
        raise InvalidReceipt(1, f"fields are not {', '.join(fields)}, in this order")
    return document


def _from_document(document: dict[str, Any]) -> Receipt:
    try:
        decided = decode_decided(document)
        if type(document["index"]) is not int:
            raise InvalidReceipt(1, "not an integer", "index")
        if not isinstance(document["path"], list):
            raise InvalidReceipt(1, "not a list", "path")
        return Receipt(read_base64(document, "entry"), document["index"], tuple(map(_hash, document["path"])), decided)
    except InvalidReceipt:
        raise
    except LedgerError as error:
        raise InvalidReceipt(1, error.reason, error.field) from error


def _header(value: canonical.Value) -> Header:
    if not isinstance(value, bytes):
        raise LedgerError("not bytes", "header")
    return Header.decode(value)


def decode_decided(document: dict[str, Any]) -> DecidedHeader:
    """The inverse of encode_decided, for a document that has its three fields. Raises LedgerError."""
    header = Header.decode(read_base64(document, "header"))
    certificate = QuorumCertificate.decode(read_base64(document, "certificate"))
    handovers = document["handovers"]
    if not isinstance(handovers, list):
        raise InvalidReceipt(1, "not a list", "handovers")
    return DecidedHeader(header, certificate, tuple(map(_handover, handovers)))


def _handover(value: Any) -> Handover:
    if not isinstance(value, dict) or tuple(value) != ("header", "certificate", "validators"):
        raise InvalidReceipt(1, "not {header, certificate, validators}", "handovers")
    return Handover(
        Header.decode(read_base64(value, "header")),
        QuorumCertificate.decode(read_base64(value, "certificate")),
        ValidatorSet.decode(read_base64(value, "validators")),
    )


def read_base64(document: dict[str, Any], name: str) -> bytes:
    """A field in standard base64. Raises InvalidReceipt (step 1)."""
    value = document[name]
    if not isinstance(value, str):
        raise InvalidReceipt(1, "not a string", name)
    try:
        return base64.b64decode(value.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise InvalidReceipt(1, "not base64", name) from error


def _hash(value: Any) -> Hash:
    try:
        decoded = bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        decoded = b""
    if len(decoded) != HASH_BYTES:
        raise InvalidReceipt(1, "not a hash in hex", "path")
    return Hash(decoded)
