"""Entries: the signed bytes that become the leaves of the log.

    single  [1, body, key, sig]                            sig over "notarium/entry/v1\\0" ‖ genesis ‖ body
    batch   [2, body, key, sig, index, size, path]         sig over "notarium/batch/v1\\0" ‖ genesis ‖ size u64be ‖ root

`body` is the canonical encoding of the body map, as a byte string. In the batch form, one signature covers the RFC 6962
tree over up to 4,096 bodies. Each entry carries its own path, so each leaf proves its author without the others. An
entry's id is its RFC 6962 leaf hash.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from notarium_ledger.encoding import canonical
from notarium_ledger.entries.commitment import Body, check_body
from notarium_ledger.errors import EntryOfLaterVersion, InvalidEntry, NotCanonical, errors_as
from notarium_ledger.log import frontier as tree
from notarium_ledger.log.hashes import leaf_hash
from notarium_ledger.log.proofs import root_from_inclusion
from notarium_ledger.signing import BATCH_TAG, ENTRY_TAG, SigningKey, verify
from notarium_ledger.types import HASH_BYTES, KEY_BYTES, SIGNATURE_BYTES, Hash, PublicKey, Signature

MAX_ENTRY_BYTES = 65_535
MAX_BATCH = 4_096
_MAX_BATCH_PATH = 12
"""Hashes from a leaf of a tree of MAX_BATCH leaves to its root."""

_MAX_LENGTH = 256
"""Of a list or map in an entry: four times what any schema allows, so that the schema reports what is too long."""

SINGLE = 1
BATCH = 2


@dataclass(frozen=True, slots=True)
class BatchPosition:
    """The place of a body in the tree that its author signed."""

    index: int
    size: int
    path: tuple[Hash, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A well-formed entry. Decoding does not check the signature; `verify_signature` does."""

    raw: bytes
    """The wire bytes: the leaf of the log."""
    id: Hash
    """RFC 6962 leaf hash of `raw`."""
    body_bytes: bytes
    body: Body
    key: PublicKey
    """The author's key."""
    signature: Signature
    batch: BatchPosition | None

    @property
    def kind(self) -> str:
        """The body's kind."""
        return self.body["kind"]  # type: ignore[no-any-return]

    def signed_message(self, genesis: Hash) -> bytes:
        """The bytes that `signature` covers; the same for all entries of one batch, so that one check serves all."""
        if self.batch is None:
            return ENTRY_TAG + genesis + self.body_bytes
        root = root_from_inclusion(leaf_hash(self.body_bytes), self.batch.index, self.batch.size, self.batch.path)
        return BATCH_TAG + genesis + self.batch.size.to_bytes(8, "big") + root


def decode_entry(raw: bytes, max_bytes: int = MAX_ENTRY_BYTES, id_: Hash | None = None) -> Entry:
    """Read an entry and check its form and its body's schema. Raises InvalidEntry with field and limit.

    `id_`: leaf_hash(raw), where the caller has computed it already.
    """
    if len(raw) > max_bytes:
        raise InvalidEntry(f"{len(raw)} bytes, at most {max_bytes} allowed", "entry", limit=max_bytes)
    try:
        # The code below checks every type, and the schema checks the order of the body's keys.
        value = canonical.decode_shortest(raw, _MAX_LENGTH)
    except NotCanonical as error:
        raise InvalidEntry(error.reason, "entry") from error
    if type(value) is not list or not value:
        raise InvalidEntry("not a list", "entry")
    form = value[0]
    if form == SINGLE and type(form) is int and len(value) == 4:
        batch = None
    elif form == BATCH and type(form) is int and len(value) == 7:
        batch = _batch_position(value[4], value[5], value[6])
    elif type(form) is int and form > BATCH:
        raise EntryOfLaterVersion(f"form {form}, this software reads {SINGLE} and {BATCH}", "entry")
    else:
        raise InvalidEntry("neither [1, body, key, sig] nor [2, body, key, sig, index, size, path]", "entry")
    body_bytes, key, signature = value[1], value[2], value[3]
    if type(body_bytes) is not bytes:
        raise InvalidEntry("not bytes", "body")
    if type(key) is not bytes or len(key) != KEY_BYTES:
        raise InvalidEntry(f"not {KEY_BYTES} bytes", "key")
    if type(signature) is not bytes or len(signature) != SIGNATURE_BYTES:
        raise InvalidEntry(f"not {SIGNATURE_BYTES} bytes", "sig")
    try:
        body = canonical.decode_shortest(body_bytes, _MAX_LENGTH)
    except NotCanonical as error:
        raise InvalidEntry(error.reason, "body") from error
    return Entry(raw, id_ or leaf_hash(raw), body_bytes, check_body(body), PublicKey(key), Signature(signature), batch)


def verify_signature(entry: Entry, genesis: Hash) -> None:
    """Raise InvalidEntry unless the entry's author signed it for this ledger."""
    if not verify(entry.key, signed_message(entry, genesis), entry.signature):
        raise InvalidEntry("signature is not valid for this key, body and ledger", "sig")


def signed_message(entry: Entry, genesis: Hash) -> bytes:
    """Entry.signed_message. Raises InvalidEntry where the batch path does not fit index and size."""
    with errors_as(InvalidEntry):
        return entry.signed_message(genesis)


def sign_entry(key: SigningKey, genesis: Hash, body: Body) -> bytes:
    """The wire bytes of a single-signed entry. Raises InvalidEntry for a body that no node accepts."""
    body_bytes = encode_body(body)
    signature = key.sign(ENTRY_TAG + genesis + body_bytes)
    return canonical.encode([SINGLE, body_bytes, bytes(key.public), bytes(signature)])


def sign_batch(key: SigningKey, genesis: Hash, bodies: Sequence[Body]) -> list[bytes]:
    """The wire bytes of 1 to 4,096 entries under one signature, in order. Raises InvalidEntry."""
    if not 1 <= len(bodies) <= MAX_BATCH:
        raise InvalidEntry(f"{len(bodies)} bodies, 1 to {MAX_BATCH} allowed", "size", limit=MAX_BATCH)
    encoded = [encode_body(body) for body in bodies]
    frontier, nodes = tree.EMPTY.extend(leaf_hash(each) for each in encoded)
    stored = {(level, index): value for level, index, value in nodes}
    size = len(encoded)
    signature = key.sign(BATCH_TAG + genesis + size.to_bytes(8, "big") + frontier.root())
    result = []
    for index, body_bytes in enumerate(encoded):
        path: list[canonical.Value] = [
            bytes(each) for each in tree.inclusion_path(lambda level, at: stored[level, at], index, size)
        ]
        result.append(canonical.encode([BATCH, body_bytes, bytes(key.public), bytes(signature), index, size, path]))
    return result


def encode_body(body: Body) -> bytes:
    """Canonical bytes of a body; the order of its keys does not matter. Raises InvalidEntry."""
    with errors_as(InvalidEntry, field="body"):
        encoded = canonical.encode(body)
    check_body(canonical.decode_shortest(encoded))
    return encoded


def _batch_position(index: canonical.Value, size: canonical.Value, path: canonical.Value) -> BatchPosition:
    if type(size) is not int or not 1 <= size <= MAX_BATCH:
        raise InvalidEntry(f"not an integer from 1 to {MAX_BATCH}", "size", limit=MAX_BATCH)
    if type(index) is not int or not 0 <= index < size:
        raise InvalidEntry("not a position in the batch", "index")
    if type(path) is not list or not _are_hashes(path, _MAX_BATCH_PATH):
        raise InvalidEntry(f"not a list of at most {_MAX_BATCH_PATH} hashes", "path", limit=_MAX_BATCH_PATH)
    return BatchPosition(index, size, tuple(path))  # type: ignore[arg-type]


def _are_hashes(values: list[canonical.Value], most: int) -> bool:
    return len(values) <= most and all(type(each) is bytes and len(each) == HASH_BYTES for each in values)
