"""No vote before all blocks are there and the node remembers, or need not remember, what its key has signed."""

import shutil
from typing import Any

import pytest
from tests.node.catching_up import Ledger, Node, Peer
from tests.node.catchup.chain import LAG, LENGTH, Chain, NoHistory, peers
from tests.node.parts import until
from tests.support.chains import approved, change_validator
from tests.support.consortium import Consortium, fake_certificate, key

from notarium_consensus.events import OwnSignatureSeen
from notarium_consensus.inputs import MessageReceived, WorkPending
from notarium_consensus.messages import Proposal
from notarium_consensus.permission import MARGIN, MEMORY_KEY
from notarium_ledger.blocks.block import Block
from notarium_ledger.blocks.statements import StatementKind, Vote, VoteStatement, vote_bytes
from notarium_ledger.state.chain_state import advance
from notarium_ledger.types import Hash, Height, Round


def propose(node, ledger):
    """A proposal for the node's next height by whoever proposes there, and the messages sent since."""
    state, consortium = node.store.state, ledger.consortium
    height, entry = Height(state.height + 1), consortium.entry()
    proposer = state.registry.validators.proposer(height, Round(0))
    key = consortium.keys_by_public[proposer]
    time_ms = node.driver._clock()
    transition = advance(state, [entry], time_ms, proposer)
    block = Block(transition.header, (entry.raw,))
    message = vote_bytes(
        StatementKind.PROPOSAL,
        Hash(consortium.genesis.hash),
        state.registry.validators.hash,
        height,
        Round(0),
        block.hash,
    )
    node.network.heard.clear()
    node.driver.feed(MessageReceived(Proposal(height, Round(0), block, (), (), proposer, key.sign(message)), proposer))
    return block


async def votes(node, ledger):
    """Whether the node prepares a good proposal; grows the ledger until another proposes."""
    validators = node.store.state.registry.validators
    while validators.proposer(Height(node.store.state.height + 1), Round(0)) == node.key.public:
        ledger.grow(1)
        node.hear_statuses()
        await node.reaches(ledger.store.state.height)
    propose(node, ledger)
    await until(
        lambda: not node.driver._block_work._checks
    )  # The check of the block's content is a task, which answers.
    return bool(node.said())


async def test_mistake_8_with_blocks_missing_it_does_not_vote(start, ledger):
    node = start(is_new=True)
    node.meet(*peers(ledger, NoHistory))
    await node.reaches(LENGTH)
    assert not await votes(node, ledger)


async def test_mistake_13_with_all_blocks_it_votes_again(start, ledger):
    node = start(is_new=True)
    node.meet(*peers(ledger))
    await node.completes()
    assert await votes(node, ledger)


async def test_mistake_13_a_wiped_validator_votes_when_heights_are_behind_it_at_which_it_may_have_signed(start, ledger):
    node = start()
    node.meet(*peers(ledger))
    await node.completes()
    tip = node.store.state.height
    await until(lambda: node.engine.vote_from == tip + MARGIN)
    assert not await votes(node, ledger)
    ledger.grow(MARGIN)
    node.hear_statuses()
    await node.reaches(ledger.store.state.height)
    assert await votes(node, ledger)


@pytest.mark.parametrize("when", ["with blocks missing", "waiting for heights to pass"])
async def test_a_restart_does_not_make_it_forget_that_it_has_forgotten(start, ledger, when):
    kind = NoHistory if when == "with blocks missing" else Peer
    node, company = start(), peers(ledger, kind)
    node.meet(*company)
    await node.reaches(LENGTH)
    if kind is Peer:
        await until(lambda: node.engine.vote_from > 1)
    node.stop()
    again = start()
    again.meet(*peers(ledger))
    await again.completes()
    assert not await votes(again, ledger)
    await until(lambda: again.engine.vote_from >= LENGTH + MARGIN)


async def test_a_wiped_validator_is_fenced_also_where_nothing_was_ever_decided(start, tmp_path):
    chain = Chain(tmp_path / "new")
    first = chain.store.state.registry.validators.proposer(Height(1), Round(0))
    number = next(number for number, each in enumerate(chain.consortium.validator_keys) if each.public != first)
    node = Node(tmp_path / "founder", chain, key_number=number)
    node.driver.feed(WorkPending())
    assert not await votes(node, chain)
    node.meet(*(Peer(each.public, chain) for each in chain.consortium.validator_keys if each is not node.key))
    await until(lambda: node.recall.permission.remembers)
    assert node.engine.vote_from == MARGIN
    assert node.said() == [], "it may have prepared something at height 1 or 2"
    node.stop()
    chain.store.close()


async def test_at_its_first_start_ever_it_votes_at_once_and_a_crash_does_not_make_it_old(start, tmp_path):
    chain = Chain(tmp_path / "founding")
    for is_new in (True, False):
        node = Node(tmp_path / "founder", chain, is_new=is_new)
        assert node.engine.is_voting
        assert node.engine.vote_from == 1
        node.stop()
    chain.store.close()


async def test_the_operator_says_from_when_on_it_may_vote(start, ledger):
    """Without any answer, as soon as a quorum reports its height."""
    company = peers(ledger)
    for each in company:
        each.recalled = lambda nonce: []
    node = start(vote_from=LENGTH + 2)
    node.meet(*company)
    await node.completes()
    await until(lambda: node.recall.permission.remembers)
    assert node.engine.vote_from == LENGTH + 2


async def test_the_operator_cannot_end_a_silence_that_the_answers_have_set(start, ledger):
    """The others are a quorum without this node, and know better. He can raise the fence."""
    node = start()
    node.meet(*peers(ledger))
    await node.completes()
    await until(lambda: node.engine.vote_from == LENGTH + MARGIN)
    ledger.grow(1)
    node.hear_statuses()
    await node.reaches(LENGTH + 1)
    node.stop()
    again = start(vote_from=LENGTH + 2)
    assert not again.engine.is_voting
    assert again.engine.vote_from == LENGTH + MARGIN
    again.stop()
    assert start(vote_from=LENGTH + 9).engine.vote_from == LENGTH + 9


async def test_what_the_operator_said_long_ago_does_not_count(start, ledger):
    """The line stayed in the configuration, and the disk was lost for a second time."""
    company = peers(ledger)
    company[0].recalled = lambda nonce: []
    node = start(vote_from=LENGTH)
    node.meet(*company)
    await node.completes()
    await until(lambda: len(node.asker.answers().counted) == 2)
    assert not node.recall.permission.remembers
    del company[0].recalled
    node.part(company[0])
    node.meet(company[0])
    await until(lambda: node.engine.vote_from == LENGTH + MARGIN)


async def test_a_restored_backup_finds_its_own_seals_and_is_silent(start, ledger, aged):
    company = peers(ledger)
    signers = [each.public for each in ledger.consortium.validator_keys[1:]]
    ledger.grow(5, signers=signers)
    node = start()
    assert node.recall.permission.remembers
    node.meet(*company)
    await node.reaches(LENGTH + 5)
    assert [event for event in node.events if isinstance(event, OwnSignatureSeen)] == [
        OwnSignatureSeen(Height(LENGTH + 5))
    ]
    await until(lambda: node.engine.vote_from == LENGTH + 5 + MARGIN)
    assert not await votes(node, ledger)


class Halting(Peer):
    """Has all, but gives no block of the history above `last`."""

    last = LENGTH

    async def blocks(self, first, most):
        is_history = first <= LENGTH + 2 * LAG
        if is_history and first > self.last:
            return []
        return await super().blocks(first, min(most, self.last - first + 1) if is_history else most)


async def has_history(node, last):
    await until(lambda: node.failures or node.store.history.height == last)
    assert node.failures == []


async def test_restarts_while_the_history_comes_exempt_no_further_height_from_the_look_for_own_seals(
    start, ledger, aged
):
    """At one height it may have signed what its record lacks now: the one after its tip when it adopted a snapshot."""
    adopted = LENGTH + 1
    own_and_two = [each.public for each in ledger.consortium.validator_keys[1:]]
    ledger.grow(9)
    ledger.grow(1, signers=own_and_two)
    ledger.grow(2 * LAG - 10)
    for last in (adopted + 2, adopted + 8):
        node, company = start(), peers(ledger, Halting)
        for each in company:
            each.last = last
        node.meet(*company)
        await has_history(node, last)
        assert node.recall.unrecorded == adopted
        node.stop()
    again = start()
    assert again.recall.unrecorded == adopted
    assert again.recall.permission.remembers
    again.meet(*peers(ledger))
    await again.completes()
    assert OwnSignatureSeen(Height(adopted + 9)) in again.events


async def test_another_snapshot_before_the_history_is_there_changes_nothing_of_that(start, ledger, aged):
    ledger.grow(2 * LAG)
    node = start()
    company = peers(ledger, NoHistory)
    for each in company:
        each.hidden = LENGTH + 4 * LAG
    node.meet(*company)
    await node.reaches(LENGTH + 2 * LAG)
    node.recall.unrecorded = Height(7)
    ledger.grow(2 * LAG)
    node.hear_statuses()
    await node.reaches(LENGTH + 4 * LAG)
    assert node.recall.unrecorded == 7
    node.stop()
    assert start().recall.unrecorded == 7


async def test_a_validator_that_was_only_away_votes_at_once(start, ledger, aged):
    ledger.grow(2 * LAG)
    node = start()
    node.meet(*peers(ledger))
    await node.completes()
    assert node.engine.vote_from == 1
    assert await votes(node, ledger)


@pytest.mark.parametrize(("is_new", "vote_from"), [(True, 1), (False, LENGTH + 1 + MARGIN)])
async def test_whom_the_last_block_made_a_validator_votes_at_once_only_at_its_first_start(tmp_path, is_new, vote_from):
    """Wiped right after it joined, it may have signed the next block already."""
    chain = Ledger(tmp_path / "small", Consortium(4))
    chain.grow(LENGTH)
    new, decision = change_validator(chain.store, chain.consortium, 3, "newcomer")
    chain.consortium.validator_keys[3] = new
    company = [Peer(each.public, chain) for each in chain.consortium.validator_keys[:3]]
    node = Node(tmp_path / "newcomer", chain, key_number=3, snapshot_lag=LAG, is_new=is_new)
    node.meet(*company)
    await node.completes()
    await until(lambda: node.recall.permission.remembers and node.driver._is_granted())
    assert node.engine.vote_from == vote_from
    assert node.engine.is_voting is is_new
    assert decision.height == node.store.state.height
    node.stop()
    chain.store.close()


async def test_a_change_of_the_set_below_the_fence_makes_it_ask_the_new_set(start, ledger):
    node, company = start(), peers(ledger)
    node.meet(*company)
    await node.completes()
    await until(lambda: node.engine.vote_from == LENGTH + MARGIN)
    new, _ = change_validator(ledger.store, ledger.consortium, 0, "another")
    ledger.consortium.validator_keys[0] = new
    node.hear_statuses()
    await node.reaches(LENGTH + 1)
    assert not node.recall.permission.remembers
    ledger.grow(MARGIN)
    node.hear_statuses()
    await node.reaches(LENGTH + 1 + MARGIN)
    await until(lambda: len(node.asker.answers().counted) == 2)
    assert not node.engine.is_voting, "the new one has not answered"
    node.meet(Peer(new.public, ledger))
    await until(lambda: node.engine.vote_from == LENGTH + 1 + 2 * MARGIN)


async def test_a_change_of_the_set_at_the_fence_is_none_of_its_business(start, ledger):
    node = start()
    node.meet(*peers(ledger))
    await node.completes()
    await until(lambda: node.engine.vote_from == LENGTH + MARGIN)
    ledger.grow(MARGIN - 1)
    # Not by change_validator, whose block bears the node's own seal: that would be news at the fence.
    new = key("another")
    place: dict[str, Any] = {"member": "m0", "role": "validator", "address": "127.0.0.1:9900"}
    place |= {"key": bytes(new.public), "certificate": fake_certificate(new)}
    ledger.grow(1, approved(ledger.consortium, 3, {"type": "set-node", "node": place}))
    assert new.public in ledger.store.state.registry.validators
    node.hear_statuses()
    await node.reaches(LENGTH + MARGIN)
    assert node.recall.permission.remembers
    assert node.engine.is_voting


async def test_a_seal_of_its_own_below_the_fence_is_no_news(start, ledger):
    """It decided that block before it lost its disk: that this may be is why there is a fence."""
    node = start()
    node.meet(*peers(ledger))
    await node.completes()
    await until(lambda: node.engine.vote_from == LENGTH + MARGIN)
    own_and_two = [each.public for each in ledger.consortium.validator_keys[1:]]
    for height in range(LENGTH + 1, LENGTH + MARGIN):
        ledger.grow(1, signers=own_and_two)
        node.hear_statuses()
        await node.reaches(height)
        assert node.recall.permission.remembers
    assert node.engine.is_voting
    ledger.grow(1, signers=own_and_two)
    node.hear_statuses()
    await node.reaches(LENGTH + MARGIN)
    # At the fence, another process must have signed, so it asks again.
    await until(lambda: node.engine.vote_from == LENGTH + 2 * MARGIN)


async def test_a_signature_of_its_own_that_it_does_not_remember_makes_it_ask(start, ledger, aged):
    """The engine's fence covers what was seen. A disk that was rolled back may lack more."""
    node = start(is_new=True)
    node.meet(*peers(ledger)[:1])
    await until(lambda: node.engine.is_voting)
    state = node.store.state
    statement = VoteStatement(StatementKind.PREPARE, Height(state.height + 1), Round(0), Hash(bytes(32)))
    signature = node.key.sign(statement.signed_bytes(ledger.consortium.genesis.hash, state.registry.validators.hash))
    own = Vote(statement, node.key.public, signature)
    node.driver.feed(MessageReceived(own, peers(ledger)[0].key))
    assert OwnSignatureSeen(state.height + 1) in node.events
    assert not node.recall.permission.remembers
    assert not node.engine.is_voting
    node.meet(*peers(ledger))
    await until(lambda: node.recall.permission.remembers)
    assert node.engine.vote_from == LENGTH + MARGIN


async def test_a_store_of_another_key_is_not_its_memory_unless_its_own_key_is_new(start, ledger, aged, tmp_path):
    """Another validator key on the same store: `init` marks a key that has never been used."""
    for is_new in (True, False):
        shutil.copytree(tmp_path / "node", tmp_path / f"taken {is_new}")
        other = start(f"taken {is_new}", key_number=0, is_new=is_new)
        assert other.recall.permission.remembers is is_new
        assert other.store.owner == other.key.public
        assert other.store.record()[1].keys() <= {MEMORY_KEY}
        other.stop()
        again = start(f"taken {is_new}", key_number=0)
        assert again.recall.permission.remembers is is_new


async def test_a_fence_below_vote_from_outlives_the_line(start, ledger):
    """It was set by what a peer has shown, and the operator's height was above it."""
    node = start(vote_from=LENGTH + 20)
    node.meet(*peers(ledger))
    await node.completes()
    await until(lambda: node.recall.permission.remembers)
    node.engine._permission = node.engine._permission.raised(Height(LENGTH + 10))
    ledger.grow(1)
    node.hear_statuses()
    await node.reaches(LENGTH + 1)
    node.stop()
    again = start(vote_from=LENGTH + 2)
    assert again.engine.vote_from == LENGTH + 10, "the operator lifts his own word, not what was seen"


async def test_a_height_that_the_operator_has_corrected_does_not_come_back_without_the_line(start):
    for vote_from, counts in ((10**9, 10**9), (1, 1), (None, 1)):
        node = start(is_new=True, vote_from=vote_from)
        assert node.engine.vote_from == counts
        assert node.engine.is_voting is (counts == 1)
        node.stop()


async def test_a_crash_right_after_a_decision_does_not_make_it_forget_from_when_on_it_may_vote(start, ledger):
    """The record of a decided height goes with the decision, and the fence was in it."""
    node = start()
    node.meet(*peers(ledger))
    await node.completes()
    await until(lambda: node.engine.vote_from == LENGTH + MARGIN)
    node.driver.feed = lambda event: None  # It is killed before the engine hears of the next height.
    ledger.grow(1)
    node.hear_statuses()
    await node.reaches(LENGTH + 1)
    node.stop()
    again = start()
    assert again.engine.vote_from == LENGTH + MARGIN
    assert not again.engine.is_voting


async def test_a_first_start_that_found_out_that_it_was_not_the_first_stays_silent(start, ledger, tmp_path):
    """The mark of the first start is still there when such a node is started again."""
    chain = Chain(tmp_path / "founding")
    node = Node(tmp_path / "founder", chain, is_new=True)
    assert node.recall.permission.remembers
    node.recall.lose()
    node.stop()
    again = Node(tmp_path / "founder", chain, is_new=True)
    assert not again.recall.permission.remembers
    again.stop()
    chain.store.close()
