"""The checks fire: real chains and receipts pass, each way to break them is reported by its name."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import msgpack
import pytest
from tests.cluster.faults import checks
from tests.cluster.faults.checks import Block, Checker
from tests.cluster.faults.sets import Governance
from tests.simulation.oracles import SafetyViolation
from tests.support.chains import change_validator, grow
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


@pytest.fixture(scope="module")
def changed(consortium: Consortium, tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """A block, one by which m1 gets another validator key, and one that the new set signs."""
    with Store.open(tmp_path_factory.mktemp("changed") / "store", consortium.genesis) as opened:
        grow(opened, consortium, [1])
        change_validator(opened, consortium, 1, "checks")
        grow(opened, consortium, [2])
        return [opened.decision_bytes(Height(height)) or b"" for height in (1, 2, 3)]


def test_a_change_of_the_set_is_followed(checker, changed):
    assert [block.height for block in checker.chain(changed, NOW_MS)] == [1, 2, 3]


def test_a_block_after_a_change_that_nobody_voted_for_is_told(checker, changed, monkeypatch):
    monkeypatch.setattr(Governance, "_count", lambda self, name: None)
    with pytest.raises(SafetyViolation, match="hands over to another set than its entries make"):
        checker.chain(changed, NOW_MS)


class Floor:
    """Members speak in turn; how many validators there are after each word."""

    def __init__(self, consortium: Consortium) -> None:
        self.consortium = consortium
        self.governance = Governance(consortium.genesis.document)

    def say(self, member: int, kind: str, signer: int | None = None, **fields: Any) -> bytes:
        body = msgpack.packb(self.consortium.member_body(kind, member, **fields))
        signer_key = self.consortium.admin_keys[member if signer is None else signer].public
        entry = msgpack.packb([1, body, bytes(signer_key), bytes(64)])
        self.governance.apply(entry)
        return sha256(b"\0" + entry).digest()

    def vote(self, proposal: bytes, *members: int, approve: bool = True) -> list[int]:
        sizes = []
        for member in members:
            self.say(member, "vote", proposal=proposal, approve=approve)
            sizes.append(len(self.governance.validators.keys))
        return sizes


@pytest.fixture
def floor(consortium: Consortium) -> Floor:
    return Floor(consortium)


def test_fewer_than_four_need_the_word_and_one_vote_more(floor):
    leave = {"type": "remove-node", "key": bytes(floor.consortium.validator_keys[3].public)}
    assert floor.vote(floor.say(0, "propose", action={**leave, "below_four": True}), 1, 2, 3) == [4, 4, 3]


def test_fewer_than_four_without_the_word_are_told(floor):
    leave = {"type": "remove-node", "key": bytes(floor.consortium.validator_keys[3].public)}
    proposal = floor.say(0, "propose", action=leave)
    with pytest.raises(SafetyViolation, match="below four"):
        floor.vote(proposal, 1, 2)


def test_approvals_are_gone_with_the_set_in_which_they_were_given(floor):
    node = {"member": "m2", "role": "validator", "key": bytes(32)}
    waiting = floor.say(0, "propose", action={"type": "remove-member", "id": "m3"})
    floor.vote(waiting, 1)
    before = floor.governance.validators
    floor.vote(floor.say(0, "propose", action={"type": "set-node", "node": node}), 1, 2)
    assert floor.governance.validators != before
    with pytest.raises(SafetyViolation, match="which is not open"):
        floor.vote(waiting, 2)


def test_a_vote_taken_back_does_not_count_and_a_foreign_one_is_told(floor):
    proposal = floor.say(0, "propose", action={"type": "add-member", "id": "m9", "name": "Nine", "key": bytes(32)})
    floor.vote(proposal, 1)
    floor.vote(proposal, 1, approve=False)
    floor.vote(proposal, 2)
    late = {"member": "m9", "role": "validator", "key": bytes(32)}
    assert floor.vote(floor.say(1, "propose", action={"type": "set-node", "node": late}), 2) == [4]
    with pytest.raises(SafetyViolation, match="m3 has not signed a vote"):
        floor.say(3, "vote", signer=2, proposal=proposal, approve=True)
