"""What must hold of a network after any fault, recomputed from bytes by docs/formats.md and nothing else.

Shares no code with the product: msgpack, hashlib and libsodium, the formulas written out. The validator set never
changes in these networks, so the set of the genesis file signs every block.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import msgpack
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

COMMIT = b"\x03"


class Violation(AssertionError):
    """Something that must never happen has happened; the message begins with the name of the rule."""


def require(condition: object, rule: str, what: str) -> None:
    """Raises Violation."""
    if not condition:
        raise Violation(f"{rule}: {what}")


def tagged(tag: str, data: bytes) -> bytes:
    """SHA-256(tag ‖ 0 ‖ data)."""
    return sha256(tag.encode() + b"\0" + data).digest()


def pack(value: Any) -> bytes:
    """Canonical msgpack."""

    def ordered(each: Any) -> Any:
        if isinstance(each, dict):
            return {key: ordered(each[key]) for key in sorted(each, key=str.encode)}
        return [ordered(item) for item in each] if isinstance(each, list) else each

    return msgpack.packb(ordered(value), use_bin_type=True)


def unpack(data: bytes, rule: str) -> Any:
    """A value and its one encoding."""
    value = msgpack.unpackb(data, raw=False, strict_map_key=True)
    require(pack(value) == data, rule, "the encoding is not canonical")
    return value


class Tree:
    """RFC 6962, leaf by leaf: roots of complete subtrees, largest first, with their sizes."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[tuple[int, bytes]] = []

    def add(self, entry: bytes) -> None:
        """Another leaf."""
        size, node = 1, sha256(b"\0" + entry).digest()
        while self._peaks and self._peaks[-1][0] == size:
            _, left = self._peaks.pop()
            size, node = 2 * size, sha256(b"\1" + left + node).digest()
        self._peaks.append((size, node))
        self.size += 1

    def root(self) -> bytes:
        """Over all leaves so far."""
        if not self._peaks:
            return sha256(b"").digest()
        node = self._peaks[-1][1]
        for _, left in reversed(self._peaks[:-1]):
            node = sha256(b"\1" + left + node).digest()
        return node


def root_from_path(entry: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root that an inclusion proof leads to, by RFC 9162, 2.1.3.2."""
    require(0 <= index < size, "receipt", f"index {index} in a log of {size}")
    node, last, result = index, size - 1, sha256(b"\0" + entry).digest()
    for sibling in path:
        require(last > 0, "receipt", "the path is too long")
        if node & 1 or node == last:
            result = sha256(b"\1" + sibling + result).digest()
            while node and not node & 1:
                node, last = node >> 1, last >> 1
        else:
            result = sha256(b"\1" + result + sibling).digest()
        node, last = node >> 1, last >> 1
    require(last == 0, "receipt", "the path is too short")
    return result


@dataclass(frozen=True, slots=True)
class Block:
    """A decided block that was checked."""

    height: int
    hash: bytes
    time_ms: int
    round: int
    entries: tuple[bytes, ...]


@dataclass(slots=True)
class Checker:
    """Judges what the nodes of one network hold and have promised. `document`: the genesis file, parsed."""

    document: Mapping[str, Any]
    genesis: bytes = field(init=False)
    validators: list[list[Any]] = field(init=False)
    """[member, key], ascending by key."""
    _valid: set[tuple[bytes, bytes]] = field(init=False, default_factory=set)
    """(header, certificate) pairs that were verified."""

    def __post_init__(self) -> None:
        self.genesis = tagged("notarium/genesis/v1", pack(dict(self.document)))
        nodes = [node for node in self.document["nodes"] if node["role"] == "validator"]
        self.validators = sorted(
            ([each["member"], bytes.fromhex(each["key"])] for each in nodes), key=lambda row: row[1]
        )

    def certified(self, header: bytes, certificate: bytes) -> tuple[list[Any], int]:
        """The header's fields and the round, if a quorum of distinct validators signed one vote for it."""
        fields = unpack(header, "chain")
        height, round_, hash_, seals = unpack(certificate, "certificate")
        if (header, certificate) in self._valid:
            return fields, round_
        set_hash = tagged("notarium/validators/v1", pack(self.validators))
        require(len(fields) == 11 and fields[0] == 1, "chain", "the header is none")
        require(fields[1] == self.genesis, "chain", f"block {fields[2]} is of another ledger")
        require(fields[8] == fields[9] == set_hash, "certificate", f"block {fields[2]} names another validator set")
        require(height == fields[2], "certificate", f"block {fields[2]} has a certificate of height {height}")
        require(hash_ == tagged("notarium/block/v1", header), "certificate", f"that of block {height} is of another")
        keys = [key for key, _ in seals]
        members = {key for _, key in self.validators}
        require(len(set(keys)) == len(keys), "certificate", f"block {height} counts a signer twice")
        require(keys == sorted(keys) and members.issuperset(keys), "certificate", f"block {height}: unknown signers")
        require(3 * len(keys) >= 2 * len(members), "certificate", f"block {height} has {len(keys)} signers only")
        vote = b"notarium/vote/v1\0" + COMMIT + self.genesis + set_hash
        vote += height.to_bytes(8, "big") + round_.to_bytes(4, "big") + hash_
        for key, signature in seals:
            try:
                VerifyKey(key).verify(vote, signature)
            except BadSignatureError:
                raise Violation(f"certificate: block {height}: the seal of {key.hex()[:8]} is not valid") from None
        self._valid.add((header, certificate))
        return fields, round_

    def chain(self, decisions: Sequence[bytes], now_ms: int, precision_ms: int = 500) -> list[Block]:
        """All decisions of one node, from height 1: links, times, sizes and roots hold, each is certified."""
        blocks: list[Block] = []
        tree = Tree()
        parent, time_ms = self.genesis, 0
        for number, decision in enumerate(decisions, 1):
            (header, entries), certificate = unpack(decision, "chain")
            fields, round_ = self.certified(header, pack(certificate))
            require(fields[2] == number, "chain", f"block {fields[2]} stands at height {number}")
            require(fields[3] == parent, "chain", f"block {number} does not follow on the one before")
            require(fields[4] > time_ms, "time", f"block {number} is not later than the one before")
            require(fields[4] <= now_ms + precision_ms, "time", f"block {number} is {fields[4] - now_ms} ms ahead")
            require(entries, "chain", f"block {number} is empty")
            for entry in entries:
                tree.add(entry)
            require(fields[6] == tree.size, "tree root", f"block {number} claims {fields[6]} leaves, has {tree.size}")
            require(fields[7] == tree.root(), "tree root", f"that of block {number} is not the root of its log")
            parent, time_ms = tagged("notarium/block/v1", header), fields[4]
            blocks.append(Block(number, parent, time_ms, round_, tuple(entries)))
        return blocks

    def receipt(self, file: bytes, log: Sequence[bytes]) -> None:
        """A receipt file holds with the genesis alone, and says what is in the log."""
        document = json.loads(file)
        require(document["genesis"] == self.genesis.hex(), "receipt", "it is of another ledger")
        require(document["handovers"] == [], "receipt", "it has handovers though the set never changed")
        entry, header, certificate = (base64.b64decode(document[name]) for name in ("entry", "header", "certificate"))
        fields, _ = self.certified(header, certificate)
        path = [bytes.fromhex(each) for each in document["path"]]
        root = root_from_path(entry, document["index"], fields[6], path)
        require(root == fields[7], "receipt", f"the path of entry {document['index']} does not lead to the root")
        require(log[document["index"]] == entry, "receipt", f"the log holds another entry at {document['index']}")
        form, body, key, signature, *batch = unpack(entry, "receipt")
        require((form, len(batch)) in ((1, 0), (2, 3)), "receipt", "the entry has an unknown form")
        statement = b"notarium/entry/v1\0" + self.genesis + body
        if batch:
            index, size, steps = batch
            root = root_from_path(body, index, size, steps)
            statement = b"notarium/batch/v1\0" + self.genesis + size.to_bytes(8, "big") + root
        try:
            VerifyKey(key).verify(statement, signature)
        except BadSignatureError:
            raise Violation(f"receipt: the author's signature of entry {document['index']} is not valid") from None


def same_blocks(chains: Mapping[str, Sequence[Block]]) -> None:
    """Agreement: no two nodes hold different blocks at one height. Chains may differ in length."""
    seen: dict[int, tuple[str, bytes]] = {}
    for name, chain in chains.items():
        for block in chain:
            other, hash_ = seen.setdefault(block.height, (name, block.hash))
            require(hash_ == block.hash, "agreement", f"{other} and {name} decided different blocks at {block.height}")


def lost(acknowledged: Iterable[bytes], log: Sequence[bytes]) -> int:
    """How many acknowledged entries are not in a log."""
    return len(set(acknowledged) - set(log))


def twice(log: Sequence[bytes]) -> int:
    """How many entries are in a log more than once."""
    return sum(count > 1 for count in Counter(log).values())
