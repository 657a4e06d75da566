"""The receipt: everything that is needed to check, offline and permanently, that an entry was decided and when.

A receipt is one JSON file in one canonical form. Reading it and writing it again gives the same bytes, so no byte is
unchecked. Verification recomputes what the file says about itself in `about`, and compares.

The trust root is the genesis document. From there the receipt leads through the validator-set handovers to the block
that decided the entry (chain.py). Verification has numbered steps, and an error names its step:

 1  form        the file is a receipt of a known version, in canonical form
 2  ledger      it names the pinned genesis
 3  handovers   each change of the validator set is certified by the set before it
 4  decision    the block's header is certified by the set in force
 5  inclusion   the entry is in the log under that header's tree root
 6  author      the entry is well-formed and signed by its author for this ledger
 7  about       what the receipt says about itself follows from the rest
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from notarium_ledger.blocks.block import Header
from notarium_ledger.blocks.certificate import QuorumCertificate
from notarium_ledger.encoding.json_file import (
    base64_text,
    compact_json,
    is_same_json,
    iso_time,
    parse_json,
    read_base64,
    read_fields,
    read_hex_hash,
)
from notarium_ledger.encoding.reading import read_items
from notarium_ledger.entries.entry import Entry, decode_entry, verify_signature
from notarium_ledger.errors import InvalidReceipt, LedgerError, errors_as
from notarium_ledger.log.hashes import leaf_hash
from notarium_ledger.log.proofs import verify_inclusion
from notarium_ledger.state.genesis import Genesis
from notarium_ledger.trust.chain import ChainStep, ChainVerifier, DecidedHeader, InvalidChain
from notarium_ledger.types import Hash

MEDIA_TYPE = "application/vnd.notarium.receipt.v1+json"
MAX_RECEIPT_BYTES = 16 * 1024 * 1024
FIELDS = ("mediaType", "about", "genesis", "entry", "index", "path", "header", "certificate", "handovers")

_SHARED_PART = b',\n"header":"'
"""Start of the part of a file that all entries of a block share (DecidedHeader.json_fields)."""

_CHAIN_STEPS = {ChainStep.LEDGER: 2, ChainStep.HANDOVERS: 3, ChainStep.DECISION: 4}


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
        """The file's bytes. Raises LedgerError where `entry` is not an entry."""
        return encode_receipt(self, decode_entry(self.entry))

    @classmethod
    def decode_json(cls, data: bytes) -> Receipt:
        """Steps 1 and 7: read a receipt file. Raises InvalidReceipt."""
        receipt, is_canonical = cls.decode_any_form(data)
        if not is_canonical:
            raise InvalidReceipt(1, "not in canonical form")  # 1 form
        return receipt

    @classmethod
    def decode_any_form(cls, data: bytes) -> tuple[Receipt, bool]:
        """Steps 1 and 7 for a file that a tool may have changed, and whether it is in canonical form.

        Git, editors and hooks change line ends, white space and the order of names. That is no other receipt, as long
        as the file says the same as JSON: every value in it is compared. Raises InvalidReceipt.
        """
        with errors_as(InvalidReceipt, 1):  # 1 form
            document = read_fields(data, MEDIA_TYPE, FIELDS, MAX_RECEIPT_BYTES)
            receipt = _from_document(document)
        with errors_as(InvalidReceipt, 6):  # 6 author: `about` is derived from a well-formed entry
            again = receipt.encode_json()
        if again == data:
            return receipt, True
        canonical = parse_json(again)
        if not is_same_json(document["about"], canonical["about"]):  # 7 about
            raise InvalidReceipt(7, "does not match what the receipt proves", "about")
        if not is_same_json(document, canonical):
            raise InvalidReceipt(1, "not in canonical form")  # 1 form
        return receipt, False


@dataclass(frozen=True, slots=True)
class Verified:
    """What a verified receipt proves."""

    entry: Entry
    index: int
    header: Header
    certificate: QuorumCertificate


class ReceiptVerifier:
    """Verifies receipts against one pinned genesis. Checks the header of a block once for all its entries."""

    def __init__(self, genesis: Genesis, remembered_headers: int = 4096) -> None:
        self.genesis = genesis
        self._chain = ChainVerifier(genesis, remembered_headers)

    def verify_json(self, data: bytes) -> Verified:
        """Verify a receipt file. Raises InvalidReceipt with the number of the failed step."""
        return self.verify(Receipt.decode_json(data))

    def verify(self, receipt: Receipt) -> Verified:
        """Steps 2 to 6, for a receipt as a value. Raises InvalidReceipt."""
        self.verify_place(receipt)
        with errors_as(InvalidReceipt, 6):  # 6 author
            entry = decode_entry(receipt.entry)
            verify_signature(entry, self.genesis.hash)
        return Verified(entry, receipt.index, receipt.decided.header, receipt.decided.certificate)

    def verify_place(self, receipt: Receipt) -> Hash:
        """Steps 2 to 5, for an entry that the caller signed itself. Returns the entry's id. Raises InvalidReceipt."""
        self.verify_header(receipt.decided)
        header, id_ = receipt.decided.header, leaf_hash(receipt.entry)
        with errors_as(InvalidReceipt, 5):  # 5 inclusion
            verify_inclusion(id_, receipt.index, header.tree_size, receipt.path, header.tree_root)
        return id_

    def verify_header(self, decided: DecidedHeader) -> None:
        """Steps 2 to 4: the ledger of the pinned genesis decided the header. Raises InvalidReceipt."""
        try:
            self._chain.verify(decided)  # 2 ledger, 3 handovers, 4 decision
        except InvalidChain as error:
            raise InvalidReceipt(_CHAIN_STEPS[error.step], error.reason, error.field) from error


def encode_receipt(receipt: Receipt, entry: Entry) -> bytes:
    """The canonical file of `receipt`; `entry` is its decoded entry."""
    return ReceiptEncoder().encode(receipt, entry)


class ReceiptEncoder:
    """Writes receipt files. Encodes the part that the entries of one block share once."""

    def __init__(self) -> None:
        self._decided: DecidedHeader | None = None
        self._shared = ""

    def encode(self, receipt: Receipt, entry: Entry) -> bytes:
        """The canonical file of `receipt`; `entry` is its decoded entry."""
        if self._decided is not receipt.decided:
            self._decided, self._shared = receipt.decided, receipt.decided.json_fields()
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


class ReceiptDecoder:
    """Reads receipt files of entries that the caller has. Decodes the part that the entries of one block share once."""

    def __init__(self, remembered_blocks: int = 256) -> None:
        self._limit = remembered_blocks
        self._proven: dict[bytes, DecidedHeader] = {}
        """The shared part of a file, of a proven block -> its decoded value."""

    def decode(self, data: bytes, entry: bytes) -> Receipt | None:
        """The receipt of `entry`, or None where the file's block is not remembered and the file must be read in full.

        Reads only index and path, because the caller has the entry, the block is proven, and the rest of the file
        follows from these. Does not verify index and path. Raises InvalidReceipt (step 1).
        """
        cut = data.find(_SHARED_PART)
        decided = self._proven.get(data[cut:])
        if decided is None:
            return None
        with errors_as(InvalidReceipt, 1):  # 1 form
            return _from_own_part(data[:cut] + b"}", entry, decided)

    def remember(self, data: bytes, receipt: Receipt) -> None:
        """Remember the block of `receipt`, whose file `data` the caller has read in full and verified."""
        shared = data[data.find(_SHARED_PART) :]
        if shared in self._proven:
            return
        if len(self._proven) >= self._limit:
            del self._proven[next(iter(self._proven))]
        self._proven[shared] = receipt.decided


def about(entry: Entry, index: int, header: Header) -> dict[str, Any]:
    """The summary for people. It is derived from the rest, so it can be checked."""
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


def _from_document(document: dict[str, Any]) -> Receipt:
    """Raises LedgerError."""
    decided = DecidedHeader.from_document(document)
    return Receipt(read_base64(document, "entry"), *_place(document), decided)


def _from_own_part(data: bytes, entry: bytes, decided: DecidedHeader) -> Receipt:
    """Reads the fields of a file before the header. Raises LedgerError."""
    try:
        fields = parse_json(data)
    except (ValueError, RecursionError) as error:
        raise LedgerError("not a receipt file") from error
    if not isinstance(fields, dict) or not {"index", "path"} <= fields.keys():
        raise LedgerError("not a receipt file")
    return Receipt(entry, *_place(fields), decided)


def _place(document: dict[str, Any]) -> tuple[int, tuple[Hash, ...]]:
    """The fields `index` and `path`. Raises LedgerError."""
    index = document["index"]
    if type(index) is not int:
        raise LedgerError("not an integer", "index")
    return index, tuple(read_hex_hash(each, "path") for each in read_items(document["path"], "path"))
