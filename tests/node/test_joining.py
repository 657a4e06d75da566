"""Joining by a snapshot: at the tip at once, whole in the end, and no vote before both is so and memory is safe."""

import asyncio
import shutil
from dataclasses import replace

import pytest
from tests.node import catching_up
from tests.node.catching_up import Ledger, Node, Peer
from tests.node.parts import until
from tests.support.chains import change_validator
from tests.support.consortium import Consortium

from notarium_consensus.events import OwnSignatureSeen
from notarium_consensus.inputs import MessageReceived, WorkPending
from notarium_consensus.messages import Proposal
from notarium_ledger import canonical
from notarium_ledger.block import Block
from notarium_ledger.certificate import VoteType, vote_bytes
from notarium_ledger.entry import decode_entry
from notarium_ledger.snapshot import Snapshot
from notarium_ledger.state import advance, apply_block
from notarium_ledger.types import Hash, Height, Round
from notarium_node import fetching, recall, serving, wire
from notarium_node.wire import Kind
from notarium_store import Store
from notarium_store.check import check_chain
from notarium_store.errors import StoreCorruption

LENGTH = 60
LAG = 20
"""Further behind, a node of these tests takes a snapshot."""
WIPED = 3
"""The number of the validator under test. Certificates hold the seals of three others, unless a test says otherwise."""


class Chain(Ledger):
    """Decided by the three validators that are not under test."""

    old: Store
    """The ledger as it was long ago."""

    @property
    def others(self):
        keys = [each.public for each in self.consortium.validator_keys]
        return [each for each in keys if each != keys[WIPED]]

    def grow(self, blocks, entries=None, signers=None):
        super().grow(blocks, entries, signers or self.others)


@pytest.fixture
async def ledger(tmp_path):
    made = Chain(tmp_path / "ledger")
    made.grow(LENGTH)
    yield made
    made.store.close()


@pytest.fixture
async def start(tmp_path, ledger):
    made: list[Node] = []

    def make(path="node", **settings):
        made.append(Node(tmp_path / path, ledger, **{"key_number": WIPED, "snapshot_lag": LAG} | settings))
        return made[-1]

    yield make
    for each in made:
        each.stop()


@pytest.fixture
def small_answers(monkeypatch):
    """Many questions and many groups for a short chain."""
    monkeypatch.setattr(wire, "MAX_BLOCKS", 7)
    monkeypatch.setattr(wire, "SNAPSHOT_PART_BYTES", 500)


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(fetching, "REQUEST_TIMEOUT_S", 0.05)


def peers(ledger, kind=Peer, count=3):
    return [kind(key, ledger) for key in ledger.others[:count]]


class NoHistory(Peer):
    """Has a snapshot, and is silent about old blocks until told otherwise."""

    hidden = LENGTH

    async def blocks(self, first, most):
        return [] if first <= self.hidden else await super().blocks(first, most)


def propose(node, ledger):
    """A proposal for the node's next height by whoever proposes there, and the messages sent since."""
    state, consortium = node.store.state, ledger.consortium
    height, entry = Height(state.height + 1), consortium.entry()
    proposer = state.registry.validators.proposer(height, Round(0))
    key = consortium.keys_by_public[proposer]
    time_ms = node.runner._clock()
    transition = advance(state, [entry], time_ms, proposer)
    block = Block(transition.header, (entry.raw,))
    message = vote_bytes(
        VoteType.PROPOSAL, Hash(consortium.genesis.hash), state.registry.validators.hash, height, Round(0), block.hash
    )
    node.network.heard.clear()
    node.runner.feed(MessageReceived(Proposal(height, Round(0), block, (), (), proposer, key.sign(message)), proposer))
    return block


async def votes(node, ledger):
    """Whether the node prepares a good proposal; grows the ledger until another proposes."""
    validators = node.store.state.registry.validators
    while validators.proposer(Height(node.store.state.height + 1), Round(0)) == node.key.public:
        ledger.grow(1)
        node.hear_statuses()
        await node.reaches(ledger.store.state.height)
    propose(node, ledger)
    await asyncio.sleep(0.05)  # The content check is a task; that nothing comes shows only with time.
    return bool(node.said())


# At the tip at once, whole in the end


async def test_far_behind_a_node_is_at_the_tip_before_it_has_the_blocks_and_has_them_all_in_the_end(
    start, ledger, small_answers
):
    node, company = start(), peers(ledger, NoHistory)
    node.meet(*company)
    await node.reaches(LENGTH)
    assert not node.store.is_complete
    assert (node.store.history.height, node.store.base) == (0, LENGTH)
    ledger.grow(5)
    node.hear_statuses()
    await node.reaches(LENGTH + 5)
    for peer in company:
        peer.hidden = 0
        node.part(peer)
    node.meet(*company)
    await node.completes()
    assert node.store.state == ledger.store.state
    assert node.network.dropped == []
    node.stop()
    report = check_chain(node.path, ledger.consortium.genesis, lambda *_: None)
    assert (report.height, report.history) == (LENGTH + 5, LENGTH + 5)


async def test_a_little_behind_it_fetches_blocks_only(start, ledger):
    node, company = start(snapshot_lag=LENGTH), peers(ledger)
    node.meet(*company)
    await node.reaches(LENGTH)
    assert node.store.is_complete
    assert not any(peer.asked_for(Kind.GET_SNAPSHOT) for peer in company)


async def test_a_node_that_was_away_goes_on_from_what_it_has(start, ledger, aged):
    ledger.grow(50)
    node, company = start(), peers(ledger)
    node.meet(*company)
    await node.completes()
    asked = [height for peer in company for height in peer.asked_for(Kind.GET_BLOCKS)]
    assert min(asked) == LENGTH + 1
    assert node.store.state == ledger.store.state


async def test_threads_give_the_same_as_none(start, ledger, small_answers):
    node = start(workers=2)
    node.meet(*peers(ledger))
    await node.completes()
    assert node.store.state == ledger.store.state


async def test_the_set_of_validators_may_change_on_the_way(start, tmp_path, small_answers):
    chain = Ledger(tmp_path / "changing")
    chain.grow(10)
    for number in range(3):
        chain.decisions.append(change_validator(chain.store, chain.consortium, number, f"new {number}")[1])
        chain.grow(10)
    node = Node(tmp_path / "joiner", chain, key_number=None, snapshot_lag=5)
    company = [Peer(each.public, chain) for each in chain.consortium.validator_keys[:2]]
    node.meet(*company)
    await node.completes()
    assert node.store.state == chain.store.state
    assert node.store.handovers() == chain.store.handovers()
    node.stop()
    chain.store.close()


async def test_interrupted_it_goes_on_where_it_was(start, ledger, small_answers):
    """A restart in the middle of the history: nothing is asked for twice, and no snapshot is taken again."""
    node, company = start(), peers(ledger)
    node.meet(*company)
    await until(lambda: node.store.history.height >= 20)
    node.stop()
    reached = start()
    at = reached.store.history.height
    assert at >= 20
    assert not reached.store.is_complete
    for peer in company:
        peer.asked.clear()
    reached.meet(*company)
    await reached.completes()
    assert min(height for peer in company for height in peer.asked_for(Kind.GET_BLOCKS)) == at + 1
    assert not any(peer.asked_for(Kind.GET_SNAPSHOT) for peer in company)


async def test_entries_that_waited_here_and_were_decided_in_the_gap_leave_the_mempool_and_are_answered(start, ledger):
    entry = ledger.consortium.entry()
    ledger.grow(1, [entry])
    ledger.grow(LAG)
    node = start()
    node.mempool.add(entry)
    waiter = node.hub.wait([entry.id])
    node.meet(*peers(ledger))
    await asyncio.wait_for(waiter.future, 5)
    assert waiter.receipts[entry.id].entry == entry.raw
    assert len(node.mempool) == 0


async def test_a_snapshot_is_made_once_a_height_and_a_large_one_once_in_some_seconds(start, ledger, monkeypatch):
    made = []
    snapshot = ledger.store.snapshot

    def make():
        made.append(ledger.store.state.height)
        return snapshot()

    monkeypatch.setattr(ledger.store, "snapshot", make)
    (peer,) = peers(ledger, count=1)
    for path in ("one", "two"):
        node = start(path)
        node.meet(peer)
        await node.completes()
    assert made == [LENGTH]
    ledger.grow(1)
    monkeypatch.setattr(serving, "LARGE_SNAPSHOT_BYTES", 100)  # So is this one now.
    node = start("three")
    node.meet(peer)
    await node.completes()
    assert made == [LENGTH]
    monkeypatch.setattr(serving, "SNAPSHOT_FRESH_S", 0.0)
    node = start("four")
    node.meet(peer)
    await node.completes()
    assert made == [LENGTH, LENGTH + 1]


# Liars


class Old(Peer):
    """Sends a true snapshot of long ago."""

    ledger: Chain

    def snapshot(self, height, offset):
        store = self.ledger.old
        snapshot = store.snapshot()
        assert snapshot is not None
        data = snapshot.encode()
        return [wire.pack_snapshot(wire.SnapshotPart(store.state.height, len(data), 0, data))]


class Forger(Peer):
    """Sends a snapshot with a registry of its own."""

    def snapshot(self, height, offset):
        true = self.ledger.store.snapshot()
        assert true is not None
        data = replace(true, registry=Consortium(3).genesis.registry.encode()).encode()
        return [wire.pack_snapshot(wire.SnapshotPart(true.height, len(data), 0, data))]


class Garbler(Peer):
    """Sends no snapshot at all, but bytes."""

    def snapshot(self, height, offset):
        return [wire.pack_snapshot(wire.SnapshotPart(Height(LENGTH), 7, 0, b"rubbish"))]


class Unable(Peer):
    """Has no snapshot."""

    def snapshot(self, height, offset):
        return [catching_up.no_snapshot()]


class Halting(Peer):
    """Never sends the second part."""

    def snapshot(self, height, offset):
        return super().snapshot(height, offset) if offset == 0 else []


@pytest.fixture
def old(tmp_path, ledger):
    ledger.old = Ledger(tmp_path / "old", ledger.consortium).store
    for decision in ledger.decisions[:5]:
        ledger.old.commit(decision, apply_block(ledger.old.state, decision.block, ledger.old.is_decided))
    yield
    ledger.old.close()


@pytest.mark.parametrize("kind", [Forger, Garbler])
async def test_mistake_18_a_snapshot_needs_no_trust_a_liar_is_found_and_another_is_asked(start, ledger, kind):
    node = start()
    liar, *honest = peers(ledger)
    liar = kind(liar.key, ledger)
    node.meet(liar)
    await until(lambda: node.network.dropped)
    assert node.network.dropped == [(liar.key, "protocol violation")]
    assert node.store.state.height == 0
    node.meet(liar, *honest)
    await node.completes()
    assert node.store.state == ledger.store.state
    assert len(liar.asked) == 1


async def test_mistake_18_an_old_snapshot_does_no_harm_and_the_next_one_is_of_another_peer(start, ledger, old):
    node = start()
    one, two, _ = peers(ledger)
    liar = Old(one.key, ledger)
    node.meet(liar)
    await until(lambda: node.store.state.height >= 5)
    node.meet(two)
    await node.completes()
    assert node.store.state == ledger.store.state
    assert liar.asked_for(Kind.GET_SNAPSHOT) == [0]
    assert node.network.dropped == []


async def test_mistake_18_where_there_is_no_snapshot_the_blocks_do(start, ledger, small_answers):
    node = start()
    node.meet(*peers(ledger, Unable))
    await node.reaches(LENGTH)
    assert node.store.is_complete
    assert node.network.dropped == []


async def test_mistake_18_nor_does_a_snapshot_that_never_comes_whole_keep_it_from_the_blocks(
    start, ledger, quick, small_answers
):
    node, company = start(), peers(ledger, Halting)
    node.meet(*company)
    await until(lambda: len(node.network.dropped) == len(company))
    assert {reason for _, reason in node.network.dropped} == {"catch-up"}
    node.meet(*company)  # They come back, and are asked for what they may be able to send.
    await node.reaches(LENGTH)
    assert node.store.is_complete


async def test_mistake_19_a_history_that_does_not_lead_to_the_snapshot_stops_the_node_and_names_the_remedy(
    start, ledger, tmp_path
):
    """It takes a quorum of liars to certify both. No program can say which is right."""
    other = Chain(tmp_path / "other", ledger.consortium)
    other.grow(LENGTH)
    node, company = start(), peers(ledger, NoHistory)
    node.meet(*company)
    await node.reaches(LENGTH)
    for peer in company:
        node.part(peer)
    forked = peers(other)
    node.meet(*forked)
    await until(lambda: node.failures, timeout_s=120)  # The traceback in the log takes its time.
    (failure,) = node.failures
    assert isinstance(failure, StoreCorruption)
    assert "certified two histories" in str(failure)
    assert "restore a backup" in str(failure)
    assert node.store.state.height == LENGTH
    other.store.close()


class Spoiler(Peer):
    """Puts other entries into an old block."""

    async def blocks(self, first, most):
        chosen = self.ledger.decisions[first - 1 : first - 1 + most]
        spoiled = [
            replace(each, block=Block(each.block.header, (self.ledger.consortium.entry().raw,))) for each in chosen
        ]
        return [wire.pack_list(Kind.BLOCKS, [canonical.encode(each.to_value()) for each in spoiled])]


@pytest.mark.parametrize("checks", [True, False])
async def test_mistake_19_a_false_old_block_is_not_stored_and_its_sender_is_never_asked_again(start, ledger, checks):
    node = start(check_signatures=checks)
    one, two, _ = peers(ledger)
    spoiler = Spoiler(one.key, ledger)
    node.meet(spoiler)
    await until(lambda: node.network.dropped)
    assert node.store.history.height == 0
    node.meet(spoiler, two)
    await node.completes()
    assert len(spoiler.asked_for(Kind.GET_BLOCKS)) == 1
    assert node.store.state == ledger.store.state


async def test_an_observer_looks_at_the_authors_signatures_and_others_believe_the_certificates(start, tmp_path):
    """A quorum of liars certifies an entry that nobody signed. Only who checks signatures notices."""
    chain = Chain(tmp_path / "false")
    good = chain.consortium.entry()
    false = replace(good, raw=good.raw.replace(bytes(good.signature), bytes(64)))
    chain.grow(1, [decode_entry(false.raw)])
    chain.grow(LENGTH)
    company = peers(chain)
    believing = Node(tmp_path / "believing", chain, snapshot_lag=LAG, check_signatures=False)
    believing.meet(*company)
    await believing.completes()
    checking = Node(tmp_path / "checking", chain, snapshot_lag=LAG, check_signatures=True)
    checking.meet(*company)
    await until(lambda: len(checking.network.dropped) == 3)
    assert checking.store.history.height == 0
    assert all("signature" in reason for reason in checking.sync._fetcher.liars.values())
    for node in (believing, checking):
        node.stop()
    chain.store.close()


# Voting


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
    await until(lambda: node.engine.vote_from == tip + recall.MARGIN)
    assert not await votes(node, ledger)
    ledger.grow(recall.MARGIN)
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
    await until(lambda: again.engine.vote_from >= LENGTH + recall.MARGIN)


async def test_a_wiped_validator_may_vote_at_once_where_nothing_was_ever_decided(start, tmp_path):
    chain = Chain(tmp_path / "new")
    first = chain.store.state.registry.validators.proposer(Height(1), Round(0))
    number = next(number for number, each in enumerate(chain.consortium.validator_keys) if each.public != first)
    node = Node(tmp_path / "founder", chain, key_number=number)
    node.runner.feed(WorkPending())
    assert not await votes(node, chain)
    node.meet(*(Peer(each.public, chain) for each in chain.consortium.validator_keys if each is not node.key))
    assert node.engine.vote_from == 1
    assert node.said(), "it prepares the proposal that waited"
    node.stop()
    chain.store.close()


@pytest.fixture
async def aged(start, ledger):
    """There is a store with the ledger as it is now, of a validator that knows its past."""
    node = start(snapshot_lag=LENGTH, is_new=True)
    node.meet(*peers(ledger))
    await node.reaches(LENGTH)
    node.hear_statuses()
    assert node.recall.settled
    node.stop()


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
    await until(lambda: node.recall.settled)
    assert node.engine.vote_from == LENGTH + 2


async def test_the_operator_may_end_the_silence_where_the_ledger_waits_for_this_vote(start, ledger):
    node = start()
    node.meet(*peers(ledger))
    await node.completes()
    await until(lambda: node.engine.vote_from == LENGTH + recall.MARGIN)
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
    await until(lambda: node.engine.vote_from == LENGTH + recall.MARGIN)


async def test_a_restored_backup_finds_its_own_seals_and_is_silent(start, ledger, aged):
    company = peers(ledger)
    signers = [each.public for each in ledger.consortium.validator_keys[1:]]
    ledger.grow(5, signers=signers)
    node = start()
    assert node.recall.settled
    node.meet(*company)
    await node.reaches(LENGTH + 5)
    assert [event for event in node.events if isinstance(event, OwnSignatureSeen)] == [
        OwnSignatureSeen(Height(LENGTH + 5))
    ]
    await until(lambda: node.engine.vote_from == LENGTH + 5 + recall.MARGIN)
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


async def test_a_lost_disk_and_a_lost_peer_together_still_end_well(start, ledger, small_answers):
    """The store vanishes, the only peer that has answered goes in the middle, and the store vanishes once more."""
    node, (one, two, three) = start(), peers(ledger)
    node.meet(one)
    await until(lambda: node.store.history.height >= 10)
    node.part(one)
    node.stop()
    shutil.rmtree(node.path)
    node = start()
    node.meet(two)
    await until(lambda: node.store.history.height >= 10)
    node.part(two)
    node.meet(three)
    await node.completes()
    assert node.store.state == ledger.store.state
    assert isinstance(node.store.snapshot(), Snapshot)


async def test_a_crash_right_after_a_decision_does_not_make_it_forget_from_when_on_it_may_vote(start, ledger):
    """The record of a decided height goes with the decision, and the fence was in it."""
    node = start()
    node.meet(*peers(ledger))
    await node.completes()
    await until(lambda: node.engine.vote_from == LENGTH + recall.MARGIN)
    node.runner.feed = lambda event: None  # It is killed before the engine hears of the next height.
    ledger.grow(1)
    node.hear_statuses()
    await node.reaches(LENGTH + 1)
    node.stop()
    again = start()
    assert again.engine.vote_from == LENGTH + recall.MARGIN
    assert not again.engine.is_voting


async def test_a_first_start_that_found_out_that_it_was_not_the_first_stays_silent(start, ledger, tmp_path):
    """The mark of the first start is still there when such a node is started again."""
    chain = Chain(tmp_path / "founding")
    node = Node(tmp_path / "founder", chain, is_new=True)
    assert node.recall.settled
    node.recall.lose()
    node.stop()
    again = Node(tmp_path / "founder", chain, is_new=True)
    assert not again.recall.settled
    again.stop()
    chain.store.close()


# Liars who play for time


class Tempter(Old):
    """Sends a true snapshot of long ago, and claims ever more."""

    boast = 1000

    def status(self):
        self.boast += 1000
        height = Height(self.boast)
        return replace(super().status(), height=height, history=height, base=height)

    def snapshot(self, height, offset):
        self.told(self)
        return super().snapshot(height, offset)

    async def blocks(self, first, most):
        return []

    @staticmethod
    def told(peer):
        """Set by the test: the node hears its status."""


class Crumbler(Peer):
    """Sends its snapshot a byte at a time."""

    def snapshot(self, height, offset):
        snapshot = self.ledger.store.snapshot()
        assert snapshot is not None
        data = snapshot.encode()
        return [wire.pack_snapshot(wire.SnapshotPart(snapshot.height, len(data), offset, data[offset : offset + 1]))]


@pytest.mark.parametrize("kind", [Tempter, Unable, Crumbler])
async def test_mistake_8_who_has_no_good_snapshot_is_not_asked_again_for_a_while_whatever_it_claims(
    start, ledger, old, quick, kind
):
    node = start()
    one, *honest = peers(ledger)
    liar = kind(one.key, ledger)
    liar.told = lambda liar: node.sync.on_status(liar.key, liar.status())
    node.meet(liar)
    await until(lambda: liar.asked_for(Kind.GET_BLOCKS))
    node.meet(liar, *honest)
    await node.completes()
    assert node.store.state == ledger.store.state
    assert liar.asked_for(Kind.GET_SNAPSHOT) == [0]


async def test_a_node_that_began_with_blocks_takes_a_snapshot_once_somebody_has_one(start, ledger, monkeypatch):
    monkeypatch.setattr(wire, "MAX_BLOCKS", 1)
    node = start()
    one, two, _ = peers(ledger)
    one.ledger = Chain(node.path.parent / "short", ledger.consortium)
    for decision in ledger.decisions[:10]:
        one.ledger.store.commit(decision, apply_block(one.ledger.store.state, decision.block, lambda _: False))
    one.silent = True
    node.meet(one)
    await until(lambda: one.asked_for(Kind.GET_BLOCKS))
    node.meet(two)
    await node.reaches(LENGTH)
    assert two.asked_for(Kind.GET_SNAPSHOT) == [0]
    one.ledger.store.close()


async def test_mistake_8_hints_that_nobody_keeps_do_not_silence_a_wiped_validator(start, ledger):
    node, company = start(), peers(ledger)
    review = node.runner.review

    def hint_and_review():
        node.sync.on_hint(company[0].key, Height(2**40))
        review()

    node.runner.review = hint_and_review
    node.meet(*company)
    await until(lambda: node.recall.settled)
    assert node.network.dropped == []


@pytest.mark.parametrize("lag", [LAG, 10 * LENGTH], ids=["by a snapshot", "by blocks"])
async def test_mistake_19_a_store_that_others_do_not_go_on_from_ends_the_node_and_makes_nobody_a_liar(
    start, ledger, tmp_path, lag
):
    other = Chain(tmp_path / "other", ledger.consortium)
    other.grow(LENGTH)
    store = Store.open(tmp_path / "node", ledger.consortium.genesis)
    for decision in other.decisions[:5]:
        store.commit(decision, apply_block(store.state, decision.block, store.is_decided))
    store.close()
    node = start(snapshot_lag=lag)
    node.meet(*peers(ledger))
    await until(lambda: node.failures, timeout_s=120)
    assert "block 6, which a quorum certified, stands on block 5" in str(node.failures[0])
    assert "move its store away" in str(node.failures[0])
    assert node.network.dropped == []
    other.store.close()


async def test_who_does_not_read_its_answers_gets_no_more_of_them(ledger, monkeypatch):
    monkeypatch.setattr(serving, "UNREAD_BYTES", 4000)
    (peer,) = peers(ledger, count=1)
    for _ in range(100):
        peer._server.on_get_snapshot(peer.key, Height(0), 0)
    assert 4000 < sum(len(data) for _, data in peer._answers.take()) < 8000
    peer._server.on_get_snapshot(peer.key, Height(0), 0)
    assert peer._answers.take()


async def test_a_true_snapshot_of_which_one_peer_alone_has_the_blocks_is_not_adopted(ledger, tmp_path):
    """It might keep the newest block to itself for ever (seed 21317 of the simulator)."""
    behind = Ledger(tmp_path / "behind", ledger.consortium)
    for decision in ledger.decisions[:20]:
        behind.store.commit(decision, apply_block(behind.store.state, decision.block, behind.store.is_decided))
    node = Node(tmp_path / "node", ledger, snapshot_lag=LAG, witnesses=True)
    first, second, third = ledger.others
    alone = Peer(first, ledger)
    node.meet(alone, Peer(second, behind))
    await until(lambda: len(alone.asked_for(Kind.GET_SNAPSHOT)) == 1)
    await asyncio.sleep(0.2)
    assert node.store.state.height == 0
    node.meet(Peer(third, ledger))
    await until(lambda: node.store.state.height == LENGTH)
    assert node.store.base == LENGTH
    node.stop()
    behind.store.close()
