"""The checks fire: real chains and receipts pass, each way to break them is reported by its name."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import msgpack
import pytest
from tests.cluster.faults import checks
from tests.cluster.faults.checks import Block, Checker
from tests.simulation.oracles import SafetyViolation
from tests.support.chains import grow
from tests.support.consortium import Consortium

from notarium_ledger.types import Height
from notarium_store import Store


@pytest.fixture(scope="module")
def consortium() -> Consortium:
    return Consortium(4)


@pytest.fixture(scope="module")
def store(consortium: Consortium, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with Store.open(tmp_path_factory.mktemp("checks") / "store", consortium.genesis) as opened:
        grow(opened, consortium, [2, 1, 3])
        yield opened


@pytest.fixture
def decisions(store: Store) -> list[bytes]:
    return [store.decision_bytes(Height(height)) or b"" for height in (1, 2, 3)]


@pytest.fixture
def checker(consortium: Consortium) -> Checker:
    return Checker(consortium.genesis.document)


NOW_MS = 1 << 42


def log_of(chain: list[Block]) -> list[bytes]:
    return [entry for block in chain for entry in block.entries]


def test_a_real_chain_and_its_receipts_hold(checker, decisions, store):
    chain = checker.chain(decisions, NOW_MS)
    log = log_of(chain)
    assert [len(block.entries) for block in chain] == [2, 1, 3]
    for entry in log:
        receipt = store.receipt(sha256(b"\0" + entry).digest())
        checker.receipt(receipt.encode_json(), log)


def change(decision: bytes, **parts: Any) -> bytes:
    """A decision with other header fields (h<number>), entries, round or seals."""
    (header, entries), certificate = msgpack.unpackb(decision, raw=False)
    fields = msgpack.unpackb(header, raw=False)
    for name, value in parts.items():
        if name.startswith("h"):
            fields[int(name[1:])] = value
    certificate[1] = parts.get("round", certificate[1])
    certificate[3] = parts.get("seals", lambda seals: seals)(certificate[3])
    return msgpack.packb([[msgpack.packb(fields), parts.get("entries", entries)], certificate])


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"seals": lambda seals: seals[:2]}, "2 distinct signers, 3 needed"),
        ({"seals": lambda seals: [seals[0], seals[0], seals[1]]}, "ascending order, once"),
        ({"seals": lambda seals: [[seals[0][0], seals[1][1]], *seals[1:]]}, "not validly signed"),
        ({"seals": lambda seals: [*seals[:2], [b"\xff" * 32, seals[2][1]]]}, "not validly signed"),
        ({"round": 7}, "not validly signed"),
        ({"h4": 5}, "is of another"),
        ({"entries": [b"other"]}, "tree root"),
        ({"entries": []}, "is empty"),
    ],
    ids=["two seals", "one twice", "swapped", "stranger", "another round", "header", "entries", "no entries"],
)
def test_a_changed_block_is_told(checker, decisions, parts, said):
    decisions[1] = change(decisions[1], **parts)
    with pytest.raises(SafetyViolation, match=said):
        checker.chain(decisions, NOW_MS)


def test_a_missing_block_and_one_from_the_future_are_told(checker, decisions):
    with pytest.raises(SafetyViolation, match="stands at height 2"):
        checker.chain([decisions[0], decisions[2]], NOW_MS)
    chain = checker.chain(decisions, NOW_MS)
    with pytest.raises(SafetyViolation, match="time: block 3"):
        checker.chain(decisions, chain[2].time_ms - 501)


def test_two_blocks_at_one_height_are_told(checker, decisions):
    chain = checker.chain(decisions, NOW_MS)
    checks.same_blocks({"a": chain, "b": chain[:2]})
    other = Block(2, b"other", chain[1].time_ms, 0, chain[1].entries)
    with pytest.raises(SafetyViolation, match="a and b decided different blocks at 2"):
        checks.same_blocks({"a": chain, "b": [chain[0], other]})


def test_lost_and_doubled_entries_are_counted():
    assert checks.lost([b"a", b"b"], [b"b", b"c"]) == 1
    assert checks.twice([b"a", b"b", b"a"]) == 1


def test_a_changed_receipt_is_told(checker, decisions, store):
    log = log_of(checker.chain(decisions, NOW_MS))
    receipt = store.receipt(sha256(b"\0" + log[4]).digest()).encode_json()
    with pytest.raises(SafetyViolation, match="the log holds another entry"):
        checker.receipt(receipt, [*log[:4], b"other", log[5]])
    with pytest.raises(SafetyViolation, match="receipt"):
        checker.receipt(receipt.replace(b'"index":4', b'"index":3'), log)
