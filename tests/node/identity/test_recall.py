"""No vote before all blocks are there and the node remembers, or need not remember, what its key has signed."""

import pytest
from tests.node.catching_up import Ledger, Node, Peer
from tests.node.catchup.chain import LAG, LENGTH, Chain, NoHistory, peers
from tests.node.parts import until
from tests.support.chains import change_validator
from tests.support.consortium import Consortium

from notarium_consensus.events import OwnSignatureSeen
from notarium_consensus.inputs import MessageReceived, WorkPending
from notarium_consensus.messages import Proposal
from notarium_consensus.permission import MARGIN
from notarium_ledger.blocks.block import Block
from notarium_ledger.blocks.statements import StatementKind, vote_bytes
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


async def test_a_wiped_validator_may_vote_at_once_where_nothing_was_ever_decided(start, tmp_path):
    chain = Chain(tmp_path / "new")
    first = chain.store.state.registry.validators.proposer(Height(1), Round(0))
    number = next(number for number, each in enumerate(chain.consortium.validator_keys) if each.public != first)
    node = Node(tmp_path / "founder", chain, key_number=number)
    node.driver.feed(WorkPending())
    assert not await votes(node, chain)
    node.meet(*(Peer(each.public, chain) for each in chain.consortium.validator_keys if each is not node.key))
    assert node.engine.vote_from == 1
    await until(node.said)  # it checks the proposal that waited again, and prepares it
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
    node = start(vote_from=LENGTH + 2)
    node.meet(*peers(ledger))
    await node.completes()
    await until(lambda: node.recall.permission.remembers)
    assert node.engine.vote_from == LENGTH + 2


async def test_the_operator_may_end_the_silence_where_the_ledger_waits_for_this_vote(start, ledger):
    node = start()
    node.meet(*peers(ledger))
    await node.completes()
    await until(lambda: node.engine.vote_from == LENGTH + MARGIN)
    ledger.grow(1)
    node.hear_statuses()
    await node.reaches(LENGTH + 1)
    node.stop()
    again = start(vote_from=LENGTH + 2)
    assert again.engine.is_voting


async def test_what_the_operator_said_long_ago_does_not_count(start, ledger):
    node = start(vote_from=LENGTH)
    node.meet(*peers(ledger))
    await node.completes()
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


async def test_a_validator_that_was_only_away_votes_at_once(start, ledger, aged):
    ledger.grow(2 * LAG)
    node = start()
    node.meet(*peers(ledger))
    await node.completes()
    assert node.engine.vote_from == 1
    assert await votes(node, ledger)


async def test_whom_the_last_block_made_a_validator_votes_at_once(tmp_path):
    """It cannot have signed before, and a ledger of two needs its vote."""
    chain = Ledger(tmp_path / "small", Consortium(4))
    chain.grow(LENGTH)
    new, decision = change_validator(chain.store, chain.consortium, 3, "newcomer")
    chain.consortium.validator_keys[3] = new
    company = [Peer(each.public, chain) for each in chain.consortium.validator_keys[:3]]
    node = Node(tmp_path / "newcomer", chain, key_number=3, snapshot_lag=LAG)
    node.meet(*company)
    await node.completes()
    await until(lambda: node.engine.is_voting)
    assert node.engine.vote_from == 1
    assert decision.height == node.store.state.height
    node.stop()
    chain.store.close()


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
