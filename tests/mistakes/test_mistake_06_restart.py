"""Mistake 6: restart amnesia. The signer's state was rolled back for want of an fsync of the directory (cometbft#6031),
and a check against double signing checked nothing (#5668).
"""

# Plain integers stand for heights and rounds here.
# mypy: disable-error-code="arg-type"

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, cast

import plyvel
import pytest
from tests.consensus.harness import NOW_MS, Bench, Club
from tests.mistakes.planted import SIZES, must_fail
from tests.node.drivers import make_driver
from tests.node.parts import FakeNetwork
from tests.support.consortium import Consortium

from notarium_consensus.authentication import Authenticator
from notarium_consensus.config import EngineConfig
from notarium_consensus.effects import Broadcast, Effect, Persist, Send
from notarium_consensus.engine import Engine
from notarium_consensus.events import Event, OwnSignatureSeen
from notarium_consensus.inputs import WorkPending
from notarium_consensus.instance import Instance
from notarium_consensus.messages import Message, encode_message
from notarium_consensus.own_messages import OwnMessages
from notarium_consensus.permission import MARGIN
from notarium_consensus.signing import KeySigner
from notarium_consensus.signing_record import decode_record
from notarium_consensus.step_effects import StepEffects
from notarium_ledger.blocks.statements import StatementKind
from notarium_ledger.signing import SigningKey
from notarium_ledger.types import Height
from notarium_node.driving.driver import Driver
from notarium_node.entries.admission import Admission
from notarium_node.entries.mempool import Mempool
from notarium_node.entries.verifier import Verifier
from notarium_node.entries.waiters import Waiters
from notarium_node.identity.recall import Recall
from notarium_node.peers.network import PeerNetwork
from notarium_node.peers.wire import Kind
from notarium_store import Store, database

Slot = tuple[int, int, StatementKind]


def forgets_at_restart(patch: pytest.MonkeyPatch) -> None:
    """The record is written and never read."""
    patch.setattr(Instance, "restore", lambda self, record: None)


def the_check_checks_nothing(patch: pytest.MonkeyPatch) -> None:
    """Every slot is free."""
    patch.setattr(OwnMessages, "_is_free", lambda self, round_, kind: self.may_sign)


def sends_before_it_records(patch: pytest.MonkeyPatch) -> None:
    """The effects of a step in the order of their making, with each record after its message."""

    def take(self: StepEffects) -> list[Effect]:
        effects = self._rest + self._persists
        self._persists, self._rest = [], []
        return effects

    patch.setattr(StepEffects, "take", take)


def own_signatures_are_overlooked(patch: pytest.MonkeyPatch) -> None:
    """Nobody wonders about a valid signature of the own key that the record lacks."""
    patch.setattr(Authenticator, "_see_own", lambda self, height: None)
    patch.setattr(Recall, "own_seal", lambda self, certificates, engine: None)


def writes_without_fsync(patch: pytest.MonkeyPatch) -> None:
    """LevelDB's default."""
    open_ = database.Database._open

    class Lazy:
        def __init__(self, db: Any) -> None:
            self._db = db

        def write_batch(self, sync: bool = False) -> Any:
            return self._db.write_batch(sync=False)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._db, name)

    patch.setattr(database.Database, "_open", lambda self: Lazy(open_(self)))


# ---- a crash before any effect ------------------------------------------------------------------------------------


@dataclass
class Witness:
    """All that others ever got from one validator."""

    said: dict[Slot, bytes] = field(default_factory=dict)
    contradictions: list[Slot] = field(default_factory=list)

    def hear(self, message: Message, club: Club) -> None:
        slot = (message.height, message.round, message.kind)
        content = message.statement.signed_bytes(club.tip.hash, club.validators.hash)
        if self.said.setdefault(slot, content) != content:
            self.contradictions.append(slot)


class Fragile:
    """A validator whose process dies before its `life`-th effect; what it persisted by then is its disk."""

    def __init__(self, bench: Bench, witness: Witness, life: int) -> None:
        self.bench, self.witness, self.life = bench, witness, life
        self.disk: dict[bytes, bytes] = {}

    def do(self, step: Callable[[Bench], object]) -> bool:
        """One step and its effects; False once it is dead."""
        bench, done = self.bench, []
        inner = bench.step

        def recording(event: Any) -> list[Effect]:
            effects = inner(event)
            done.extend(effects)
            return effects

        bench.step = recording  # type: ignore[method-assign]
        step(bench)
        bench.step = inner  # type: ignore[method-assign]
        for effect in done:
            if self.life == 0:
                return False
            self.life -= 1
            if isinstance(effect, Persist):
                self.disk[effect.key] = effect.value
            elif isinstance(effect, Broadcast | Send):
                self.witness.hear(effect.message, bench.club)
        return True


def story(own: int, size: int, entry: bytes) -> list[Callable[[Bench], object]]:
    """Three rounds in which validator `own` says all it can say; with another `entry`, of other blocks."""
    club = Club(size)
    # In one story the proposers propose one thing, in the other another.
    blocks = [club.block((1 + round_) % size, entry, time_ms=NOW_MS + len(entry)) for round_ in range(3)]
    others = [signer for signer in range(size) if signer != own]
    steps: list[Callable[[Bench], object]] = [lambda bench: bench.step(WorkPending())]
    for round_, block in enumerate(blocks):
        changes = [club.signed_change(signer, round_) for signer in others] if round_ else []

        def play(bench: Bench, round_: int = round_, block: Any = block, changes: Any = tuple(changes)) -> None:
            proposer = (1 + round_) % size
            if round_:
                bench.receive(*(club.change(signer, round_) for signer in others))
            if proposer == own:
                bench.built(block, round_)
            else:
                bench.accept(club.proposal(proposer, round_, block, changes))

        steps.append(play)
        if round_ == 1:
            steps.append(
                lambda bench, round_=round_, block=block: bench.receive(  # type: ignore[misc]
                    *(club.prepare(signer, round_, block) for signer in others)
                )
            )
        steps.append(lambda bench, round_=round_: bench.timeout(round_))  # type: ignore[misc]
    return steps


@pytest.mark.parametrize(("size", "own"), [(4, 0), (4, 1), (4, 2), (4, 3), (5, 1), (6, 2), (7, 1), (10, 1)])
def test_mistake_06_killed_before_any_effect_and_restarted_a_validator_never_contradicts_itself(
    size: int, own: int
) -> None:
    """After the restart it hears another story from the others, of other blocks, from the beginning."""
    life, ended = 0, False
    while not ended:
        witness = Witness()
        node = Fragile(Bench(own=own, size=size), witness, life)
        ended = all(node.do(step) for step in story(own, size, b"ok one"))
        # The disk has what was persisted; the next life hears and says all it can.
        again = Bench(own=own, size=size, record=node.disk, record_height=1)
        second = Fragile(again, witness, 10_000)
        for effect in again.effects:
            if isinstance(effect, Broadcast | Send):
                witness.hear(effect.message, again.club)
        for step in story(own, size, b"ok another"):
            second.do(step)
        assert witness.contradictions == [], f"killed before effect {life}"
        life += 1
    assert life > 15, "the story is long enough to be killed in many places"


@pytest.mark.parametrize("size", SIZES)
def test_mistake_06_a_restarted_validator_sends_the_recorded_bytes_and_keeps_its_round_and_its_lock(size: int) -> None:
    bench = Bench(own=0, size=size)
    club, block = bench.club, bench.club.block(1)
    bench.accept(club.proposal(1, 0, block))
    bench.receive(*(club.prepare(signer, 0, block) for signer in range(1, size)))
    bench.timeout()
    sent = [encode_message(message) for message in bench.sent()]
    again = Bench(own=0, size=size, record=bench.disk, record_height=1)
    assert [encode_message(message) for message in again.sent()] == sent
    assert (again.engine.round, again.engine.prepared_round) == (1, 0)
    assert decode_record(bench.disk, 1).prepared is not None


# ---- a disk that was rolled back ----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("where", ["prepare in a lock", "round change in a proposal", "alone"])
def test_mistake_06_a_validator_whose_disk_was_rolled_back_falls_silent_when_it_sees_its_own_words(
    size: int, where: str
) -> None:
    """No record can help here: it observes until a decided height is above whatever its key may have signed."""
    bench = Bench(own=0, size=size)
    club, block = bench.club, bench.club.block(1)
    quorum = club.validators.quorum
    if where == "alone":
        bench.receive(club.prepare(0, 0, block), peer=club.keys[1].public)
    elif where == "prepare in a lock":
        bench.receive(club.change(1, 1, (0, block), by=range(quorum)))
    else:
        changes = [club.signed_change(signer, 1) for signer in range(quorum)]
        bench.receive(club.proposal(2, 1, club.block(2), changes))
    assert bench.events(OwnSignatureSeen) == [OwnSignatureSeen(1)]
    bench.checked(block)
    bench.accept(club.proposal(1, 0, club.block(1, b"ok another")))
    bench.timeout(bench.engine.round)
    assert bench.said() == []
    assert not bench.engine.is_voting
    # Fenced durably: also after a restart.
    again = Bench(own=0, size=size, record=bench.disk, record_height=1)
    again.accept(club.proposal(1, 0, block))
    assert again.said() == []
    again.advance(club.after(block))
    assert again.engine.is_voting, "the next height is above all that was signed"


class Running(NamedTuple):
    """A validator without a network."""

    driver: Driver
    engine: Engine
    mempool: Mempool
    recall: Recall
    events: list[Event]


@contextmanager
def running(consortium: Consortium, key: SigningKey, store: Store, network: FakeNetwork) -> Iterator[Running]:
    """A validator's real runner."""
    events: list[Event] = []
    mempool, verifier = Mempool(100, 1 << 24), Verifier(1)
    recall = Recall(key.public, store, is_new=store.owner is None)
    engine = Engine(EngineConfig(consortium.genesis.hash, KeySigner(key)), recall.record, recall.record_height)
    driver = make_driver(
        key.public,
        engine,
        store,
        mempool,
        Admission(lambda: store.state, store.is_decided, mempool, verifier, lambda fresh, source: None, lambda: 1),
        cast(PeerNetwork, network),
        Waiters(),
        events.append,
        lambda decision, transition: None,
        recall=recall,
    )
    driver.start()
    try:
        yield Running(driver, engine, mempool, recall, events)
    finally:
        driver.stop()
        verifier.close()


@pytest.mark.parametrize("size", SIZES)
async def test_mistake_06_a_restored_backup_falls_silent_when_it_fetches_a_block_that_bears_its_seal(
    size: int, tmp_path: Path
) -> None:
    """The backup has block 1. Block 2, which it comes by in catch-up, was decided with its vote. So it is silent until
    it is above whatever else it may have signed.
    """
    consortium = Consortium(size)
    key = consortium.validator_keys[0]
    others = [each.public for each in consortium.validator_keys[1:]]
    quorum = consortium.genesis.registry.validators.quorum
    chain, state = [], consortium.state
    for number in range(2 + MARGIN):
        signers = [key.public, *others[: quorum - 1]] if number == 1 else others[:quorum]
        chain.append(consortium.decide(state, [consortium.entry()], signers=signers))
        state = chain[-1][1].state
    with Store.open(tmp_path / "store", consortium.genesis) as store:
        store.commit_many(chain[:1])
        network = FakeNetwork(*others)
        with running(consortium, key, store, network) as node:
            assert node.engine.is_voting
            for number, part in enumerate(chain[1:], 2):
                node.mempool.add(consortium.entry())
                assert node.driver.take([part])
                if not node.recall.permission.remembers:
                    assert node.driver.settle(Height(0))  # The others have answered, and none is further.
                may = number + 1 >= 2 + MARGIN
                assert (store.state.height, node.engine.is_voting) == (number, may)
                assert may or network.sent == []
        assert node.events[0] == OwnSignatureSeen(2)


# ---- the disk ----------------------------------------------------------------------------------------------------


class Order:
    """In which order a node wrote (and whether to the disk or only to the system's memory) and sent."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.log: list[str] = []
        order, real = self.log, plyvel.DB

        class Watched:
            def __init__(self, *arguments: Any, **named: Any) -> None:
                self._db = real(*arguments, **named)

            def write_batch(self, sync: bool = False) -> Any:
                order.append("synced" if sync else "unsynced")  # LevelDB calls fsync where it is asked to sync.
                return self._db.write_batch(sync=sync)

            def __getattr__(self, name: str) -> Any:
                return getattr(self._db, name)

        patch.setattr(plyvel, "DB", Watched)

    def sent(self) -> None:
        self.log.append("sent")


async def test_mistake_06_the_real_node_has_every_vote_on_the_disk_before_it_leaves(tmp_path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        order = Order(patch)
        consortium = Consortium(4)
        with Store.open(tmp_path / f"store{id(order)}", consortium.genesis) as store:
            proposer = store.state.registry.validators.proposer(Height(1), 0)
            key = next(each for each in consortium.validator_keys if each.public == proposer)
            others = [each.public for each in consortium.validator_keys if each is not key]
            network = FakeNetwork(*others)
            broadcast = network.broadcast

            def heard(data: bytes, to: Any, slot: object = None) -> None:
                assert data[0] == Kind.CONSENSUS
                order.sent()
                broadcast(data, to, slot)

            network.broadcast = heard  # type: ignore[method-assign]
            with running(consortium, key, store, network) as node:
                node.mempool.add(consortium.entry())
                order.log.clear()
                node.driver.work_pending()
                await asyncio.sleep(0)
    assert order.log == ["synced", "sent", "sent"], "one fsync for proposal and prepare, then both"


def test_mistake_06_planted_is_caught_by_each_test(tmp_path) -> None:
    for size in SIZES:
        for mistake in (forgets_at_restart, the_check_checks_nothing, sends_before_it_records):
            must_fail(
                mistake,
                test_mistake_06_killed_before_any_effect_and_restarted_a_validator_never_contradicts_itself,
                size,
                1,
            )
        must_fail(
            forgets_at_restart,
            test_mistake_06_a_restarted_validator_sends_the_recorded_bytes_and_keeps_its_round_and_its_lock,
            size,
        )
        for where in ("prepare in a lock", "round change in a proposal", "alone"):
            must_fail(
                own_signatures_are_overlooked,
                test_mistake_06_a_validator_whose_disk_was_rolled_back_falls_silent_when_it_sees_its_own_words,
                size,
                where,
            )
        must_fail(
            own_signatures_are_overlooked,
            test_mistake_06_a_restored_backup_falls_silent_when_it_fetches_a_block_that_bears_its_seal,
            size,
            tmp_path / f"backup{size}",
        )
    for mistake in (writes_without_fsync, sends_before_it_records):
        must_fail(mistake, test_mistake_06_the_real_node_has_every_vote_on_the_disk_before_it_leaves, tmp_path)
