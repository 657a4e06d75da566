"""What must hold of a network after any fault, recomputed from bytes by docs/formats.md and nothing else.

The readers, the tree, the signatures and the receipts are those of the simulator's oracles, which share no code with
the product. Which validators sign a block is counted from the members' entries before it (sets.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgpack
from tests.cluster.faults.sets import Governance
from tests.simulation.oracles import SafetyViolation, formats, sodium_verify
from tests.simulation.oracles.formats import COMMIT, Certificate, Header, Malformed, Statement
from tests.simulation.oracles.merkle import Log
from tests.simulation.oracles.receipts import Receipts
from tests.simulation.oracles.signatures import Signatures, Validators
from tests.simulation.oracles.violation import require


def genesis_hash(document: Mapping[str, Any]) -> bytes:
    """Of the genesis file, parsed: over its canonical msgpack, in which maps are sorted by key."""

    def ordered(each: Any) -> Any:
        if isinstance(each, dict):
            return {key: ordered(each[key]) for key in sorted(each, key=str.encode)}
        return [ordered(item) for item in each] if isinstance(each, list) else each

    return formats.tagged_hash("notarium/genesis/v1", msgpack.packb(ordered(dict(document)), use_bin_type=True))


@dataclass(frozen=True, slots=True)
class Block:
    """A decided block that was checked."""

    height: int
    hash: bytes
    time_ms: int
    round: int
    entries: tuple[bytes, ...]


class Checker:
    """Judges what the nodes of one network hold and have promised. `document`: the genesis file, parsed."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        members = [
            (each["member"], bytes.fromhex(each["key"])) for each in document["nodes"] if each["role"] == "validator"
        ]
        self._document = document
        self._genesis = genesis_hash(document)
        self._signatures = Signatures(self._genesis, sodium_verify)
        self._receipts = Receipts(self._genesis, members, self._signatures)

    def _certified(self, header: Header, certificate: Certificate, validators: Validators) -> None:
        """A quorum of distinct validators signed one vote for the header."""
        what = f"that of block {header.height}"
        require(header.genesis == self._genesis, "chain", f"block {header.height} is of another ledger")
        same_set = header.validators == validators.hash
        require(same_set, "certificate", f"block {header.height} names another validator set")
        same_block = (certificate.height, certificate.block) == (header.height, header.hash)
        require(same_block, "certificate", f"{what} is of another")
        keys = [key for key, _ in certificate.seals]
        require(keys == sorted(set(keys)), "certificate", f"{what} does not have its signers in ascending order, once")
        votes = [
            Statement(COMMIT, header.height, certificate.round, header.hash, None, *seal) for seal in certificate.seals
        ]
        fault = self._signatures.votes_fault(votes, validators, COMMIT, header.height, certificate.round, header.hash)
        require(fault is None, "certificate", f"{what}: {fault}")

    def chain(self, decisions: Sequence[bytes], now_ms: int, precision_ms: int = 500) -> list[Block]:
        """All decisions of one node, from height 1: links, times, sizes and roots hold, each is certified.

        The validators are those that the members' entries before the block have made.
        """
        blocks: list[Block] = []
        log, governance = Log(), Governance(self._document)
        parent, time_ms, since = self._genesis, 0, 1
        for number, raw in enumerate(decisions, 1):
            try:
                decision = formats.read_decision(raw)
            except Malformed as error:
                raise SafetyViolation(f"chain: what stands at height {number} is no decision: {error}") from error
            header, validators = decision.header, governance.validators
            self._certified(header, decision.certificate, validators)
            require(header.height == number, "chain", f"block {header.height} stands at height {number}")
            require(header.parent == parent, "chain", f"block {number} does not follow on the one before")
            require(
                header.since == since, "chain", f"the set of block {number} signs since {since}, not {header.since}"
            )
            require(header.proposer in validators.keys, "chain", f"no validator proposed block {number}")
            require(header.time_ms > time_ms, "time", f"block {number} is not later than the one before")
            ahead_ms = header.time_ms - now_ms
            require(ahead_ms <= precision_ms, "time", f"block {number} is {ahead_ms} ms ahead")
            require(decision.entries, "chain", f"block {number} is empty")
            log.extend(formats.entry_id(entry) for entry in decision.entries)
            same = (header.tree_size, header.tree_root) == (len(log), log.root())
            require(same, "tree root", f"the tree of block {number} is not that of all entries")
            for entry in decision.entries:
                governance.apply(entry)
            handed_over = header.next_validators == governance.validators.hash
            require(handed_over, "certificate", f"block {number} hands over to another set than its entries make")
            since = since if header.next_validators == header.validators else number + 1
            parent, time_ms = header.hash, header.time_ms
            blocks.append(Block(number, parent, time_ms, decision.certificate.round, decision.entries))
        return blocks

    def receipt(self, file: bytes, log: Sequence[bytes]) -> None:
        """A receipt file holds with the genesis alone, and says what is in the log."""
        try:
            id_, index, _ = self._receipts.verify(file)
        except Malformed as error:
            raise SafetyViolation(f"receipt: {error}") from error
        same = index < len(log) and formats.entry_id(log[index]) == id_
        require(same, "receipt", f"the log holds another entry at {index}")


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
