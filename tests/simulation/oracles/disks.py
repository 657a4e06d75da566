"""What each honest node has on its disk, as raw LevelDB pairs, and what these must agree with.

Keys, from the store's documentation: `h` height → [header, certificate, ...]; `e` last index → entries; `i` id →
height ‖ index; `s` → [height, tip, time, size, ...]; `v` height → next validator set; `c` height ‖ name → consensus
record; `r` name → a record of the registry after the last block before missing ones, with `g` → [height, ...] of that
block and `b` → the snapshot while there are such; `l` name → a record changed above the snapshot, empty if deleted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgpack
from tests.simulation.oracles import formats
from tests.simulation.oracles.chain import Chain
from tests.simulation.oracles.formats import Decision, Header, Malformed
from tests.simulation.oracles.violation import SafetyViolation, require

BLOCK_KEYS = (b"h", b"e", b"i")
"""Of headers, entries and ids: what is decided is never deleted."""
HEIGHTS_KEPT = 3
"""So many heights after its decision an own message may still be on its way to the network."""


class Disks:
    """The durable contents of every honest node."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._contents: dict[int, dict[bytes, bytes]] = {}
        self._closed: dict[int, dict[bytes, bytes]] = {}
        self._states: dict[int, list[object]] = {}
        self._from_snapshots: dict[int, Header] = {}
        """Of adopted snapshots, whose certificates were checked: a liar may have decided them first."""
        self._roots: dict[tuple[int, bytes], bytes] = {}
        """(node, prefix of a registry's records) -> their state root, while they do not change."""
        self._once_held: dict[int, set[bytes]] = {}
        """By node, the blocks that it had decided or prepared on a disk that it lost."""
        self._prepared_hashes: dict[bytes, bytes] = {}
        self._record_bytes: dict[tuple[int, bytes], dict[bytes, int]] = {}
        """By node and height, the length of each part of the consensus record."""
        self.rolled_back: set[int] = set()
        """Nodes whose disk has lost something that was durable."""

    def wrote(self, node: int, puts: Sequence[tuple[bytes, bytes]], deleted: Sequence[bytes]) -> list[int]:
        """A batch is durable; the heights that it decides."""
        contents = self._contents.setdefault(node, {})
        who = f"node {node}"
        decided: list[int] = []
        for key, value in puts:
            contents[key] = value
            if key[:1] == b"h":
                decided.append(self._decided(who, key, value, puts))
            elif key[:1] == b"c":
                self._record_bytes.setdefault((node, key[1:9]), {})[key] = len(value)
        for key, value in puts:
            if key == b"b":
                self._adopted(who, value)
        for key, value in puts:
            self._check(who, key, value)
        for key in deleted:
            value = contents.pop(key, b"")
            require(key[:1] not in BLOCK_KEYS, "lost", f"{who} deletes a part of a decided block")
            if key[:1] == b"c":
                if b"o" not in dict(puts):  # else they were another node's, whose disk was copied
                    self._close(node, key, value)
                self._record_bytes.get((node, key[1:9]), {}).pop(key, None)
        self._check_registries(node, {key[:1] for key in (*dict(puts), *deleted)})
        return decided

    def replaced(self, node: int, contents: Mapping[bytes, bytes]) -> bool:
        """The disk has these contents now; whether anything durable is lost by that."""
        before = self._contents.get(node, {})
        lost = any(contents.get(key) != value for key, value in before.items())
        if lost:
            self.rolled_back.add(node)
            held = self._once_held.setdefault(node, set())
            held.update(_header_hash(value) for key, value in before.items() if key[:1] == b"h")
            held.update(self._prepared_hash(value) for key, value in before.items() if key[9:] == b"prepared")
            self._closed.pop(node, None)
        self._contents[node] = dict(contents)
        for name in [name for name in self._record_bytes if name[0] == node]:
            parts = self._record_bytes[name]
            self._record_bytes[name] = {key: size for key, size in parts.items() if key in contents}
        self._forget_roots(node)
        return lost

    def record_bytes(self, node: int, keys: Iterable[bytes]) -> int:
        """How large the largest consensus record is that a batch of these keys has touched."""
        heights = {key[1:9] for key in keys if key[:1] == b"c"}
        return max((sum(self._record_bytes.get((node, height), {}).values()) for height in heights), default=0)

    def height(self, node: int) -> int:
        """How far the node is by its disk."""
        return _height_of(self._contents.get(node, {}))

    def has_header(self, node: int, height: int) -> bool:
        """Whether the node has stored the decision of a height."""
        return b"h" + formats.u64(height) in self._contents.get(node, {})

    def position(self, node: int, id_: bytes) -> bytes | None:
        """height u64 ‖ index u64 of an entry, as the disk has it."""
        return self._contents.get(node, {}).get(b"i" + id_)

    def record(self, node: int, height: int, name: bytes) -> bytes | None:
        """A part of the consensus record, also of a height decided not long ago."""
        key = b"c" + formats.u64(height) + name
        value = self._contents.get(node, {}).get(key)
        return self._closed.get(node, {}).get(key) if value is None else value

    def once_held(self, node: int, block: bytes) -> bool:
        """Whether a disk that the node lost had the block decided or prepared."""
        return block in self._once_held.get(node, ())

    def holds(self, node: int, height: int, block: bytes) -> bool:
        """Whether the node has the block decided or prepared."""
        contents = self._contents.get(node, {})
        stored = contents.get(b"h" + formats.u64(height))
        if stored is not None and _header_hash(stored) == block:
            return True
        prepared = contents.get(b"c" + formats.u64(height) + b"prepared")
        return prepared is not None and self._prepared_hash(prepared) == block

    def _decided(self, who: str, name: bytes, value: bytes, puts: Sequence[tuple[bytes, bytes]]) -> int:
        try:
            raw, certificate_raw, before = formats.decode(value)[:3]
            header, certificate = formats.read_header(raw), formats.read_certificate(certificate_raw)
            entries: list[bytes] = []
            for key, group in sorted(each for each in puts if each[0][:1] == b"e"):
                if before <= int.from_bytes(key[1:], "big") < header.tree_size:
                    entries += formats.decode(group)
        except (Malformed, ValueError, TypeError) as error:
            raise SafetyViolation(f"chain: {who} stores a decision that cannot be read: {error}") from error
        if header.height != int.from_bytes(name[1:], "big"):
            raise SafetyViolation(f"chain: {who} stores block {header.height} under another height")
        if entries:
            self._chain.accept(who, Decision(header, tuple(entries), certificate))
        else:  # a header without its entries, as a snapshot may bring it
            self._chain.accept_header(who, header, certificate)
        return header.height

    def _adopted(self, who: str, value: bytes) -> None:
        """A snapshot becomes the state: a quorum has certified its header, and the registry hashes to what it says."""
        try:
            _, (raw, certificate_value, _), registry, _ = formats.decode(value)
            header, certificate = formats.read_header(raw), formats.read_certificate(msgpack.packb(certificate_value))
            records = formats.read_records(registry)
        except (Malformed, ValueError, TypeError) as error:
            raise SafetyViolation(f"chain: {who} adopts a snapshot that cannot be read: {error}") from error
        self._chain.accept_header(who, header, certificate)
        same = formats.state_root(records) == header.state_root
        require(same, "state", f"{who} adopts a snapshot of height {header.height} with another registry than it names")
        self._from_snapshots[header.height] = header

    def _check(self, who: str, key: bytes, value: bytes) -> None:
        """State and next validator set must be what the decided headers say."""
        kind = key[:1]
        if kind == b"s":
            state = formats.decode(value)
            height, tip = state[:2]
            known = self._chain.tip_of(height)
            if known is None and height in self._from_snapshots:
                known = self._from_snapshots[height].hash
            require(tip == known, "chain", f"{who} stores a tip of height {height} that is none")
            first = self._states.setdefault(height, state)
            require(first == state, "state", f"{who} stores another state after height {height} than others")
        elif kind == b"v":
            height = int.from_bytes(key[1:], "big")
            block = self._chain.block(height)
            if block is None:
                raise SafetyViolation(f"state: {who} stores a state of height {height}, which is not decided")
            same = formats.tagged_hash("notarium/validators/v1", value) == block.header.next_validators
            require(same, "state", f"{who} stores another set than {height} names")

    def _check_registries(self, node: int, changed: set[bytes]) -> None:
        """The records of the registry must hash to what the headers say, below missing blocks and at the tip."""
        contents = self._contents[node]
        if b"m" not in contents or not changed & {b"m", b"r", b"l", b"b", b"g", b"s"}:
            return
        if changed & {b"r", b"l", b"b"}:
            self._forget_roots(node)
        snapshot = contents.get(b"b")
        tip = _height_of(contents)
        self._check_root(node, b"r", tip if snapshot is None else formats.decode(contents[b"g"])[0])
        if snapshot is not None:
            self._check_root(node, b"l", tip)
        elif changed & {b"l", b"b"}:
            left = any(key[:1] == b"l" for key in contents)
            require(not left, "state", f"node {node} keeps changes of the registry above a snapshot that is gone")

    def _check_root(self, node: int, kind: bytes, height: int) -> None:
        """`kind`: r for the registry below missing blocks, l for that of the tip above a snapshot."""
        root = self._roots.get((node, kind))
        if root is None:
            root = self._roots[node, kind] = formats.state_root(self._records(node, kind))
        header = self._from_snapshots.get(height)
        known = self._chain.state_root(height) or (header and header.state_root)
        require(known in (None, root), "state", f"node {node} stores another registry than {height} names")

    def _records(self, node: int, kind: bytes) -> dict[bytes, bytes]:
        contents = self._contents[node]
        found = {key[1:]: value for key, value in contents.items() if key[:1] == kind}
        if kind == b"l":
            found = {**formats.read_records(formats.decode(contents[b"b"])[2]), **found}
        return {key: value for key, value in found.items() if value}

    def _forget_roots(self, node: int) -> None:
        for kind in (b"r", b"l"):
            self._roots.pop((node, kind), None)

    def _close(self, node: int, key: bytes, value: bytes) -> None:
        height, decided = int.from_bytes(key[1:9], "big"), _height_of(self._contents[node])
        if height > decided:
            raise SafetyViolation(f"persist before send: node {node} deletes its record of undecided height {height}")
        closed = self._closed.setdefault(node, {})
        closed[key] = value
        for old in [each for each in closed if int.from_bytes(each[1:9], "big") <= decided - HEIGHTS_KEPT]:
            del closed[old]

    def _prepared_hash(self, value: bytes) -> bytes:
        known = self._prepared_hashes.get(value)
        if known is None:
            known = self._prepared_hashes[value] = formats.read_prepared(value).header.hash
        return known


def _header_hash(value: bytes) -> bytes:
    header: bytes = msgpack.unpackb(value)[0]
    return formats.block_hash(header)


def _height_of(contents: Mapping[bytes, bytes]) -> int:
    state = contents.get(b"s")
    return 0 if state is None else int(msgpack.unpackb(state)[0])
