"""The signer is an interface: one with a record of its own may refuse, and the engine then has not signed."""

# Plain integers stand for heights and rounds here.
# mypy: disable-error-code="arg-type"

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from tests.consensus.harness import GENESIS, Bench

from notarium_consensus.effects import Broadcast, Persist, RequestBlock, Send
from notarium_consensus.inputs import WorkPending
from notarium_consensus.signing import KeySigner, Signer
from notarium_consensus.signing_record import PREPARED_KEY
from notarium_ledger.blocks.statements import (
    RoundChangeStatement,
    Statement,
    StatementKind,
    VoteStatement,
)
from notarium_ledger.signing import SigningKey, verify
from notarium_ledger.types import Hash, PublicKey, Signature

Slot = tuple[int, int, StatementKind]


@dataclass
class RemoteSigner:
    """Stands behind a network in reality: it signs one statement for each (height, round, kind), and no second one."""

    key: SigningKey
    record: dict[Slot, Statement] = field(default_factory=dict)
    refused: list[Statement] = field(default_factory=list)

    @property
    def public(self) -> PublicKey:
        return self.key.public

    def sign(self, statement: Statement, genesis: Hash, validators: Hash) -> Signature | None:
        slot = (statement.height, statement.round, statement.kind)
        if self.record.setdefault(slot, statement) != statement:
            self.refused.append(statement)
            return None
        return self.key.sign(statement.signed_bytes(genesis, validators))


def bench_of(own: int, signer: RemoteSigner | None = None, **how: object) -> tuple[Bench, RemoteSigner]:
    """A validator without a record, behind which `signer` stands."""
    key = Bench(own=own).club.keys[own]
    signer = signer or RemoteSigner(key)
    return Bench(own=own, signer=signer, **how), signer


def said(bench: Bench) -> list[object]:
    return [effect for effect in bench.effects if isinstance(effect, Persist | Broadcast | Send)]


def test_a_key_signs_whatever_statement_it_is_given():
    key = Bench(own=0).club.keys[0]
    signer: Signer = KeySigner(key)
    assert signer.public == key.public
    set_hash = Hash(b"v" * 32)
    for statement in (
        VoteStatement(StatementKind.COMMIT, 1, 0, Hash(b"a" * 32)),
        VoteStatement(StatementKind.COMMIT, 1, 0, Hash(b"b" * 32)),
        RoundChangeStatement(1, 1, None),
    ):
        signature = signer.sign(statement, GENESIS, set_hash)
        assert signature is not None
        assert verify(key.public, statement.signed_bytes(GENESIS, set_hash), signature)


def test_nobody_sees_the_secret_of_a_key_that_is_printed():
    key = Bench(own=0).club.keys[0]
    assert key._secret.hex() not in repr(KeySigner(key))
    assert key.public.hex() in repr(KeySigner(key))


@pytest.mark.parametrize(
    ("kind", "locks", "times_out"),
    [
        (StatementKind.PREPARE, False, False),
        (StatementKind.COMMIT, True, False),
        (StatementKind.ROUND_CHANGE, True, True),
    ],
)
def test_what_the_signer_refuses_is_neither_recorded_nor_sent(kind: StatementKind, locks: bool, times_out: bool):
    """The disk of the node is lost, the record of its signer is not. Then the node is asked about another block."""
    bench, signer = bench_of(0)
    again, _ = bench_of(0, signer)
    club = bench.club
    for each, block in ((bench, club.block(1)), (again, club.block(1, b"ok another"))):
        each.accept(club.proposal(1, 0, block))
        if locks:
            each.receive(*club.prepares((1, 2, 3), 0, block))
        if times_out:
            each.timeout()
    refused = signer.refused[-1]
    assert refused.kind is kind
    assert again.engine._instance is not None
    assert not again.engine._instance.own.has_signed(refused.round, kind)
    assert again.sent() == []
    assert set(again.disk) <= {PREPARED_KEY}, "no own message is recorded"


def test_the_signer_may_be_asked_for_the_same_statement_again():
    bench, signer = bench_of(0)
    block = bench.club.block(1)
    bench.accept(bench.club.proposal(1, 0, block))
    again, _ = bench_of(0, signer)
    again.accept(again.club.proposal(1, 0, block))
    assert again.said() == ["PREPARE"]
    assert signer.refused == []


def test_a_proposer_whose_signer_refuses_does_not_build_blocks_without_end():
    bench, signer = bench_of(1)
    bench.step(WorkPending())
    bench.built(bench.club.block(1))
    assert bench.said() == ["PROPOSAL", "PREPARE"]
    again, _ = bench_of(1, signer)
    again.step(WorkPending())
    assert len(again.of(RequestBlock)) == 1
    again.built(again.club.block(1, b"ok another"))
    assert [each.kind for each in signer.refused] == [StatementKind.PROPOSAL]
    assert said(again) == again.of(RequestBlock) == []
    again.step(WorkPending())
    assert len(again.of(RequestBlock)) == 1, "new work is a new attempt"
    again.timeout()
    assert again.said() == ["ROUND_CHANGE"], "the next round is another slot"


def test_a_node_whose_signer_refuses_decides_by_the_votes_of_others():
    bench, signer = bench_of(0)
    club, first, second = bench.club, bench.club.block(1), bench.club.block(1, b"ok another")
    bench.accept(club.proposal(1, 0, first))
    again, _ = bench_of(0, signer)
    again.accept(club.proposal(1, 0, second))
    again.receive(*club.prepares((1, 2, 3), 0, second))
    again.receive(*(club.commit(number, 0, second) for number in (1, 2, 3)))
    decided = again.decided()
    assert decided is not None
    assert decided.block == second


def test_the_signer_is_asked_for_all_that_the_engine_sends():
    bench, signer = bench_of(0)
    block = bench.club.block(1)
    bench.accept(bench.club.proposal(1, 0, block))
    bench.receive(*bench.club.prepares((1, 2, 3), 0, block))
    bench.timeout()
    assert set(signer.record) == {
        (1, 0, StatementKind.PREPARE),
        (1, 0, StatementKind.COMMIT),
        (1, 1, StatementKind.ROUND_CHANGE),
    }
