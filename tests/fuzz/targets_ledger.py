"""Decoders of the ledger, the agreement and the store."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from tests.fuzz import seeds
from tests.fuzz.target import OWN, Target
from tests.vectors.chain import chain

from notarium_consensus.errors import InvalidMessage, InvalidRecord
from notarium_consensus.messages import decode_message, encode_message, signed_part
from notarium_consensus.permission import FENCE_KEY, encode_fence
from notarium_consensus.signing_record import (
    PREPARED_KEY,
    PROPOSAL_KEY,
    decode_record,
    encode_prepared,
    encode_statement,
    slot_key,
)
from notarium_ledger.blocks.block import Block, Decision, Header
from notarium_ledger.blocks.certificate import QuorumCertificate
from notarium_ledger.blocks.validators import ValidatorSet
from notarium_ledger.encoding import canonical
from notarium_ledger.entries.commitment import check_body
from notarium_ledger.entries.entry import Entry, decode_entry, verify_signature
from notarium_ledger.errors import (
    InvalidBlock,
    InvalidCertificate,
    InvalidEntry,
    InvalidEquivocation,
    InvalidEquivocationFile,
    InvalidGenesis,
    InvalidReceipt,
    InvalidSnapshot,
    LedgerError,
    NotCanonical,
)
from notarium_ledger.log.frontier import Frontier
from notarium_ledger.state.genesis import Genesis
from notarium_ledger.state.registry import Registry
from notarium_ledger.trust.equivocation import Equivocation
from notarium_ledger.trust.equivocation_file import EquivocationFile
from notarium_ledger.trust.receipt import Receipt, ReceiptVerifier
from notarium_ledger.trust.receipt_batch import decode_receipts, encode_receipts
from notarium_ledger.trust.snapshot import Snapshot
from notarium_ledger.types import Height
from notarium_store.layout import (
    NamedBy,
    StoredHeader,
    StoredState,
    decode_entries,
    decode_position,
    named_value,
    position_value,
    split,
)

_DAMAGED = (LedgerError, ValueError, TypeError, KeyError, IndexError)
"""What the store takes for corruption (reading.decoded): it reads only what it wrote itself."""


def _entry(data: bytes) -> Entry:
    """Decoded, and its signature looked at, which walks a batch's path."""
    entry = decode_entry(data)
    with suppress(InvalidEntry):  # Well-formed all the same.
        verify_signature(entry, seeds.consortium().genesis.hash)
    return entry


def _encode_entry(entry: Entry) -> bytes:
    head: list[Any] = [1, canonical.encode(entry.body), bytes(entry.key), bytes(entry.signature)]
    if entry.batch is not None:
        head = [2, *head[1:], entry.batch.index, entry.batch.size, [bytes(each) for each in entry.batch.path]]
    return canonical.encode(head)


def _verified(data: bytes) -> Receipt:
    ReceiptVerifier(seeds.consortium().genesis).verify_json(data)
    return Receipt.decode_json(data)


def _receipts_seed() -> bytes:
    return encode_receipts([*seeds.receipts(), None])


def _receipts(data: bytes) -> Any:
    return decode_receipts(data, [*(each.entry for each in seeds.receipts()), b""])


def _equivocation(data: bytes) -> Equivocation:
    found = Equivocation.decode(data)
    with suppress(InvalidEquivocation):  # Well-formed all the same.
        found.verify()
    return found


def _equivocation_file(data: bytes) -> EquivocationFile:
    file = EquivocationFile.decode_json(data)
    with suppress(InvalidEquivocationFile):  # Well-formed all the same.
        file.verify(seeds.consortium().genesis)
    return file


def _record(key: bytes) -> Callable[[bytes], Any]:
    return lambda data: decode_record({key: data}, Height(1))


def _statement_at(key: bytes) -> Any:
    return decode_record({key: encode_statement(signed_part(seeds.messages()[2]))}, Height(1))


def _stored_header() -> bytes:
    decision = chain().decisions[2]
    return StoredHeader(decision.block.header, decision.certificate, chain().states[2].frontier).encode()


def _stored_state() -> bytes:
    state = chain().states[3]
    return StoredState(state.height, state.tip, state.time_ms, state.frontier).encode()


LEDGER = (
    Target(
        "canonical",
        canonical.decode,
        (NotCanonical,),
        ("notarium_ledger.encoding.canonical:decode", "notarium_ledger.encoding.canonical:decode_shortest"),
        seeds.vector_bytes("canonical"),
        canonical.encode,
        memory_factor=OWN,
    ),
    Target(
        "entry",
        _entry,
        (InvalidEntry,),
        ("notarium_ledger.entries.entry:decode_entry",),
        seeds.vector_bytes("entries"),
        _encode_entry,
        max_bytes=65_600,
    ),
    Target(
        "body",
        lambda data: check_body(canonical.decode(data)),
        (LedgerError,),
        (),
        seeds.vector_bytes("bodies"),
        canonical.encode,
        max_bytes=65_600,
        memory_factor=OWN,
    ),
    Target(
        "header",
        Header.decode,
        (InvalidBlock,),
        ("notarium_ledger.blocks.block:Header.decode",),
        seeds.vector_bytes("blocks", "raw"),
        lambda header: header.raw,
    ),
    Target(
        "block",
        Block.decode,
        (InvalidBlock,),
        ("notarium_ledger.blocks.block:Block.decode", "notarium_ledger.blocks.block:Block.from_value"),
        seeds.vector_bytes("blocks", "block"),
        Block.encode,
    ),
    Target(
        "decision",
        Decision.decode,
        (LedgerError,),
        ("notarium_ledger.blocks.block:Decision.decode", "notarium_ledger.blocks.block:Decision.from_value"),
        seeds.vector_bytes("blocks", "decision"),
        Decision.encode,
    ),
    Target(
        "certificate",
        QuorumCertificate.decode,
        (InvalidCertificate,),
        (
            "notarium_ledger.blocks.certificate:QuorumCertificate.decode",
            "notarium_ledger.blocks.certificate:QuorumCertificate.from_value",
        ),
        seeds.vector_bytes("certificates"),
        QuorumCertificate.encode,
    ),
    Target(
        "validator set",
        ValidatorSet.decode,
        (LedgerError,),
        (
            "notarium_ledger.blocks.validators:ValidatorSet.decode",
            "notarium_ledger.blocks.validators:ValidatorSet.from_value",
        ),
        tuple(canonical.encode(each.registry.validators.to_value()) for each in chain().states[1:3]),
        lambda value: canonical.encode(value.to_value()),
    ),
    Target(
        "genesis",
        Genesis.decode_json,
        (InvalidGenesis,),
        (
            "notarium_ledger.state.genesis:Genesis.decode_json",
            "notarium_ledger.state.genesis:Genesis.from_document",
            "notarium_ledger.state.genesis:_key",
            "notarium_ledger.state.genesis:_node",
        ),
        (seeds.consortium().genesis.encode_json(),),
        Genesis.encode_json,
        is_canonical=False,
        dialect="json",
    ),
    Target(
        "receipt",
        Receipt.decode_json,
        (InvalidReceipt,),
        (
            "notarium_ledger.trust.receipt:Receipt.decode_json",
            "notarium_ledger.trust.receipt:_from_document",
            "notarium_ledger.trust.chain:DecidedHeader.from_document",
            "notarium_ledger.trust.chain:Handover.from_document",
            "notarium_ledger.encoding.json_file:parse_json",
            "notarium_ledger.encoding.json_file:read_base64",
            "notarium_ledger.encoding.json_file:read_document",
            "notarium_ledger.encoding.json_file:read_hex_hash",
        ),
        tuple(each.encode_json() for each in seeds.receipts()),
        Receipt.encode_json,
        dialect="json",
    ),
    Target(
        "receipt, in any form",
        lambda data: Receipt.decode_any_form(data)[0],
        (InvalidReceipt,),
        (
            "notarium_ledger.trust.receipt:Receipt.decode_any_form",
            "notarium_ledger.encoding.json_file:read_fields",
        ),
        tuple(json.dumps(json.loads(each.encode_json()), indent=1).encode() for each in seeds.receipts()),
        Receipt.encode_json,
        is_canonical=False,
        dialect="json",
    ),
    Target(
        "receipt, verified",
        _verified,
        (InvalidReceipt,),
        ("notarium_ledger.trust.receipt:ReceiptVerifier.verify_json",),
        tuple(each.encode_json() for each in seeds.receipts()),
        Receipt.encode_json,
        dialect="json",
    ),
    Target(
        "receipt batch",
        _receipts,
        (InvalidReceipt,),
        ("notarium_ledger.trust.receipt_batch:decode_receipts",),
        (_receipts_seed(),),
        # No inverse: a block may stand there twice with other seals each, and is written once with the first ones.
    ),
    Target(
        "snapshot",
        Snapshot.decode,
        (InvalidSnapshot,),
        (
            "notarium_ledger.trust.snapshot:Snapshot.decode",
            "notarium_ledger.trust.snapshot:Snapshot._from_value",
            "notarium_ledger.trust.chain:DecidedHeader.from_value",
            "notarium_ledger.trust.chain:Handover.from_value",
        ),
        seeds.vector_bytes("snapshots", "hex"),
        Snapshot.encode,
    ),
)

AGREEMENT = (
    Target(
        "message",
        decode_message,
        (InvalidMessage,),
        (
            "notarium_consensus.messages:decode_message",
            "notarium_consensus.messages:_from_value",
            "notarium_ledger.blocks.statements:vote_from_value",
            "notarium_consensus.messages:votes_from_value",
            "notarium_ledger.blocks.statements:round_change_from_value",
        ),
        seeds.message_bytes(),
        # Encoded again, not the bytes that the decoder kept.
        lambda message: encode_message(type(message)(*(getattr(message, name) for name in _fields(message)))),
    ),
    Target(
        "equivocation",
        _equivocation,
        (InvalidEquivocation,),
        (
            "notarium_ledger.trust.equivocation:Equivocation.decode",
            "notarium_ledger.blocks.statements:statement_from_value",
        ),
        seeds.equivocation(),
        Equivocation.encode,
    ),
    Target(
        "equivocation file",
        _equivocation_file,
        (InvalidEquivocationFile,),
        (
            "notarium_ledger.trust.equivocation_file:EquivocationFile.decode_json",
            "notarium_ledger.trust.equivocation_file:_from_document",
        ),
        seeds.equivocation_files(),
        EquivocationFile.encode_json,
        dialect="json",
    ),
    Target(
        "record: statement",
        _record(slot_key(seeds.messages()[2].round, seeds.messages()[2].kind)),
        (InvalidRecord,),
        ("notarium_consensus.signing_record:decode_record", "notarium_consensus.signing_record:_statement"),
        (encode_statement(signed_part(seeds.messages()[2])),),
        lambda record: encode_statement(record.statements[0]),
        memory_factor=OWN,
    ),
    Target(
        "record: proposal",
        _record(PROPOSAL_KEY),
        (InvalidRecord,),
        ("notarium_consensus.signing_record:_proposal",),
        (seeds.message_bytes()[0],),
        lambda record: encode_message(record.proposal),
        memory_factor=OWN,
    ),
    Target(
        "record: prepared",
        _record(PREPARED_KEY),
        (InvalidRecord,),
        ("notarium_consensus.signing_record:_prepared",),
        (seeds.prepared(),),
        lambda record: encode_prepared(record.prepared),
        memory_factor=OWN,
    ),
    Target(
        "record: fence",
        _record(FENCE_KEY),
        (InvalidRecord,),
        ("notarium_consensus.permission:decode_fence",),
        (encode_fence(Height(7)),),
        lambda record: encode_fence(record.fence),
    ),
    Target(
        "record: key", _statement_at, (InvalidRecord,), (),
        (slot_key(seeds.messages()[2].round, seeds.messages()[2].kind),),
    ),
)  # fmt: skip

STORE = (
    Target(
        "registry",
        Registry.decode,
        (LedgerError,),
        (
            "notarium_ledger.state.registry:Registry.decode",
            "notarium_ledger.state.registry:decode_records",
            "notarium_ledger.state.records:_decoded",
        ),
        tuple(each.registry.encode() for each in chain().states[1:3]),
        lambda registry: registry.encode(),
        memory_factor=OWN,
    ),
    Target(
        "stored state",
        StoredState.decode,
        _DAMAGED,
        ("notarium_store.layout:StoredState.decode",),
        (_stored_state(),),
        memory_factor=OWN,
    ),
    Target(
        "stored header",
        StoredHeader.decode,
        _DAMAGED,
        ("notarium_store.layout:StoredHeader.decode",),
        (_stored_header(),),
        memory_factor=OWN,
    ),
    Target(
        "stored entries",
        decode_entries,
        (LedgerError,),
        ("notarium_store.layout:decode_entries",),
        (seeds.canonical_list(*chain().decisions[0].block.entries),),
        lambda entries: seeds.canonical_list(*entries),
        memory_factor=OWN,
    ),
    Target(
        "stored position",
        decode_position,
        (ValueError,),
        ("notarium_store.layout:decode_position",),
        (position_value(1, 2),),
        lambda place: position_value(*place),
    ),
    Target(
        "stored search row",
        lambda data: NamedBy.decode(7, data),
        (ValueError,),
        ("notarium_store.layout:NamedBy.decode",),
        (named_value(decode_entry(chain().decisions[0].block.entries[0]), 1),),
        is_canonical=False,
    ),
    Target(
        "stored peaks",
        lambda data: Frontier(0, tuple(split(data))).root(),
        (ValueError,),
        (),
        (bytes(64),),
    ),
)


def _fields(message: object) -> list[str]:
    return [name for name in message.__dataclass_fields__ if name != "_encoded"]  # type: ignore[attr-defined]
