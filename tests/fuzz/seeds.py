"""Valid bytes of every format: of the golden vectors where there are some, else made here, without randomness."""

from __future__ import annotations

import base64
import json
from functools import cache
from pathlib import Path
from typing import Any

from tests.support.consortium import Consortium, digest, key
from tests.vectors.chain import chain

from notarium.evidence.artifact import Artifact
from notarium.evidence.author import Author
from notarium.evidence.contents import Contents, Item
from notarium.evidence.ignore import Ignored
from notarium.evidence.json_text import canonical_json
from notarium.evidence.links import Leads, SymbolicLink
from notarium.evidence.record import Record
from notarium.values.series import Series
from notarium_consensus.justification import Prepared
from notarium_consensus.messages import Message, Proposal, RoundChange, encode_message
from notarium_consensus.signing_record import encode_prepared
from notarium_ledger.blocks.statements import (
    RoundChangeStatement,
    SignedRoundChange,
    StatementKind,
    Vote,
    VoteStatement,
)
from notarium_ledger.encoding import canonical
from notarium_ledger.log.hashes import leaf_hash
from notarium_ledger.signing import SigningKey
from notarium_ledger.state.registry import Member, NodeRecord
from notarium_ledger.trust.equivocation import Equivocation, conflict
from notarium_ledger.trust.equivocation_file import EquivocationFile
from notarium_ledger.trust.receipt import Receipt
from notarium_ledger.types import Hash, Height, Round, Signature
from notarium_node.identity.card import Card
from notarium_node.identity.tls import make_certificate

VECTORS = Path(__file__).parent.parent / "vectors"
UNSIGNED = Signature(bytes(64))
AUTHOR = SigningKey(bytes(range(32)))
"""Of records."""


def vector(name: str) -> Any:
    """The content of one vector file."""
    return json.loads((VECTORS / f"{name}.json").read_text())


def vector_bytes(name: str, field: str = "hex") -> tuple[bytes, ...]:
    """The valid examples in a vector file."""
    return tuple(bytes.fromhex(each[field]) for each in vector(name)["valid"])


@cache
def consortium() -> Consortium:
    """Whose chain the vectors show."""
    return chain().consortium


@cache
def receipts() -> tuple[Receipt, ...]:
    """With and without a handover, with short and long paths."""
    return tuple(chain().receipt(*place) for place in ((1, 0), (1, 2), (2, 0), (3, 4)))


def _signed_vote(signer: SigningKey, type_: StatementKind, height: int, round_: int, block: bytes) -> Vote:
    genesis, validators = consortium().genesis.hash, consortium().genesis.registry.validators.hash
    statement = VoteStatement(type_, Height(height), Round(round_), Hash(block))
    return Vote(statement, signer.public, signer.sign(statement.signed_bytes(genesis, validators)))


def _signed_change(signer: SigningKey, height: int, round_: int, prepared: tuple[Round, Hash] | None) -> Any:
    genesis, validators = consortium().genesis.hash, consortium().genesis.registry.validators.hash
    statement = RoundChangeStatement(Height(height), Round(round_), prepared)
    return SignedRoundChange(statement, signer.public, signer.sign(statement.signed_bytes(genesis, validators)))


@cache
def messages() -> tuple[Message, ...]:
    """One of each kind, with and without justification."""
    block = chain().decisions[0].block
    signers = sorted(consortium().validator_keys, key=lambda each: each.public)
    prepares = tuple(_signed_vote(each, StatementKind.PREPARE, 1, 0, block.hash) for each in signers[:3])
    changes = tuple(_signed_change(each, 1, 1, (Round(0), block.hash)) for each in signers[:3])
    leader = signers[0]
    signature = _signed_vote(leader, StatementKind.PROPOSAL, 1, 1, block.hash).signature
    return (
        Proposal(Height(1), Round(0), block, (), (), leader.public, signature),
        Proposal(Height(1), Round(1), block, changes, prepares, leader.public, signature),
        prepares[0],
        _signed_vote(leader, StatementKind.COMMIT, 1, 0, block.hash),
        RoundChange(changes[0], block, prepares),
        RoundChange(_signed_change(leader, 2, 5, None), None, ()),
    )


def message_bytes() -> tuple[bytes, ...]:
    """Encoded messages."""
    return tuple(map(encode_message, messages()))


def prepared() -> bytes:
    """The value of the record's key `prepared`."""
    change = messages()[4]
    assert isinstance(change, RoundChange)
    assert change.block is not None
    return encode_prepared(Prepared(Round(0), change.block, change.prepares))


@cache
def _equivocation() -> tuple[Equivocation, ...]:
    genesis, validators = consortium().genesis.hash, consortium().genesis.registry.validators.hash
    liar = consortium().validator_keys[0]
    votes = [_signed_vote(liar, StatementKind.COMMIT, 2, 1, digest(each)) for each in "ab"]
    changes = [
        _signed_change(liar, 1, 2, None if each is None else (Round(each), Hash(digest("c")))) for each in (None, 1)
    ]
    return (conflict(genesis, validators, *votes), conflict(genesis, validators, *changes))


def equivocation() -> tuple[bytes, ...]:
    """Two votes, and two round changes, of one signer."""
    return tuple(each.encode() for each in _equivocation())


def equivocation_files() -> tuple[bytes, ...]:
    """With the block before, and without one."""
    validators = consortium().genesis.registry.validators
    parents = (chain().decided(1), None)
    return tuple(
        EquivocationFile(each, validators, parent).encode_json()
        for each, parent in zip(_equivocation(), parents, strict=True)
    )


def certificate() -> bytes:
    """A transport certificate, DER."""
    return make_certificate(digest("transport seed"))


def card() -> bytes:
    """A ceremony card."""
    admin, node = key("card admin"), key("card node")
    record = NodeRecord("m0", "validator", node.public, certificate(), "node.example.org:7000", "https://example.org")
    return Card(Member("m0", "Member 0", admin.public), record, 1_760_000_000_000).sign(admin)


def key_file(purpose: str) -> bytes:
    """A key file."""
    return f"notarium-key-v1 {purpose} {base64.b64encode(digest('seed')).decode()}\n".encode()


NODE_TOML = b"""# a whole one
[node]
genesis_hash = "%s"
data_dir = "data"
[peer]
port = 7000
host = "127.0.0.1"
heartbeat_ms = 6_000
[api]
host = "127.0.0.1"
port = 8470
wait_ms = 30000
[consensus]
base_timeout_ms = 500
[mempool]
max_entries = 1000
[log]
level = "debug"
""" % (b"ab" * 32)

PROJECT_TOML = b"""[ledger]
name = "test"
genesis_hash = "%s"
nodes = ["https://node.example.org:8443"]

[project]
issuer = "m0"
name = "study \\u00e9"
""" % (b"ab" * 32)


def records() -> tuple[bytes, ...]:
    """records: of a file, of a folder with a link, and of a file that a tool vouches for."""
    file = Contents.of_file(12, digest("file").hex())
    managed = Contents.of_file(12, digest("file").hex(), {"md5": "ab" * 16, "etag": '"5d41-2"'})
    folder = Contents.of_folder(
        [
            Item("a/b.csv", 7, digest("a").hex()),
            Item("c", 7, digest("a").hex(), SymbolicLink("../c")),
            Item("d", link=SymbolicLink(None, leads=Leads.OUTSIDE)),
            Item("e", link=SymbolicLink("a", "a")),
            Item("f", 9, unread="is not readable by this user"),
            Item("g", is_folder=True),
        ],
        ignored=Ignored(("*.tmp", "!keep.tmp", "a/**/b/"), ("x.tmp",), 1),
    )
    facts = {"params": {"lr": 0.5, "epochs": 3, "note": "é"}, "metrics": {"auc": "0.93"}, "salt": "00" * 32}
    author = Author(AUTHOR.public, "m0", "study é")
    made = (
        Record("dataset", (Artifact("data.csv", "subject", file),), {"salt": "00" * 32}, author),
        Record("run", (Artifact("../in", "input", folder), Artifact("m", "output", file)), facts, author),
        Record("dataset", (Artifact("managed.csv", "subject", managed),), {"salt": "00" * 32}, author),
    )
    return tuple(each.encode(AUTHOR) for each in made)


def metrics() -> bytes:
    """A metric of few points and one of many."""
    short, long = Series("auc"), Series("loss")
    short.add(0.5, 3, 1_760_000_000_000)
    for step in range(200):
        long.add(step / 7, step, 1_760_000_000_000 + step)
    return json.dumps([*short.to_json(), *long.to_json()]).encode()


def statements() -> tuple[bytes, ...]:
    """The statements of these records, without their signatures."""
    return tuple(canonical_json(Record.decode(each).statement) for each in records())


def draft() -> bytes:
    """A run that nobody has signed."""
    document = {
        "format": "notarium-draft-1",
        "name": "fit",
        "status": "completed",
        "started_ms": 1_760_000_000_000,
        "ended_ms": 1_760_000_001_000,
        "commit": "ab" * 20,
        "disclosure": "consortium",
        "artifacts": [Artifact("m", "output", Contents.of_file(12, digest("file").hex())).to_json()],
        "refs": [["derivedFrom", "data"], ["informedBy", "ab" * 32]],
        "facts": {"gaps": ["é"], "params": {"lr": 0.5}},
    }
    return json.dumps(document).encode()


OUTBOX_ID = leaf_hash(receipts()[0].entry).hex()
"""The name of `outbox_file`."""


def outbox_file(path: str = "../model.receipt.json") -> bytes:
    """A waiting entry."""
    document = {
        "format": "notarium-outbox-1",
        "genesis": consortium().genesis.hash.hex(),
        "entry": base64.b64encode(receipts()[0].entry).decode(),
        "receipt": path,
        "kind": "dataset",
        "created_ms": 1_760_000_000_000,
        "reason": "no node gave a usable answer",
        "state": "pending",
    }
    return json.dumps(document, indent=1).encode() + b"\n"


def open_run(**more: str) -> bytes:
    """What says that a run has begun."""
    document = {"format": "notarium-run-1", "name": "fit", "started_ms": 1_760_000_000_000, "host": "h"}
    return json.dumps({**document, "directory": "../..", **more}).encode()


def journal() -> bytes:
    """A log of two lines."""
    line = {"time_ms": 1_760_000_000_000, "id": "ab" * 32, "kind": "run", "receipt": "../fit.run.receipt.json"}
    return b"".join(json.dumps({**line, "kind": kind}).encode() + b"\n" for kind in ("run", "model"))


def problem() -> bytes:
    """Problem details of a refused batch."""
    row = {"position": 3, "field": "key", "detail": "key: is not enrolled"}
    return json.dumps(
        {
            "type": "urn:notarium:problem:invalid-entry",
            "title": "The entry is not valid",
            "status": 422,
            "detail": "1 of 4 entries are not valid; none was accepted",
            "field": "entries",
            "limit": 4096,
            "remedy": "enrol the key",
            "errors": [row],
        }
    ).encode()


def canonical_list(*items: bytes) -> bytes:
    """A list of byte strings."""
    return canonical.encode([*items])
