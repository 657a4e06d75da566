"""Decoders of the client: what nodes answer, and the files of a project."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.fuzz import seeds
from tests.fuzz.files import from_file
from tests.fuzz.target import Target
from tests.support.consortium import digest
from tests.vectors.chain import chain

from notarium.anchoring import journal
from notarium.anchoring.drafts import read_draft
from notarium.anchoring.open_runs import _read
from notarium.anchoring.outbox import Outbox
from notarium.cli.find import _time_ms
from notarium.cli.init import read_hash
from notarium.cli.options import parse_fields, parse_refs, parse_values
from notarium.cli.runs import to_json
from notarium.errors import InvalidRecordFile, LyingNode, ProjectError
from notarium.evidence.digest_cache import DigestCache, FileState
from notarium.evidence.record import Record
from notarium.genesis_file import read_genesis
from notarium.key_files import KeyFileError, load_key
from notarium.ledger_access import answers
from notarium.ledger_access.answers import PROBLEM_TYPE, Answer, NodeFailed, ReceiptReader, Refused
from notarium.ledger_access.finding import read_hits
from notarium.ledger_access.found import Wanted, entry_id
from notarium.ledger_access.pool import normal_url
from notarium.project import _Settings
from notarium.verifying.seeds import check_seeds
from notarium_ledger.encoding.json_file import iso_time, parse_json
from notarium_ledger.log.hashes import leaf_hash
from notarium_ledger.trust.receipt import ReceiptVerifier
from notarium_ledger.trust.receipt_batch import encode_receipts
from notarium_ledger.trust.seed import derive_seed
from notarium_ledger.types import Hash

URL = "https://node.example.org"
_genesis = seeds.consortium().genesis
_STATE = FileState(1, 2, 3, 4, 5)


def _answer(body: bytes, status: int = 200, content_type: str = "application/json") -> Answer:
    return Answer(URL, status, content_type, body)


def _judged(judge: Callable[[Answer], Any]) -> Callable[[bytes], Any]:
    """What a node answered; what is reported about it fits one line of a terminal."""

    def decode(data: bytes) -> Any:
        try:
            return judge(_answer(data))
        except LyingNode as lie:
            _fits_a_terminal(str(lie))
            raise

    return decode


def _statement(data: bytes) -> Record:
    """What lies behind the signature, which a changed byte would not pass."""
    return Record.from_statement(parse_json(data))


def _fits_a_terminal(text: str) -> None:
    text.encode()
    if len(text) > 4096 or answers.CONTROL.search(text):
        raise AssertionError(f"not fit for a terminal: {text[:200]!r}")


def _problem(data: bytes) -> None:
    for status in (422, 503):
        try:
            _answer(data, status, PROBLEM_TYPE).expect(200)
        except (Refused, NodeFailed) as error:
            _fits_a_terminal(str(error))
    problem = answers.read_problem(_answer(data, 422, PROBLEM_TYPE))
    _fits_a_terminal(" ".join((problem.name, problem.title, problem.detail, problem.field, problem.remedy)))


def _status(answer: Answer) -> Any:
    status = answers.read_status(answer, _genesis.hash)
    _fits_a_terminal(status.problem)
    return status.ready


def _members(answer: Answer) -> Any:
    said = answer.json_object()
    answers.height_of(URL, said)
    answers.check_members(URL, said, chain().decisions[2].block.header, _genesis)


def _members_seed() -> bytes:
    registry = chain().states[3].registry
    validators = [{"member": each.member, "key": each.key.hex()} for each in registry.validators.validators]
    return json.dumps({"height": 3, "state_root": registry.hash.hex(), "validators": validators}).encode()


def _consistency_seed() -> bytes:
    # From one leaf to three: the proof is the second leaf and the third (RFC 6962, 2.1.2).
    leaves = chain().leaves()
    return json.dumps({"path": [each.hex() for each in leaves[1:3]]}).encode()


def _consistency(answer: Answer) -> None:
    second = chain().decisions[0].block.header
    first = replace(second, tree_size=1, tree_root=Hash(chain().leaves()[0]))
    answers.check_consistency(answer, first, second)


def _receipt(answer: Answer) -> Any:
    return ReceiptReader(ReceiptVerifier(_genesis)).read(answer, None, check_author=True)


def _own_receipt() -> Callable[[Answer], Any]:
    """The short way, for an entry of our own in a block that is proven."""
    receipt = seeds.receipts()[3]
    reader = ReceiptReader(ReceiptVerifier(_genesis))
    reader.read(_answer(receipt.encode_json()), receipt.entry, check_author=False)
    return lambda answer: reader.read(answer, receipt.entry, check_author=False)


def _batch(answer: Answer) -> Any:
    raws = [each.entry for each in seeds.receipts()]
    return ReceiptReader(ReceiptVerifier(_genesis)).read_batch(answer, raws, check_author=True)


def _hits(answer: Answer) -> Any:
    return read_hits(answer, Wanted(digest("found")), 10, 3)


def _options(data: bytes) -> Any:
    text = data.decode("utf-8", "replace")
    recorded = (parse_values([text], "--param"), parse_fields([text], "--set"))
    # What is recorded is written as JSON, which has neither infinity nor NaN.
    json.dumps(recorded, allow_nan=False)
    return recorded


def _outbox(path: Path) -> Any:
    outbox = Outbox(path.parent, _genesis)
    outbox.check()
    return [(each, iso_time(each.created_ms)) for each in outbox.list()]


def _journal(path: Path) -> Any:
    return [(each, iso_time(each.time_ms)) for each in journal.read(path.parent)]


def _runs(path: Path) -> Any:
    found = [_read(path)]
    return [to_json(each) for each in found if each is not None]


def _seeds(data: bytes) -> Any:
    receipt = chain().receipt(3, 0)
    start = answers.VerifiedReceipt(receipt, Hash(leaf_hash(receipt.entry)))
    facts = parse_json(data)
    return check_seeds(facts if isinstance(facts, dict) else {}, {"refs": [{"rel": "ends", "entry": start.id}]}, start)


def _seeds_seed() -> bytes:
    receipt = chain().receipt(3, 0)
    header, start = receipt.decided.header, Hash(leaf_hash(receipt.entry))
    seed = derive_seed(header.hash, start)
    parent = chain().decisions[1].block.header.raw.hex()
    claimed = {"name": "", "seed": seed, "start": start.hex(), "block": header.hash.hex(), "parent_header": parent}
    return json.dumps({"seeds": {"seed": seed}, "ledger_seeds": [claimed]}).encode()


def _cache(path: Path) -> None:
    cache = DigestCache(path)
    for found in cache.get_many([_STATE]):
        if found is not None and len(bytes.fromhex(found)) != 32:
            raise AssertionError(f"not a digest: {found!r}")
    cache.put_many([(_STATE, "ab" * 32)], 10**19)


def _cache_seed() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        DigestCache(Path(folder, "digests.sqlite")).put_many([(_STATE, "ab" * 32)], 10**19)
        return Path(folder, "digests.sqlite").read_bytes()


ANSWERS = (
    Target(
        "answer: problem",
        _problem,
        (),
        ("notarium.ledger_access.answers:read_problem", "notarium.ledger_access.answers:Answer.expect"),
        (seeds.problem(),),
        dialect="json",
    ),
    Target(
        "answer: receipt",
        _judged(_receipt),
        (LyingNode,),
        ("notarium.ledger_access.answers:ReceiptReader.read",),
        tuple(each.encode_json() for each in seeds.receipts()),
        lambda receipt: receipt.file_bytes(),
        dialect="json",
    ),
    Target(
        "answer: receipt of our own entry",
        _judged(_own_receipt()),
        (LyingNode,),
        ("notarium_ledger.trust.receipt:ReceiptDecoder.decode", "notarium_ledger.trust.receipt:_from_own_part"),
        (seeds.receipts()[3].encode_json(),),
        dialect="json",
    ),
    Target(
        "answer: receipt batch",
        _judged(_batch),
        (LyingNode,),
        ("notarium.ledger_access.answers:ReceiptReader.read_batch",),
        (encode_receipts([*seeds.receipts()]),),
    ),
    Target(
        "answer: status",
        _judged(_status),
        (LyingNode,),
        ("notarium.ledger_access.answers:read_status", "notarium.ledger_access.answers:Answer.json_object"),
        (json.dumps({"genesis": _genesis.hash.hex(), "ready": True, "height": 3}).encode(), b'{"genesis": "ab"}'),
        dialect="json",
    ),
    Target(
        "answer: search",
        _judged(_hits),
        (LyingNode,),
        ("notarium.ledger_access.finding:read_hits",),
        (json.dumps({"digest": digest("found").hex(), "entries": [{"id": "ab" * 32}], "next": 9}).encode(),),
        dialect="json",
    ),
    Target(
        "answer: block",
        _judged(answers.read_block_entry),
        (LyingNode,),
        ("notarium.ledger_access.answers:read_block_entry", "notarium.ledger_access.answers:read_hash"),
        (json.dumps({"entry_ids": ["ab" * 32, "cd" * 32]}).encode(),),
        dialect="json",
    ),
    Target(
        "answer: consistency",
        _judged(_consistency),
        (LyingNode,),
        ("notarium.ledger_access.answers:check_consistency",),
        (_consistency_seed(),),
        dialect="json",
    ),
    Target(
        "answer: members",
        _judged(_members),
        (LyingNode,),
        ("notarium.ledger_access.answers:check_members", "notarium.ledger_access.answers:height_of"),
        (_members_seed(),),
        dialect="json",
    ),
)

PROJECT = (
    Target(
        "record",
        Record.decode,
        (InvalidRecordFile,),
        (
            "notarium.evidence.record:Record.decode",
            "notarium.evidence.envelope:Envelope.from_json",
            "notarium.evidence.envelope:_read_signature",
        ),
        seeds.records(),
        dialect="json",
    ),
    Target(
        "statement",
        _statement,
        (InvalidRecordFile, ValueError, RecursionError),
        (
            "notarium.evidence.record:Record.from_statement",
            "notarium.evidence.predicate:read_predicate",
            "notarium.evidence.author:Author.from_json",
        ),
        seeds.statements(),
        dialect="json",
    ),
    Target(
        "draft",
        from_file("fit.run.draft.json", read_draft),
        (ProjectError,),
        (
            "notarium.anchoring.drafts:read_draft",
            "notarium.anchoring.drafts:_run",
            "notarium.evidence.artifact:Artifact.from_json",
            "notarium.evidence.contents:Item.from_json",
            "notarium.evidence.ignore:Ignored.from_json",
            "notarium.evidence.links:SymbolicLink.from_json",
        ),
        (seeds.draft(),),
        dialect="json",
    ),
    Target(
        "outbox",
        from_file(f"{seeds.OUTBOX_ID}.json", _outbox),
        (ProjectError,),
        ("notarium.anchoring.outbox:Outbox._read",),
        (seeds.outbox_file(),),
        dialect="json",
    ),
    Target(
        "journal",
        from_file(journal.FILE, _journal),
        (),
        ("notarium.anchoring.journal:read",),
        (seeds.journal(),),
        dialect="json",
    ),
    Target(
        "mark of an open run",
        from_file(f"{'ab' * 8}.open.json", _runs),
        (),
        ("notarium.anchoring.open_runs:_read",),
        (seeds.open_run(), seeds.open_run(draft="../fit.run.draft.json")),
        dialect="json",
    ),
    Target(
        "seeds of a record",
        _seeds,
        (ValueError, RecursionError),
        ("notarium.verifying.seeds:_problem",),
        (_seeds_seed(),),
        dialect="json",
    ),
    Target(
        "digest cache",
        from_file("digests.sqlite", _cache),
        (),
        (),
        (_cache_seed(),),
        dialect="text",
        max_bytes=40_000,
    ),
    Target(
        "config.toml",
        from_file("config.toml", _Settings.read),
        (ProjectError,),
        ("notarium.project:_Settings.read", "notarium.toml_file:read_toml"),
        (seeds.PROJECT_TOML,),
        dialect="text",
        max_bytes=40_000,
    ),
    Target(
        "genesis file of a project",
        from_file("genesis.json", read_genesis),
        (ProjectError,),
        ("notarium.genesis_file:read_genesis",),
        (_genesis.encode_json(),),
        dialect="json",
    ),
    Target(
        "researcher's key file",
        from_file("m0.key", load_key, mode=0o600),
        (KeyFileError,),
        ("notarium.key_files:load_key", "notarium.key_files:_parse"),
        (seeds.key_file("researcher"),),
        dialect="text",
        max_bytes=8192,
    ),
    Target(
        "node address",
        lambda data: normal_url(data.decode("utf-8", "replace")),
        (ProjectError,),
        ("notarium.ledger_access.pool:normal_url",),
        (b"https://node.example.org:8443/api/", b"http://[::1]:80"),
        dialect="text",
        max_bytes=8192,
    ),
    Target(
        "genesis hash as people pass it on",
        lambda data: read_hash(data.decode("utf-8", "replace")),
        (ProjectError,),
        ("notarium.cli.init:read_hash",),
        (b"abcd 0123 " * 8,),
        dialect="text",
        max_bytes=8192,
    ),
    Target(
        "value of an option",
        _options,
        (ProjectError,),
        ("notarium.cli.options:parse_values", "notarium.cli.options:parse_fields"),
        (b"lr=0.1", b"n=3", b"x=-1e-3", b"shuffle=true", b"note=a=b"),
        dialect="text",
        max_bytes=8192,
    ),
    Target(
        "reference on the command line",
        lambda data: parse_refs([data.decode("utf-8", "replace")]),
        (ProjectError,),
        ("notarium.cli.options:parse_refs",),
        (b"derivedFrom=fit.run.receipt.json",),
        dialect="text",
        max_bytes=8192,
    ),
    Target(
        "time on the command line",
        lambda data: _time_ms(data.decode("utf-8", "replace"), "--since"),
        (ProjectError,),
        ("notarium.cli.find:_time_ms",),
        (b"2026-01-31T12:00:00Z", b"2026-01-31", b"0001-01-01T00:00:00+14:00"),
        dialect="text",
        max_bytes=8192,
    ),
    Target(
        "entry id",
        lambda data: entry_id(data.decode("utf-8", "replace")),
        (ProjectError,),
        ("notarium.ledger_access.found:entry_id",),
        (b"ab" * 32,),
        dialect="text",
        max_bytes=8192,
    ),
)
