"""What a node that has forgotten asks, which answers count, and what it answers others."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from tests.node.catching_up import Peer
from tests.node.catchup.chain import LENGTH, NoHistory, peers
from tests.node.parts import FakeNetwork, until
from tests.support.consortium import Consortium

from notarium_consensus.permission import MARGIN, Memory, Permission
from notarium_consensus.signing_record import LEFT_KEY, encode_round
from notarium_ledger.blocks.statements import StatementKind, Vote, VoteStatement
from notarium_ledger.types import Hash, Height, Round
from notarium_node.catchup import recalling
from notarium_node.catchup.recalling import MemoryAnswerer
from notarium_node.peers import wire
from notarium_node.peers.wire import Kind, RecallAnswer


class Witness(Peer):
    """Answers as it is set to."""

    remembers = True
    ahead = 0
    statement: Vote | None = None
    spoils_nonce = False
    silent_about_recall = False

    def __init__(self, key, ledger):
        super().__init__(key, ledger)
        self.asked_recall = 0

    def recalled(self, nonce):
        self.asked_recall += 1
        if self.silent_about_recall:
            return []
        nonce = bytes(16) if self.spoils_nonce else nonce
        height = Height(self.ledger.store.state.height + self.ahead)
        return [wire.pack_recalled(RecallAnswer(nonce, height, self.remembers, self.statement))]


@pytest.fixture(autouse=True)
def often(monkeypatch):
    monkeypatch.setattr(recalling, "ASK_S", 0.05)


def signed(signer, ledger, height, validators=None):
    """A PREPARE of this key."""
    said = VoteStatement(StatementKind.PREPARE, Height(height), Round(0), Hash(bytes(32)))
    of = ledger.consortium.genesis.registry.validators if validators is None else validators
    return Vote(said, signer.public, signer.sign(said.signed_bytes(ledger.consortium.genesis.hash, of.hash)))


async def test_all_three_others_of_four_must_answer(start, ledger):
    node, company = start(), peers(ledger, Witness)
    node.meet(*company[:2])
    await node.completes()
    await until(lambda: len(node.asker.answers().counted) == 2)
    assert node.asker.answers().missing == 1
    assert not node.recall.permission.remembers, "two and itself are a quorum, but itself does not count"
    node.meet(company[2])
    await until(lambda: node.engine.vote_from == LENGTH + MARGIN)


@pytest.mark.parametrize(
    ("spoil", "group"),
    [({"remembers": False}, "forgot"), ({"ahead": 2**40}, "ahead"), ({"silent_about_recall": True}, "silent")],
)
async def test_an_answer_that_does_not_count_is_named_and_asked_for_again(start, ledger, spoil, group):
    node, company = start(), peers(ledger, Witness)
    odd = company[1]
    for name, value in spoil.items():
        setattr(odd, name, value)
    node.meet(*company)
    await node.completes()
    member = ledger.store.state.registry.nodes[odd.key].member
    await until(lambda: len(node.asker.answers().counted) == 2)
    await until(lambda: getattr(node.asker.answers(), group) == (member,))
    assert not node.recall.permission.remembers
    if group == "ahead":
        assert odd.asked_recall == 1, "its answer counts as soon as this node is there"
        return
    await until(lambda: odd.asked_recall >= 3)
    for name in spoil:
        setattr(odd, name, getattr(Witness, name))
    await until(lambda: node.recall.permission.remembers)


async def test_an_answer_ahead_of_this_node_counts_when_it_gets_there(start, ledger):
    node, company = start(), peers(ledger, Witness)
    company[0].ahead = 2
    node.meet(*company)
    await node.completes()
    await until(lambda: len(node.asker.answers().counted) == 2 and node.asker.answers().ahead)
    ledger.grow(2)
    node.hear_statuses()
    await until(lambda: node.recall.permission.remembers)
    assert node.engine.vote_from == LENGTH + 2 + MARGIN


async def test_blocks_first_then_the_voice(start, ledger):
    """With history missing, it does not know which seals of its own it has forgotten."""
    node, company = start(), peers(ledger, NoHistory)
    node.meet(*company)
    await node.reaches(LENGTH)
    await until(lambda: node.asker.answers().is_enough)
    assert not node.recall.permission.remembers
    for each in company:
        each.hidden = 0
        node.part(each)
        node.meet(each)
    await node.completes()
    await until(lambda: node.engine.vote_from == LENGTH + MARGIN)


async def test_an_answer_to_another_question_is_ignored(start, ledger):
    node, company = start(), peers(ledger, Witness)
    company[0].spoils_nonce = True
    node.meet(*company)
    await node.completes()
    await until(lambda: company[0].asked_recall >= 2)
    assert len(node.asker.answers().silent) == 1
    assert node.network.dropped == []
    assert not node.recall.permission.remembers


async def test_who_is_connected_has_some_time_to_answer_and_who_is_not_is_named_apart(start, ledger, monkeypatch):
    node, company = start(), peers(ledger, Witness)
    company[0].silent_about_recall = True
    node.meet(*company[:2])
    await until(lambda: len(node.asker.answers().counted) == 1)
    answers = node.asker.answers()
    assert (len(answers.silent), len(answers.absent), answers.is_early) == (1, 1, True)
    monkeypatch.setattr(recalling, "WORD_S", 0.0)
    assert not node.asker.answers().is_early
    node.part(company[0])
    assert len(node.asker.answers().absent) == 2


async def test_a_signature_that_an_answer_shows_raises_the_fence(start, ledger):
    node, company = start(), peers(ledger, Witness)
    company[0].statement = signed(node.key, ledger, LENGTH + 9)
    company[1].statement = signed(node.key, ledger, LENGTH + 1)
    node.meet(*company)
    await node.completes()
    await until(lambda: node.recall.permission.remembers)
    assert node.engine.vote_from == LENGTH + 10
    assert node.network.dropped == []


@pytest.mark.parametrize("how", ["another key", "a broken signature", "another set"])
async def test_a_false_statement_costs_its_sender_the_connection_and_its_answer(start, ledger, how):
    node, company = start(), peers(ledger, Witness)
    liar = company[0]
    true = signed(node.key, ledger, LENGTH + 9)
    liar.statement = {
        "another key": signed(ledger.consortium.validator_keys[0], ledger, LENGTH + 9),
        "a broken signature": replace(true, signature=bytes(64)),
        "another set": signed(node.key, ledger, LENGTH + 9, Consortium(3).genesis.registry.validators),
    }[how]
    node.meet(*company)
    await node.completes()
    await until(lambda: node.network.dropped)
    assert node.network.dropped[0] == (liar.key, "protocol violation")
    await until(lambda: len(node.asker.answers().counted) == 2)
    assert not node.recall.permission.remembers


async def test_a_statement_ahead_of_this_node_is_not_judged_before_it_gets_there(start, ledger):
    """The validator set under which it was signed may be one that this node does not know yet."""
    node, company = start(), peers(ledger, Witness)
    company[0].ahead = 1
    company[0].statement = signed(node.key, ledger, LENGTH + 2, Consortium(3).genesis.registry.validators)
    node.meet(*company)
    await node.completes()
    await until(lambda: node.asker.answers().ahead)
    assert node.network.dropped == []
    ledger.grow(1)
    node.hear_statuses()
    await until(lambda: node.network.dropped)


async def test_each_loss_is_asked_about_anew(start, ledger):
    node, company = start(), peers(ledger, Witness)
    node.meet(*company)
    await node.completes()
    await until(lambda: node.recall.permission.remembers)
    before = [each.asked_recall for each in company]
    node.recall.lose()
    await until(lambda: node.recall.permission.remembers)
    assert [each.asked_recall for each in company] == [count + 1 for count in before]
    nonces = {data for _, data in node.network.heard if data[0] == Kind.RECALL}
    assert len(nonces) == 2


# ---- the operator's word ---------------------------------------------------------------------------------------------


def signed_in(round_, signer, ledger, height):
    """A COMMIT of this key in this round."""
    said = VoteStatement(StatementKind.COMMIT, Height(height), Round(round_), Hash(bytes(32)))
    genesis = ledger.consortium.genesis
    return Vote(said, signer.public, signer.sign(said.signed_bytes(genesis.hash, genesis.registry.validators.hash)))


async def test_by_word_it_leaves_the_rounds_that_any_answer_shows_at_the_stated_height(start, ledger):
    node, company = start(vote_from=LENGTH + 1), peers(ledger, Witness)
    for each, (height, round_) in zip(company, [(1, 3), (1, 2), (0, 9)], strict=True):
        each.remembers = False
        each.statement = signed_in(round_, node.key, ledger, LENGTH + height)
    node.meet(*company)
    await node.completes()
    await until(lambda: node.recall.permission.remembers)
    assert node.recall.permission.left == 3
    assert node.engine.vote_from == LENGTH + 1
    assert node.store.record()[1][LEFT_KEY] == encode_round(Round(3))


async def test_the_word_waits_for_who_is_connected_but_not_for_ever(start, ledger, monkeypatch):
    node, company = start(vote_from=LENGTH + 1), peers(ledger, Witness)
    company[0].silent_about_recall, company[1].remembers = True, False
    node.meet(*company)
    await node.completes()
    await until(lambda: company[1].asked_recall >= 3)
    assert not node.recall.permission.remembers
    monkeypatch.setattr(recalling, "WORD_S", 0.1)
    await until(lambda: node.recall.permission.remembers)
    assert node.engine.vote_from == LENGTH + 1


async def test_the_word_counts_for_less_than_enough_answers(start, ledger):
    node, company = start(vote_from=LENGTH + 1), peers(ledger, Witness)
    company[0].statement = signed(node.key, ledger, LENGTH + 2)
    node.meet(*company)
    await node.completes()
    await until(lambda: node.recall.permission.remembers)
    assert node.engine.vote_from == LENGTH + MARGIN
    assert not node.recall.permission.is_by_word


# ---- answering -------------------------------------------------------------------------------------------------------


class Answering:
    """The answers of a node at height 0 with this permission."""

    def __init__(self, permission: Permission, engine: Permission | None = None) -> None:
        consortium = Consortium(4)
        self.asker = consortium.validator_keys[1]
        self.network = FakeNetwork(self.asker.public)
        heard = Vote(VoteStatement(StatementKind.COMMIT, Height(1), Round(2), Hash(bytes(32))), self.asker.public, b"")  # type: ignore[arg-type]
        parts: list[Any] = [
            self.network,
            SimpleNamespace(state=consortium.state),
            SimpleNamespace(permission=permission),
            SimpleNamespace(permission=engine or permission, heard_of={self.asker.public: heard}.get),
        ]
        self.heard = heard
        self.answerer = MemoryAnswerer(*parts)

    def ask(self) -> list[RecallAnswer]:
        self.answerer.on_recall(self.asker.public, b"n" * 16)
        return [self._read(data) for _, data in self.network.take()]

    def _read(self, data: bytes) -> RecallAnswer:
        return wire.unpack_recalled(data[1:].replace(b"\xc4\x00", b"\xc4\x40" + bytes(64)))


@pytest.mark.parametrize(
    ("permission", "engine", "remembers"),
    [
        (Permission(), None, True),
        (Permission(Memory.NEW), None, True),
        (Permission(Memory.LOST), None, False),
        (Permission(regained=Height(3)), None, False),
        (Permission(regained=Height(1)), None, True),
        (Permission(is_complete=False), None, False),
        (Permission(), Permission(fence=Height(2)), False),
    ],
)
async def test_only_who_may_sign_itself_remembers(permission, engine, remembers):
    """Below its fence, a node that has forgotten knows no more of its past than the asker of its own."""
    made = Answering(permission, engine)
    [answer] = made.ask()
    assert (answer.nonce, answer.height, answer.remembers) == (b"n" * 16, 0, remembers)
    assert answer.statement is not None
    assert answer.statement.statement == made.heard.statement


async def test_a_peer_gets_one_answer_in_a_while(monkeypatch):
    made = Answering(Permission())
    assert [len(made.ask()) for _ in range(3)] == [1, 0, 0]
    made.answerer.on_disconnect(made.asker.public)
    assert len(made.ask()) == 1
    monkeypatch.setattr(recalling, "ANSWER_S", 0.0)
    assert len(made.ask()) == 1
